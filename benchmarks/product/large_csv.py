"""Peak memory of reading, training and forecasting on 5 million rows in 10,000 series.

    python -m benchmarks.product.large_csv

The file is made for the purpose (daily sales; series, day, value). Each stage runs in a process of
its own and prints its resident peak; the columns in use take 8 bytes a value and 12 a row of keys.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

STAGES = {
    "imports alone": "",
    "read": "read_panel(path)",
    "read and train 20 steps": "Forecaster().set_params(training__steps=20).fit(path)",
    "read, train and forecast all": (
        "Forecaster(refit=False).set_params(training__steps=20).fit(path).forecast()"
    ),
}
PROGRAM = """
import sys, time, resource, torch, pyarrow.csv
from relembra.data import read_panel
from relembra.tasks import Forecaster
torch.set_num_threads(1)
path, began = sys.argv[1], time.perf_counter()
{stage}
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def write(path: Path, series: int, steps: int) -> None:
    """Write the file, series after series."""
    days = [str(d) for d in np.datetime64("2023-01-01") + np.arange(steps)]
    draw, week = np.random.default_rng(0), np.tile(np.arange(7), steps // 7 + 1)[:steps]
    with path.open("w") as file:
        file.write("item,day,sales\n")
        for s in range(series):
            values = np.round(draw.gamma(5.0, 4.0, steps) * (1 + week / 7), 1)
            file.writelines(
                f"item{s},{day},{value}\n" for day, value in zip(days, values, strict=True)
            )


def main() -> None:
    """Write the file, run the stages, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--steps", type=int, default=500)
    options = parser.parse_args()
    rows = options.series * options.steps
    table = Table(
        "stage", "seconds", "peak MB", title=f"{rows:,} rows in {options.series:,} series"
    )
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "sales.csv")
        write(path, options.series, options.steps)
        table.caption = f"The file has {path.stat().st_size / 1e6:.0f} MB."
        for name, stage in STAGES.items():
            began = time.perf_counter()
            program = PROGRAM.format(stage=stage)
            done = subprocess.run(
                [sys.executable, "-c", program, str(path)], check=True, capture_output=True
            )
            _, peak = done.stdout.split()
            table.add_row(name, f"{time.perf_counter() - began:.1f}", f"{int(peak) / 1e3:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
