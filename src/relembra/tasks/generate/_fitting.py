"""Training a language model on a text or on frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from relembra._errors import ConfigError
from relembra._files import JSON
from relembra._random import derive
from relembra.data import TextStream
from relembra.nn import Trunk
from relembra.tasks.generate._batches import FrameBatches, Frames, LanguageObjective, TextBatches
from relembra.tasks.generate._corpus import TextFeature, fingerprint, frames_of
from relembra.tasks.generate._encoded_text import EncodedText
from relembra.tasks.generate._network import LanguageNetwork
from relembra.tasks.generate._scoring import frame_nats, row_nats, stream_rows
from relembra.tasks.generate._settings import Language, Outputs
from relembra.training import BatchSource, History, Subscriber, Training, fit

__all__ = ["Fitted", "Run", "fit_frames", "fit_text", "make_network", "start_token"]

_JUDGED = 1_000_000  # tokens of the held-out part that training stops by, if it has more


@dataclass(frozen=True)
class Run:
    """How to train, and where its files are."""

    language: Language
    trunk: Trunk
    training: Training
    length: int
    folder: Path | None
    resume: bool
    force: bool
    subscribers: Sequence[Subscriber]


@dataclass(frozen=True)
class Fitted:
    """A trained network and what belongs to it."""

    network: LanguageNetwork
    feature: TextFeature | None
    history: History
    sample: str


def make_network(
    symbols: int, language: Language, trunk: Trunk, outputs: Outputs, seed: int
) -> LanguageNetwork:
    """Make an untrained network; its weights are a function of the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "weights"))
        return LanguageNetwork(symbols, language, trunk, outputs)


def start_token(feature: TextFeature) -> int:
    """Return the token that stands before a text: the end of a line, or else the most frequent."""
    ids = feature.ids("\n")
    return int(ids[0]) if len(ids) == 1 and ids[0] > 1 else 2


def fit_text(run: Run, text: EncodedText) -> Fitted:
    """Learn what follows what in a text."""
    feature, held, training = text.feature, text.validation, run.training
    network = make_network(feature.size, run.language, run.trunk, "tokens", training.seed)
    source = TextBatches(text.training, training.batch_size, run.length, training.seed)
    validate = None
    if held is not None:
        validate = _text_validation(network, held, start_token(feature), training.batch_size)
    streams = [text.training.ids] if held is None else [text.training.ids, held.ids]
    identity: dict[str, JSON] = {"feature": feature.to_json()["kind"], "size": feature.size}
    history = _train(run, network, source, validate, identity | {"data": fingerprint(*streams)})
    return Fitted(network, feature, history, text.sample)


def fit_frames(run: Run, X: Any, validation: Any, held_out: float) -> Fitted:
    """Learn which frames follow which."""
    sequences = frames_of(X)
    keys = sequences[0].shape[1]
    if not 0 <= held_out < 1:
        raise ConfigError(f"held_out is {held_out!r}; expected a part of 1, such as 0.1")
    if validation is not None:
        held = frames_of(validation, keys)
    else:
        count = int(len(sequences) * held_out)
        held = sequences[len(sequences) - count :]
        sequences = sequences[: len(sequences) - count]
    training, language = run.training, run.language
    network = make_network(keys, language, run.trunk, "frames", training.seed)
    source = FrameBatches(sequences, training.batch_size, training.seed, language.transpose)
    validate = _frame_validation(network, held) if held else None
    identity: dict[str, JSON] = {"keys": keys, "data": fingerprint(*sequences, *held)}
    history = _train(run, network, source, validate, identity)
    return Fitted(network, None, history, "")


def _train(
    run: Run,
    network: LanguageNetwork,
    source: BatchSource,
    validate: Callable[[], float] | None,
    identity: dict[str, JSON],
) -> History:
    return fit(
        LanguageObjective(network, run.language),
        source,
        run.training,
        validate=validate,
        directory=run.folder,
        resume=run.resume,
        force=run.force,
        identity={
            "trunk": run.trunk.get_params(),  # type: ignore[attr-defined]
            "language": run.language.get_params(),  # type: ignore[attr-defined]
            "length": run.length,
            **identity,
        },
        subscribers=run.subscribers,
    )


def _text_validation(
    network: LanguageNetwork, held: TextStream, start: int, rows: int
) -> Callable[[], float]:
    """Return what gives the nats per token of a held-out text, or of its beginning."""
    ids = held.ids[:_JUDGED]
    parts = stream_rows(ids, start, rows)
    return lambda: float(row_nats(network, parts).sum()) / len(ids)


def _frame_validation(network: LanguageNetwork, held: list[Frames]) -> Callable[[], float]:
    """Return what gives the nats per frame of held-out sequences."""
    frames = sum(len(sequence) - 1 for sequence in held)
    return lambda: float(frame_nats(network, held).sum()) / frames
