"""What stands between encoder and trunk: where a step is, and what its neighbours are."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from relembra.nn import Convolutions
from relembra.tasks._sequence._settings import Embedding

__all__ = ["Front", "FrontState", "front_lines", "places"]

_BLOCK = 256  # places that are computed together, so that a place always has the same bits
_SLOWEST = 1000.0
_DEVICE = "cpu"  # whatever the default is when a block is made: it is kept for other calls


class FrontState(NamedTuple):
    """What a stream has to remember: how many steps there were, and the last windows."""

    steps: int
    windows: list[Tensor]


class Front(nn.Module):
    """Put the place of each step beside it, and let it see its neighbours.

    In inference a row has the same bits in any batch and padding, and step by step (`step`).

    Parameters
    ----------
    features
        I, of an encoded step.
    settings
        Features of a place, and `relembra.nn.Convolutions`; without both it does nothing.
    causal
        Whether a step sees only those before it.

    Attributes
    ----------
    output_size
        Features of a step for the trunk.

    Examples
    --------
    >>> front = Front(3, Embedding(positions=4), causal=True)
    >>> front(torch.ones(1, 2, 3), torch.tensor([2]))[0, 1]
    tensor([1.0000, 1.0000, 1.0000, 0.8415, 0.0316, 0.5403, 0.9995])
    """

    def __init__(self, features: int, settings: Embedding, *, causal: bool) -> None:
        super().__init__()
        self.positions = settings.positions
        features += self.positions
        self.convolutions = None
        if settings.convolutions:
            self.convolutions = Convolutions(
                features,
                settings.maps,
                window=settings.window,
                layers=settings.convolutions,
                dropout=settings.map_dropout,
                causal=causal,
            )
        self.output_size = settings.maps if settings.convolutions else features

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Map (B, T, I) to (B, T, output_size)."""
        x = self._placed(x, 0)
        return x if self.convolutions is None else self.convolutions(x, lengths)

    def start(self, rows: int) -> FrontState:
        """Return the state of `rows` sequences of which nothing was seen."""
        return FrontState(0, [] if self.convolutions is None else self.convolutions.start(rows))

    def step(self, x: Tensor, state: FrontState) -> tuple[Tensor, FrontState]:
        """Map the next step (B, I) to (B, output_size), in eval mode."""
        x, windows = self._placed(x[:, None], state.steps)[:, 0], state.windows
        if self.convolutions is not None:
            x, windows = self.convolutions.step(x, windows)
        return x, FrontState(state.steps + 1, windows)

    def _placed(self, x: Tensor, begin: int) -> Tensor:
        if not self.positions:
            return x
        rows, steps = x.shape[:2]
        where = places(begin, begin + steps, self.positions).to(x)
        return torch.cat([x, where.expand(rows, -1, -1)], 2)


def places(begin: int, end: int, features: int) -> Tensor:
    """Return sines and cosines (end - begin, features) that tell a place, counted from 0.

    Source: Vaswani et al., "Attention is all you need" (2017), section 3.5, with a slowest wave of
    1,000 steps a radian.

    Parameters
    ----------
    begin, end
        The first place, and the one behind the last.
    features
        An even number.
    """
    first = begin // _BLOCK
    blocks = [_block(number, features) for number in range(first, -(-end // _BLOCK))]
    whole = torch.cat(blocks) if blocks else torch.empty(0, features, device=_DEVICE)
    return whole[begin - first * _BLOCK : end - first * _BLOCK]


@lru_cache(maxsize=64)
def _block(number: int, features: int) -> Tensor:
    half = features // 2
    kind: dict[str, Any] = {"dtype": torch.float64, "device": _DEVICE}
    speeds = _SLOWEST ** (-torch.arange(half, **kind) / half)
    steps = torch.arange(number * _BLOCK, (number + 1) * _BLOCK, **kind)
    angles = steps[:, None] * speeds
    return torch.cat([angles.sin(), angles.cos()], 1).float()


def front_lines(settings: Embedding) -> list[str]:
    """Return what a report says of it.

    Examples
    --------
    >>> front_lines(Embedding(positions=8)), front_lines(Embedding(convolutions=1, window=5))
    (['Each step knows its place.'], ['Each step is read with its neighbours: 1 layer of ...'])
    """
    lines = ["Each step knows its place."] if settings.positions else []
    if settings.convolutions:
        layers = f"{settings.convolutions} layer{'s' * (settings.convolutions > 1)}"
        lines.append(
            f"Each step is read with its neighbours: {layers} of convolutions over "
            f"{settings.window} steps."
        )
    return lines
