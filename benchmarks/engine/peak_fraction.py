"""How much of the machine's own matrix-multiplication speed a training step reaches.

    python -m benchmarks.engine.peak_fraction --cells lstm gru rnn --threads 1 2

The peak is the best of many torch.mm of two square float32 matrices, for each number of threads,
looked for again between the rows: other work on the machine, or its clock, may hide it for a
while. Ours is the multiplications and additions of the products alone, forward and backward, over
the median time of a whole step (activations, packing and Python included). Shapes with H >= 128
and B >= 16. Behind the share its quartiles.
"""

import time
from collections.abc import Iterable, Sequence
from functools import partial

import torch

from benchmarks.engine import table
from benchmarks.engine.alternating import block, clocked, rest
from benchmarks.engine.shapes import Shape
from benchmarks.engine.table import Row
from benchmarks.engine.training_step import pair, training, work
from relembra.engine import explain

SIDES = (768, 1024, 1536, 2048)


def concerned(shapes: Iterable[Shape]) -> list[Shape]:
    """Return the shapes that the goal speaks of."""
    return [shape for shape in shapes if shape[3] >= 128 and shape[0] >= 16]


def peak(seconds: float, sides: Sequence[int] = SIDES) -> float:
    """Return the best rate of torch.mm in multiplications and additions a second."""
    best = 0.0
    rest()
    for side in sides:
        a, b, out = torch.randn(side, side), torch.randn(side, side), torch.empty(side, side)
        end = time.perf_counter() + seconds / len(sides)
        product = partial(torch.mm, a, b, out=out)
        product()
        while True:
            best = max(best, 2 * side**3 / clocked(product))
            if time.perf_counter() > end:
                break
    return best


def measure(cell: str, shape: Shape, seconds: float, least: int) -> tuple[list[float], str]:
    """Return the rates of the training step, block by block, sorted, and its path."""
    torch.manual_seed(0)
    x = torch.randn(*shape[:3])
    layer, _ = pair(cell, shape)
    step = training(layer, lambda: layer(x)[0])
    step()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < least or time.perf_counter() < end:
        times.append(block(step))
    return sorted(work(cell, shape, True) / t for t in times), explain(layer, x).path


def run(
    *,
    cells: Iterable[str],
    threads: Iterable[int],
    shapes: Sequence[Shape],
    seconds: float,
    least: int = 5,
    sides: Sequence[int] = SIDES,
) -> list[Row]:
    """Print one group of rows for each cell and number of threads, and return them."""
    rows: list[Row] = []
    cells = list(cells)
    for count in threads:
        with table.threads(count):
            best = peak(seconds, sides)
            found = []
            for cell, shape in ((c, s) for c in cells for s in shapes):
                found.append((cell, shape, *measure(cell, shape, seconds, least)))
                best = max(best, peak(seconds / 4, sides))
        print(f"\n{count} thread(s): torch.mm reaches {best / 1e9:.1f} GFLOP/s")
        for cell, shape, rates, path in found:
            quarter = len(rates) // 4
            middle, low, high = (rates[i] / best for i in (len(rates) // 2, quarter, -1 - quarter))
            note = f"{middle * best / 1e9:.1f} GFLOP/s"
            case = f"{cell} train"
            share = (middle, low, high)
            rows.append(Row("peak", case, shape, count, "mm", *share, path=path, note=note))
            print(
                f"{cell:5} {shape!s:22} {middle:6.1%}  [{low:.1%} {high:.1%}]  {note}  {path}",
                flush=True,
            )
    return rows


def main() -> None:
    """Print the tables."""
    given = table.parser(__doc__).parse_args()
    run(
        cells=given.cells,
        threads=given.threads,
        shapes=concerned(table.chosen(given)),
        seconds=given.seconds,
    )


if __name__ == "__main__":
    main()
