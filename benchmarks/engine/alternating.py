"""Time several ways of doing the same thing in one process, in turn, so that noise hits all alike.

With several threads the turn must not be a single call. After a call the helpers of every pool
spin for a while before they sleep (on the machine of these tables ours for 0.1 ms, torch's for 8,
ONNX Runtime's for 12), and where there are no cores to spare they slow down whoever comes next. So
a turn is a block of calls of one way, as in the loop of a training or of a server:

1. `rest`: wait until the process uses no processor time, so until every pool sleeps;
2. calls of this way for about 20 ms, each timed. The first wakes the way's own helpers and fills
   the caches, so it is left out, unless it took the whole block: then that no longer matters;
3. the median of the block is the turn's time.

A round is one block of each way, in an order drawn anew, so that nobody always follows the same
one. The ratio of a round is one sample; its quartiles are the spread.

On a machine that does other work as well, wall time favours whoever is done before the system
takes the core away. There `measure_by("processor")` counts the processor time of this process
instead; it says the same as a wall clock on a quiet machine, but for one thread only.
"""

import random
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

BLOCK = 0.02  # seconds
LONGEST_REST = 0.1
TICK = 0.002
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
_clock = time.perf_counter


@dataclass(frozen=True)
class Comparison:
    """Medians in seconds, and the spread of the ratio peer/ours over the rounds (quartiles)."""

    ours: float
    peer: float
    low: float
    high: float

    @property
    def ratio(self) -> float:
        """How many times faster ours is."""
        return self.peer / self.ours


def measure_by(clock: str) -> None:
    """Choose the clock, `wall` or `processor`, of all that is measured from now on."""
    global _clock
    _clock = CLOCKS[clock]


def rest() -> None:
    """Sleep until no thread of this process runs, at most a tenth of a second."""
    end = time.perf_counter() + LONGEST_REST
    while time.perf_counter() < end:
        busy = time.process_time()
        time.sleep(TICK)
        if time.process_time() - busy < TICK / 10:
            return


def clocked(call: Callable[[], object]) -> float:
    """Return the time of one call."""
    start = _clock()
    call()
    return _clock() - start


def block(call: Callable[[], object]) -> float:
    """Return the median time of a call, over a block of calls."""
    rest()
    times: list[float] = []
    begin = time.perf_counter()
    while not times or (time.perf_counter() - begin < BLOCK and len(times) < 1000):
        times.append(clocked(call))
    return statistics.median(times[1:] or times)


def alternate(
    ways: Mapping[str, Callable[[], object]], budget: float, least: int = 5
) -> dict[str, list[float]]:
    """Return each way's times, round by round, for about `budget` seconds and `least` rounds."""
    order = list(ways)
    for name in order:
        ways[name]()  # builds what is kept between calls
    draw = random.Random(0)
    times: dict[str, list[float]] = {name: [] for name in ways}
    begin = time.perf_counter()
    rounds = 0
    while rounds < least or (time.perf_counter() - begin < budget and rounds < 1000):
        draw.shuffle(order)
        for name in order:
            times[name].append(block(ways[name]))
        rounds += 1
    return times


def comparison(ours: list[float], peer: list[float]) -> Comparison:
    """Compare two ways by their times in the same rounds."""
    ratios = sorted(b / a for a, b in zip(ours, peer, strict=True))
    quarter = len(ratios) // 4
    return Comparison(
        statistics.median(ours), statistics.median(peer), ratios[quarter], ratios[-1 - quarter]
    )


def compare(
    ours: Callable[[], object], peer: Callable[[], object], budget: float, least: int = 5
) -> Comparison:
    """Alternate two ways for about `budget` seconds, at least `least` rounds."""
    times = alternate({"ours": ours, "peer": peer}, budget, least)
    return comparison(times["ours"], times["peer"])
