"""A text as tokens: learnt and encoded once, for one training or many."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relembra._errors import ConfigError, DataError
from relembra.data import TextFiles, TextStream
from relembra.tasks._sequence import Prepared
from relembra.tasks.generate._corpus import (
    TextFeature,
    TextParts,
    split_texts,
    stream_of,
    text_feature,
)

__all__ = ["EncodedText", "encoded_text"]

_TOKENS = ("tokens", "size", "least", "lower")
_SAMPLE = 4000  # characters of the training text that a model keeps


@dataclass(frozen=True, eq=False)
class EncodedText(Prepared):
    """Tokens, and the texts as streams of them.

    Attributes
    ----------
    feature
        The tokens.
    training, validation
        What to learn from, and what to stop by, if there is any.
    sample
        The beginning of the training text.
    """

    feature: TextFeature
    training: TextStream
    validation: TextStream | None
    sample: str


def encoded_text(
    model: Any,
    X: Any,
    validation: Any,
    folder: Path,
) -> EncodedText:
    """Learn the tokens of a text, and encode it; what was encoded already is returned as it is.

    Parameters
    ----------
    model
        The `LanguageModel`: which tokens, and what to hold out.
    X, validation
        As its `fit` takes them.
    folder
        Where the tokens of files go.

    Raises
    ------
    DataError
        There is no text, or too little.
    ConfigError
        A parameter makes no sense; the text was encoded for others; `validation` comes beside it.
    """
    if isinstance(X, EncodedText):
        X.check(model)
        if validation is not None:
            raise ConfigError("the text was made ready with its validation part; give none beside")
        return X
    parts = split_texts(X, validation, model.held_out)
    chosen = {name: getattr(model, name) for name in _TOKENS}
    feature = text_feature(parts.training, **chosen)
    training = stream_of(parts.training, feature, folder)
    if len(training) < 2:
        raise DataError(
            f"tokens to learn from: {len(training)}; expected 2 or more", path=_only_file(parts)
        )
    held = None if parts.validation is None else stream_of(parts.validation, feature, folder)
    made_for = chosen | {"held_out": model.held_out}
    return EncodedText(made_for, feature, training, held, _beginning(parts))


def _only_file(parts: TextParts) -> str | None:
    text = parts.training
    return text.paths[0] if isinstance(text, TextFiles) and len(text.paths) == 1 else None


def _beginning(parts: TextParts) -> str:
    text = parts.training
    if isinstance(text, TextFiles):
        text = next(text.chunks(), "")
    return text[:_SAMPLE]
