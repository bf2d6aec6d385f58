"""Which windows at the end of the series are held out, to validate or to test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["HoldOut", "hold_out"]

Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class HoldOut:
    """Origins counted back from the end of a series.

    Parameters
    ----------
    count
        Windows for each series; 0 when the series are too short.
    stride
        Steps from one origin to the next.
    horizon
        Steps of a window.
    """

    count: int
    stride: int
    horizon: int

    @property
    def steps(self) -> int:
        """Steps at the end that are held out."""
        return 0 if self.count == 0 else self.horizon + (self.count - 1) * self.stride

    def origins(self, until: Ints) -> list[Ints]:
        """Return for each window the origins (S,), the earliest first; they may be negative."""
        first = until - self.steps
        return [first + k * self.stride for k in range(self.count)]

    def before(self, until: Ints) -> Ints:
        """Return where the part before all held-out steps ends, (S,); series stay non-negative."""
        return np.maximum(until - self.steps, 0)


def hold_out(
    longest: int, horizon: int, *, most: int, share: float = 0.2, count: int | None = None
) -> HoldOut:
    """Choose the held-out windows from the length of the longest series.

    About `share` of the series is held out, in windows that follow on each other; when only one
    fits, up to three that overlap by two thirds. At least two horizons are left to learn from.

    Parameters
    ----------
    longest, horizon
        Steps of the longest series, and of a window.
    most
        The most windows.
    share
        Part of the series to hold out.
    count
        How many windows there must be; None chooses.

    Examples
    --------
    >>> hold_out(144, 12, most=5)
    HoldOut(count=2, stride=12, horizon=12)
    >>> hold_out(36, 6, most=5).steps
    10
    """
    left = longest - 2 * horizon - 1
    if count is None:
        count = min(int(longest * share) // horizon, most)
        if count <= 1:
            stride = max(1, horizon // 3)
            fitting = 1 + (left - horizon) // stride if left >= horizon else 0
            return HoldOut(max(0, min(3, most, fitting)), stride, horizon)
    fitting = max(0, left // horizon)
    return HoldOut(min(count, fitting), horizon, horizon)
