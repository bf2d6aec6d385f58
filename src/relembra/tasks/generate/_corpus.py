"""What a language model learns from: texts or files as streams of tokens, or frames of keys."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from relembra._errors import ConfigError, DataError
from relembra.data import Characters, Subwords, TextFiles, TextStream, Words
from relembra.tasks.generate._batches import Frames
from relembra.tasks.generate._settings import Tokens

__all__ = [
    "TextFeature",
    "TextParts",
    "fingerprint",
    "frames_of",
    "split_texts",
    "stream_of",
    "text_feature",
]

TextFeature = Characters | Words | Subwords
Texts = Any  # a text, texts, a path, paths, or TextFiles

_BLOCK = 1 << 22


@dataclass(frozen=True)
class TextParts:
    """Texts to learn from, and the part that is held out; in memory or in files."""

    training: str | TextFiles
    validation: str | TextFiles | None


def split_texts(X: Texts, validation: Texts | None, held_out: float) -> TextParts:
    """Take a validation part that is given, or hold out the last part of the text.

    Raises
    ------
    ConfigError
        The part to hold out is not in [0, 1).
    DataError
        There is no text.
    """
    if isinstance(held_out, bool) or not 0 <= held_out < 1:
        raise ConfigError(f"held_out is {held_out!r}; expected a part of 1, such as 0.1")
    text = _gathered(X)
    if validation is not None:
        return TextParts(text, _gathered(validation))
    if not held_out:
        return TextParts(text, None)
    if isinstance(text, TextFiles):
        return TextParts(*text.split(1 - held_out))
    cut = int(len(text) * (1 - held_out))
    return TextParts(text[:cut], text[cut:])


def _gathered(X: Texts) -> str | TextFiles:
    """Return one text in memory, several with a line end behind each, or files."""
    if isinstance(X, str):
        return X
    if isinstance(X, TextFiles):
        return X
    if isinstance(X, os.PathLike):
        return TextFiles.of(X)
    parts = list(X) if isinstance(X, Iterable) else []
    if parts and all(isinstance(part, os.PathLike) for part in parts):
        return TextFiles.of(parts)
    if parts and all(isinstance(part, str) for part in parts):
        return "".join(part if part.endswith("\n") else part + "\n" for part in parts)
    raise DataError(
        f"got {type(X).__name__}: {X!r:.60}; expected a text, a list of texts, or pathlib.Path "
        "objects that name text files"
    )


def text_feature(
    text: str | TextFiles, tokens: Tokens, size: int | None, least: int, lower: bool
) -> TextFeature:
    """Learn the tokens of a text."""
    chunks = text.chunks() if isinstance(text, TextFiles) else iter([text])
    if lower and tokens != "words":
        raise ConfigError(f"lower=True is for words; the tokens are {tokens}")
    if tokens == "characters":
        return Characters.fit(chunks, size=size, least=least)
    if tokens == "words":
        return Words.fit(chunks, lower=lower, lines=True, size=size, least=least)
    if tokens == "subwords":
        return Subwords.fit(chunks, size=8000 if size is None else size, least=max(2, least))
    raise ConfigError(f"tokens is {tokens!r}; known: characters, words, subwords")


def stream_of(text: str | TextFiles, feature: TextFeature, folder: Path) -> TextStream:
    """Return a text as tokens; those of files are mapped from one in the folder.

    Raises
    ------
    DataError
        There is no text.
    """
    if isinstance(text, TextFiles):
        return TextStream.of(text, feature, folder)
    if not text:
        raise DataError("there is no text; expected at least one character")
    return TextStream(np.asarray(feature.ids(text), np.int32), len(text))


def frames_of(X: Any, keys: int | None = None) -> list[Frames]:
    """Return sequences (T, K) of keys that sound (1) or do not (0).

    Raises
    ------
    DataError
        A sequence is no such thing, is too short, or has another number of keys.
    """
    sequences = [_frames(number, row) for number, row in enumerate(_rows(X), 1)]
    wanted = sequences[0].shape[1] if keys is None else keys
    for number, sequence in enumerate(sequences, 1):
        if sequence.shape[1] != wanted:
            raise DataError(f"sequence {number} has {sequence.shape[1]} keys, expected {wanted}")
    return sequences


def _rows(X: Any) -> Sequence[ArrayLike]:
    if isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype != object:
        raise DataError("got one sequence; expected a list of them: put it into brackets")
    if isinstance(X, str | bytes) or not hasattr(X, "__len__") or not len(X):
        raise DataError(f"got {type(X).__name__}; expected a list of arrays (T, K), one or more")
    rows: Sequence[ArrayLike] = X
    return rows


def _frames(number: int, row: ArrayLike) -> Frames:
    frames = np.ascontiguousarray(row, np.float32)
    if frames.ndim != 2 or len(frames) < 2:
        raise DataError(
            f"sequence {number} has shape {frames.shape}; expected (T, K) with 2 frames or more"
        )
    if not np.isin(frames, (0.0, 1.0)).all():
        raise DataError(f"sequence {number} holds other numbers than 0 and 1")
    return frames


def fingerprint(*parts: Any) -> str:
    """Return a hash of streams and arrays, read piece by piece."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(f"{part.dtype}{part.shape}".encode())
        for begin in range(0, len(part), _BLOCK):
            digest.update(np.ascontiguousarray(part[begin : begin + _BLOCK]).tobytes())
    return digest.hexdigest()
