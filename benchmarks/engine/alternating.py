"""Time two ways of doing the same thing in one process, in turn, so that noise hits both alike."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Comparison:
    """Medians in seconds, and the spread of the ratio peer/ours over the pairs (quartiles)."""

    ours: float
    peer: float
    low: float
    high: float

    @property
    def ratio(self) -> float:
        """How many times faster ours is."""
        return self.peer / self.ours


def compare(
    ours: Callable[[], object], peer: Callable[[], object], budget: float, least: int = 5
) -> Comparison:
    """Alternate the two for about `budget` seconds, at least `least` times each."""
    for _ in range(2):
        ours()
        peer()
    mine: list[float] = []
    theirs: list[float] = []
    begin = time.perf_counter()
    while len(mine) < least or (time.perf_counter() - begin < budget and len(mine) < 1000):
        for call, times in ((ours, mine), (peer, theirs)):
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
    ratios = sorted(b / a for a, b in zip(mine, theirs, strict=True))
    quarter = len(ratios) // 4
    return Comparison(
        statistics.median(mine),
        statistics.median(theirs),
        ratios[quarter],
        ratios[-1 - quarter],
    )
