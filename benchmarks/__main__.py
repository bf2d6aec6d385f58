"""`make bench`: every benchmark that needs no data set; the others are named."""

from __future__ import annotations

from rich.console import Console

from benchmarks.product import facts, resume

ELSEWHERE = """These need data or more time; each prints a table:
  python -m benchmarks.quality.m4_hourly --data FOLDER/m4 --seeds 0 1 2
  python -m benchmarks.quality.classic_series --data FOLDER
  python -m benchmarks.product.large_csv
  python -m benchmarks.product.sdist
  python -m benchmarks.robustness.fuzz --minutes 10
  python -m benchmarks.robustness.soak
  python -m benchmarks.robustness.denormals"""


def main() -> None:
    """Run them one after the other."""
    facts.main()
    resume.main()
    Console(highlight=False).print(ELSEWHERE, markup=False)


if __name__ == "__main__":
    main()
