"""Writing: token after token through streams, and text as soon as it is certain."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from relembra._random import generator
from relembra.nn._recurrent import RecurrentLayer
from relembra.tasks.generate._heads import AdaptiveHead, FrameHead, TokenHead
from relembra.tasks.generate._network import LanguageNetwork, State
from relembra.tasks.generate._sampling import Sampling, choose, filtered

__all__ = ["Reader", "pieces", "ranked", "tokens", "until"]

_CHUNK = 256  # tokens of a prompt that are read at once
_RECENT = 64  # tokens that the penalty looks back on
_HELD = 8  # tokens that may wait for the rest of a character
_RESERVED = 2  # padding and unknown are never written
_BROKEN = "\N{REPLACEMENT CHARACTER}"

Floats = NDArray[np.float64]


class _Decoder(Protocol):
    def decode(self, ids: ArrayLike) -> str: ...


class Reader:
    """A model at a place of a text: it reads on, and knows what may come next.

    Parameters
    ----------
    network
        In eval mode; its weights are those of now, whatever happens to them later.
    """

    def __init__(self, network: LanguageNetwork) -> None:
        self._network = network
        self._state: State = ()
        self._stream: Any = None
        self._output = torch.empty(0)  # (1, F)

    @torch.no_grad()
    def read(self, inputs: Tensor) -> None:
        """Read tokens (T,) or frames (T, K); many go through the network as a sequence."""
        if len(inputs) == 1 and isinstance(self._network.trunk.body, RecurrentLayer):
            self._step(inputs)
            return
        if self._stream is not None:
            self._state, self._stream = _parts(self._stream.hx()), None
        for part in inputs.split(_CHUNK):
            walked = self._network(part[None], self._state)
            self._state, self._output = walked.state, walked.output[:, -1]

    def _step(self, inputs: Tensor) -> None:
        body = cast(RecurrentLayer, self._network.trunk.body)
        if self._stream is None:
            hx = self._state if len(self._state) == 2 else self._state[0] if self._state else None
            self._stream = body.start(hx=hx)
        self._output, _ = body.step(self._network.embedding(inputs), self._stream)

    @torch.no_grad()
    def log_probabilities(self) -> Floats:
        """Return the logarithms (V,) of the probabilities of what comes next, in nats."""
        head = cast("TokenHead | AdaptiveHead", self._network.head)
        return head.log_probabilities(self._output)[0].double().numpy()

    @torch.no_grad()
    def write_frame(self, draws: Floats, temperature: float) -> Tensor:
        """Draw the frame (K,) that comes next, with one number (K,) of [0, 1) for each key."""
        head = cast(FrameHead, self._network.head)
        return head.write(self._output, torch.from_numpy(draws)[None], temperature)[0]


def _parts(hx: Tensor | tuple[Tensor, ...]) -> State:
    return hx if isinstance(hx, tuple) else (hx,)


def ranked(decoder: _Decoder, logs: Floats, most: int | None) -> dict[str, float]:
    """Return probabilities by the text of the token, the likeliest first; padding is left out."""
    chances = np.exp(logs)
    order = np.argsort(-chances, kind="stable")
    found: dict[str, float] = {}
    for token in order[order > 0].tolist():
        if most is not None and len(found) == most:
            break
        name = decoder.decode([token]) or _BROKEN
        found[name] = found.get(name, 0.0) + float(chances[token])
    return found


def tokens(
    reader: Reader, before: Iterable[int], length: int, sampling: Sampling, seed: int
) -> Iterator[int]:
    """Yield the tokens that a reader writes after those before; it reads each first."""
    chance = generator(seed, "generate")
    recent = deque(before, maxlen=_RECENT)
    for _ in range(length):
        logs = reader.log_probabilities()
        logs[:_RESERVED] = -np.inf
        past = recent if sampling.repetition_penalty != 1 else ()
        token = choose(filtered(logs, sampling, list(past)), chance.random())
        recent.append(token)
        reader.read(torch.tensor([token]))
        yield token


def pieces(decoder: _Decoder, before: Sequence[int], ids: Iterable[int]) -> Iterator[str]:
    """Yield what each token adds to the text; a character in parts waits for its last one."""
    known = list(before)[-_HELD:]
    text = decoder.decode(known)
    waiting = 0
    for token in ids:
        known.append(token)
        whole = decoder.decode(known)
        waiting += 1
        if whole.endswith(_BROKEN) and waiting < _HELD:
            continue
        yield whole[len(text) :]
        waiting = 0
        if len(known) > 4 * _HELD:
            known = known[-_HELD:]
            whole = decoder.decode(known)
        text = whole


def until(texts: Iterable[str], stops: Sequence[str]) -> Iterator[str]:
    """Yield texts up to the first of the stops, holding back what may be the beginning of one."""
    held = ""
    for text in texts:
        held += text
        ends = [held.find(stop) for stop in stops]
        if any(end >= 0 for end in ends):
            held = held[: min(end for end in ends if end >= 0)]
            break
        safe = len(held) - _begun(held, stops)
        if safe:
            yield held[:safe]
            held = held[safe:]
    if held:
        yield held


def _begun(text: str, stops: Sequence[str]) -> int:
    """Return the length of the longest end of a text that a stop begins with."""
    longest = max((len(stop) for stop in stops), default=1) - 1
    for size in range(min(longest, len(text)), 0, -1):
        if any(stop.startswith(text[-size:]) for stop in stops):
            return size
    return 0
