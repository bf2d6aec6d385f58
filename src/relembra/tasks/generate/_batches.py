"""What a language model is trained on: a text in rows side by side, or sequences of frames."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relembra._random import derive, generator
from relembra.data import LengthBuckets, StreamRows, TextStream
from relembra.nn import activation_penalty, temporal_penalty
from relembra.tasks.generate._network import LanguageNetwork, State
from relembra.tasks.generate._settings import Language

__all__ = ["FrameBatches", "LanguageObjective", "Segment", "TextBatches", "padded_frames"]

Frames = NDArray[np.float32]


class Segment(NamedTuple):
    """A batch: what is read, and what follows each step."""

    inputs: Tensor  # (B, T) tokens or (B, T, K) frames
    targets: Tensor  # the same, one step ahead
    lengths: Tensor | None  # (B,), all steps when None


class TextBatches:
    """A stream in rows, walked through segment by segment; the state goes from one to the next.

    Every pass but the first begins a little later in the text, so that segments end elsewhere.
    """

    carries_state = True

    def __init__(self, stream: TextStream, rows: int, steps: int, seed: int) -> None:
        self._stream, self._steps, self._seed = stream, steps, seed
        self._rows = max(1, min(rows, (len(stream) - 1) // steps))
        self._latest = min(steps, len(stream) // 4)
        self._pass = lru_cache(maxsize=2)(self._make_pass)

    def __getstate__(self) -> tuple[TextStream, int, int, int]:
        return self._stream, self._rows, self._steps, self._seed  # for workers

    def __setstate__(self, values: tuple[TextStream, int, int, int]) -> None:
        self.__init__(*values)  # type: ignore[misc]

    def _make_pass(self, epoch: int) -> StreamRows:
        late = derive(self._seed, "start of the text", epoch) % self._latest if self._latest else 0
        begin = late if epoch else 0
        part = TextStream(self._stream.ids[begin:], self._stream.characters)
        return StreamRows(part, self._rows, self._steps)

    def batches(self, epoch: int) -> int:
        """Return the number of segments in a pass."""
        return len(self._pass(epoch))

    def batch(self, epoch: int, index: int) -> Segment:
        """Return one segment of all rows."""
        return Segment(*self._pass(epoch)[index], None)

    def starts_segment(self, epoch: int, index: int) -> bool:
        """Return whether the text begins anew."""
        return index == 0


class FrameBatches:
    """Whole sequences of frames (T, K), those of similar length together."""

    carries_state = False

    def __init__(
        self, sequences: Sequence[Frames], batch_size: int, seed: int, transpose: int
    ) -> None:
        lengths = np.array([len(s) - 1 for s in sequences])
        self._sequences, self._seed, self._transpose = sequences, seed, transpose
        self._buckets = LengthBuckets(lengths, batch_size, seed)

    def batches(self, epoch: int) -> int:
        """Return the number of batches in a pass."""
        return self._buckets.batches(epoch)

    def batch(self, epoch: int, index: int) -> Segment:
        """Return one batch."""
        chance = generator(self._seed, "transpose", epoch, index)
        rows = [self._sequences[i] for i in self._buckets.indices(epoch, index)]
        moves = chance.integers(-self._transpose, self._transpose, len(rows), endpoint=True)
        return padded_frames([_moved(r, int(by)) for r, by in zip(rows, moves, strict=True)])

    def starts_segment(self, epoch: int, index: int) -> bool:
        """Return True: nothing is carried."""
        return True


def padded_frames(sequences: Sequence[Frames]) -> Segment:
    """Return sequences (T, K) as one batch."""
    lengths = torch.tensor([len(s) - 1 for s in sequences])
    both = torch.zeros(len(sequences), int(lengths.max()) + 1, sequences[0].shape[1])
    for row, sequence in zip(both, sequences, strict=True):
        row[: len(sequence)] = torch.from_numpy(sequence)
    return Segment(both[:, :-1], both[:, 1:], lengths)


def _moved(frames: Frames, by: int) -> Frames:
    """Move all keys up by so many, unless one would fall off."""
    sounding = np.flatnonzero(frames.any(0))
    if not len(sounding) or sounding[0] + by < 0 or sounding[-1] + by >= frames.shape[1]:
        return frames
    return np.roll(frames, by, 1)


class LanguageObjective:
    """The network and its loss, as `relembra.training.fit` wants them."""

    def __init__(self, network: LanguageNetwork, language: Language) -> None:
        self.module = network
        self._language = language

    def loss(self, batch: Segment, state: State | None) -> tuple[Tensor, State]:
        """Return the loss of a segment, and the state behind it."""
        walked = self.module(batch.inputs, state or (), lengths=batch.lengths)
        nats = self.module.nats(walked, batch.targets)  # (B, T)
        if batch.lengths is None:
            loss = nats.mean()
        else:
            inside = torch.arange(nats.shape[1]) < batch.lengths[:, None]
            loss = torch.where(inside, nats, 0.0).sum() / batch.lengths.sum()
        settings = self._language
        if settings.activation_penalty:
            penalty = activation_penalty(walked.output, batch.lengths)
            loss = loss + settings.activation_penalty * penalty
        if settings.temporal_penalty:
            loss = loss + settings.temporal_penalty * temporal_penalty(walked.raw, batch.lengths)
        return loss, walked.state
