"""What the tables share: a row as a value, how it is printed, and the options of the commands."""

import argparse
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from benchmarks.engine.alternating import CLOCKS, Comparison, measure_by
from benchmarks.engine.shapes import LISTS, Shape

CELLS = ("lstm", "gru", "rnn")
GATES = {"lstm": 4, "gru": 3, "rnn": 1}


@dataclass(frozen=True)
class Row:
    """One figure of a table: a ratio, a share or an error, and where it comes from.

    `case` is what was done, as `lstm train`; `peer` whom it is compared with. Times are in
    seconds, and 0 where the figure is no ratio of times.
    """

    table: str
    case: str
    shape: Shape
    threads: int
    peer: str
    value: float
    low: float = math.nan
    high: float = math.nan
    ours: float = 0.0
    theirs: float = 0.0
    path: str = ""
    note: str = ""

    @staticmethod
    def of(
        table: str,
        case: str,
        shape: Shape,
        threads: int,
        peer: str,
        c: Comparison,
        path: str = "",
        note: str = "",
    ) -> "Row":
        """Return the row of a comparison."""
        return Row(
            table, case, shape, threads, peer, c.ratio, c.low, c.high, c.ours, c.peer, path, note
        )

    @property
    def units(self) -> int:
        """H, which comes fourth in a shape and third in that of a step."""
        return self.shape[3] if len(self.shape) > 3 else self.shape[2]


def milliseconds(row: Row) -> str:
    """Return the line of a ratio of times, or of why there is none."""
    if math.isnan(row.value):
        return f"{row.shape!s:26} {row.peer:9} {row.note}"
    return (
        f"{row.shape!s:26} {row.peer:9} {row.theirs * 1e3:10.3f} {row.ours * 1e3:10.3f} "
        f"{row.value:7.2f}x  [{row.low:.2f} {row.high:.2f}]  {row.path} {row.note}".rstrip()
    )


def head(title: str) -> None:
    """Print the title of a group of rows, and what their columns are."""
    print(f"\n{title}")
    print(
        f"{'(B, T, I, H)':26} {'peer':9} {'peer ms':>10} {'ours ms':>10} {'ratio':>8}  [quartiles]"
    )


def mean(values: Iterable[float]) -> float:
    """Return the geometric mean."""
    values = list(values)
    return math.exp(sum(map(math.log, values)) / len(values))


def close(rows: Sequence[Row]) -> None:
    """Print the mean and the worst of a group of rows, peer by peer."""
    for peer in dict.fromkeys(row.peer for row in rows):
        ratios = [row.value for row in rows if row.peer == peer and not math.isnan(row.value)]
        if ratios:
            print(
                f"against {peer}: geometric mean {mean(ratios):.2f}x, worst {min(ratios):.2f}x",
                flush=True,
            )


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch, and so our engine, use so many threads inside."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def clock(name: str) -> str:
    """Return the name of a clock, after choosing it."""
    if name not in CLOCKS:
        raise argparse.ArgumentTypeError(f"{name!r}; known: {', '.join(CLOCKS)}")
    measure_by(name)
    return name


def parser(doc: str | None, seconds: float = 1.0, lists: bool = True) -> argparse.ArgumentParser:
    """Return a parser with the options that every table has."""
    made = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--cells", nargs="+", default=list(CELLS), choices=CELLS, type=str.lower)
    made.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    made.add_argument("--seconds", type=float, default=seconds, help="for each row")
    made.add_argument(
        "--clock",
        type=clock,
        default="wall",
        help="wall; or processor, for one thread on a machine that is not quiet",
    )
    if lists:
        made.add_argument("--shapes", default="design", choices=list(LISTS))
        made.add_argument("--only", type=int, nargs="+", help="indices of shapes")
    return made


def chosen(given: argparse.Namespace) -> tuple[Shape, ...]:
    """Return the shapes that the options name."""
    shapes = LISTS[given.shapes]
    return tuple(shapes[i] for i in given.only) if given.only else shapes
