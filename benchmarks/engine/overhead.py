"""What a call costs beside the arithmetic: the smallest calls, B = T = I = 1, against torch.nn.

    python -m benchmarks.engine.overhead --cells lstm gru rnn

One thread. Microseconds a call, medians; behind the ratio its quartiles over the rounds.
"""

from collections.abc import Iterable, Sequence

from benchmarks.engine import table
from benchmarks.engine.table import Row
from benchmarks.engine.training_step import measure

UNITS = (1, 2, 4, 8, 16, 32)
MODES = ("infer", "train")


def run(
    *, cells: Iterable[str], seconds: float, units: Sequence[int] = UNITS, least: int = 5
) -> list[Row]:
    """Print one group of rows for each cell and mode, and return them."""
    rows: list[Row] = []
    for cell, mode in ((c, m) for c in cells for m in MODES):
        print(
            f"\n{cell} {mode}, B = T = I = 1, 1 thread: H | torch µs | ours µs | ratio [quartiles]"
        )
        group = []
        for count in units:
            shape = (1, 1, 1, count)
            with table.threads(1):
                c, path = measure(cell, shape, mode, seconds, least)
            group.append(Row.of("overhead", f"{cell} {mode}", shape, 1, "torch", c, path))
            print(
                f"{count:4} {c.peer * 1e6:9.2f} {c.ours * 1e6:9.2f} {c.ratio:6.2f}x  "
                f"[{c.low:.2f} {c.high:.2f}]  {path}",
                flush=True,
            )
        table.close(group)
        rows += group
    return rows


def main() -> None:
    """Print the tables."""
    given = table.parser(__doc__, lists=False).parse_args()
    run(cells=given.cells, seconds=given.seconds)


if __name__ == "__main__":
    main()
