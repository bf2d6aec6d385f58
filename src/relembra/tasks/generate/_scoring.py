"""How likely a text is: read in rows side by side, in memory that does not grow with it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relembra.tasks.generate._batches import Frames, padded_frames
from relembra.tasks.generate._network import LanguageNetwork, State
from relembra.tasks.generate._settings import Dynamic

__all__ = ["Row", "dynamic_nats", "frame_nats", "row_nats", "stream_nats", "stream_rows"]

_CHUNK = 256  # steps at once
_TOGETHER = 32  # rows at once
_WARM = 256  # tokens that a row in the middle of a text reads before it counts
_ALONE = 1 << 18  # a text of no more tokens is read in one row
_LEAST = 1e-12

Ids = NDArray[Any]
Floats = NDArray[np.float64]


class Row(NamedTuple):
    """A part of a text that is read in one go.

    Attributes
    ----------
    ids
        The whole text (N,), perhaps mapped from a file.
    start
        The token that stands before the text, at place -1.
    begin, counted, end
        Places of the first token that is read, and of the first and behind the last token whose
        probability counts.
    """

    ids: Ids
    start: int
    begin: int
    counted: int
    end: int

    @classmethod
    def of(cls, ids: Ids, start: int) -> Row:
        """Take a whole text."""
        return cls(ids, start, -1, 0, len(ids))

    @property
    def steps(self) -> int:
        """How many tokens are read."""
        return self.end - 1 - self.begin

    def cut(self, first: int, steps: int) -> Ids:
        """Return the tokens of so many steps from one on, and the token that follows."""
        begin = self.begin + first
        stop = min(begin + steps + 1, self.end)
        if begin >= 0:
            return self.ids[begin:stop].astype(np.int64)
        return np.concatenate([[self.start], self.ids[:stop]]).astype(np.int64)


def stream_rows(ids: Ids, start: int, rows: int | None = None) -> list[Row]:
    """Part a text (N,) into rows that are warmed up before they count; each token counts once.

    One row when it is short, or so many as given.
    """
    count = (1 if len(ids) <= _ALONE else _TOGETHER) if rows is None else rows
    count = max(1, min(count, len(ids) // _WARM))
    edges = np.linspace(0, len(ids), count + 1).astype(np.int64).tolist()
    return [
        Row(ids, start, max(-1, first - 1 - _WARM), first, last)
        for first, last in zip(edges[:-1], edges[1:], strict=True)
    ]


def stream_nats(network: LanguageNetwork, ids: Ids, start: int, dynamic: Dynamic | None) -> float:
    """Return the negative log-likelihood of a text (N,) in nats."""
    if dynamic is not None:
        return dynamic_nats(network, Row.of(ids, start), dynamic)
    return float(row_nats(network, stream_rows(ids, start)).sum())


@torch.no_grad()
def row_nats(network: LanguageNetwork, rows: Sequence[Row]) -> Floats:
    """Return the negative log-likelihood (n,) of rows in nats: the same bits in any company."""
    found = np.zeros(len(rows))
    order = sorted(range(len(rows)), key=lambda i: rows[i].steps)
    for first in range(0, len(order), _TOGETHER):
        chosen = order[first : first + _TOGETHER]
        found[chosen] = _together(network, [rows[i] for i in chosen])
    return found


def _together(network: LanguageNetwork, rows: list[Row]) -> Floats:
    found, state = np.zeros(len(rows)), ()
    steps = np.array([row.steps for row in rows])
    for first in range(0, int(steps.max(initial=0)), _CHUNK):
        lengths = np.clip(steps - first, 0, _CHUNK)
        both = np.zeros((len(rows), int(lengths.max()) + 1), np.int64)
        for row, cells, length in zip(rows, both, lengths.tolist(), strict=True):
            if length:
                cells[: length + 1] = row.cut(first, length)
        ids = torch.from_numpy(both)  # (B, T + 1)
        walked = network(ids[:, :-1], state, lengths=torch.from_numpy(lengths))
        state = walked.state
        nats = network.nats(walked, ids[:, 1:]).double().numpy()  # (B, T)
        for i, (row, length) in enumerate(zip(rows, lengths.tolist(), strict=True)):
            skipped = max(0, row.counted - (row.begin + 1 + first))
            found[i] += nats[i, skipped:length].sum()
    return found


@torch.no_grad()
def frame_nats(network: LanguageNetwork, sequences: Sequence[Frames]) -> Floats:
    """Return the negative log-likelihood (n,) of sequences (T, K) after their first frame."""
    found = np.zeros(len(sequences))
    order = sorted(range(len(sequences)), key=lambda i: len(sequences[i]))
    for first in range(0, len(order), _TOGETHER):
        chosen = order[first : first + _TOGETHER]
        batch = padded_frames([sequences[i] for i in chosen])
        walked = network(batch.inputs, lengths=batch.lengths)
        nats = network.nats(walked, batch.targets).double().numpy()
        found[chosen] = [
            row[: len(sequences[i]) - 1].sum() for row, i in zip(nats, chosen, strict=True)
        ]
    return found


def dynamic_nats(network: LanguageNetwork, row: Row, settings: Dynamic) -> float:
    """Return the negative log-likelihood of a row, by a copy that goes on learning as it reads."""
    learner = _Learner(copy.deepcopy(network).eval(), settings)
    total, state = 0.0, cast(State, ())
    for first in range(0, row.steps, settings.length):
        ids = torch.from_numpy(row.cut(first, settings.length))[None]
        nats, state = learner.read(ids, state)
        skipped = max(0, row.counted - (row.begin + 1 + first))
        total += float(nats[skipped:].double().sum())
    return total


class _Learner:
    """A network that takes a step after each segment."""

    def __init__(self, network: LanguageNetwork, settings: Dynamic) -> None:
        self._network, self._settings = network, settings
        self._live = [p for p in network.parameters() if p.requires_grad]
        self._first = [p.detach().clone() for p in self._live]
        self._squares = [torch.zeros_like(p) for p in self._first]
        self._count = 0

    def read(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the negative log-likelihoods (T,) of a segment (1, T + 1), then learn from it."""
        with torch.enable_grad():
            walked = self._network(ids[:, :-1], state)
            nats = self._network.nats(walked, ids[:, 1:])[0]
            gradients = torch.autograd.grad(nats.mean(), self._live, allow_unused=True)
        self._learn(gradients)
        return nats.detach(), tuple(part.detach() for part in walked.state)

    @torch.no_grad()
    def _learn(self, gradients: Sequence[Tensor | None]) -> None:
        rate, decay = self._settings.rate, self._settings.decay
        self._count += 1
        for live, first, squares, gradient in zip(
            self._live, self._first, self._squares, gradients, strict=True
        ):
            if gradient is not None:
                squares.addcmul_(gradient, gradient)
                size = (squares / self._count).sqrt_()
                # The mean keeps the step small where gradients are rare.
                live.addcdiv_(gradient, size.add_(size.mean() + _LEAST), value=-rate)
            live.lerp_(first, decay)
