"""The classic small series and daily exchange rates: rolling-origin MASE beside the naive ones.

    python -m benchmarks.quality.classic_series --data DATA

Each series is forecast by itself with the defaults of `relembra forecast`; the eight exchange rates
are one set of series. What is tested lies at the end and is never seen in training.
"""

from __future__ import annotations

import argparse
import gzip
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.quality._scores import Score, json_option, write_scores
from relembra._config import replace
from relembra.data import Panel, read_panel
from relembra.tasks import Columns, Forecaster
from relembra.tasks.forecast import DEFAULT_TRAINING, DEFAULT_TRUNK, Backtest, backtest

CLASSIC = (
    "airline-passengers",
    "shampoo",
    "daily-min-temperatures",
    "monthly-sunspots",
    "monthly-car-sales",
    "monthly_champagne_sales",
    "monthly-writing-paper-sales",
    "monthly-robberies",
    "monthly-mean-temp",
    "daily-total-female-births",
)
CURRENCIES = ("AUD", "GBP", "CAD", "CHF", "CNY", "JPY", "NZD", "SGD")


def classic(folder: Path, name: str) -> Panel:
    """Return one of the classic series."""
    with zipfile.ZipFile(folder / "classic_csv" / "classic_csv.zip") as archive:
        inside = next(n for n in archive.namelist() if n.endswith(f"{name}.csv"))
        with tempfile.TemporaryDirectory() as place:
            return read_panel(archive.extract(inside, place))[0]


def exchange_rates(folder: Path) -> Panel:
    """Return the eight exchange rates, business days without dates."""
    with gzip.open(folder / "exchange_rate" / "exchange_rate.txt.gz", "rt") as file:
        rates = np.loadtxt(file, delimiter=",")
    return Panel.from_series(dict(zip(CURRENCIES, rates.T, strict=True)), "int")


def run(panel: Panel, cell: str, seed: int, **sizes: object) -> Backtest:
    """Backtest the defaults."""
    model = Forecaster(
        **sizes,  # type: ignore[arg-type]
        columns=Columns(),
        trunk=replace(DEFAULT_TRUNK, cell=cell),
        training=replace(DEFAULT_TRAINING, seed=seed),
    )
    return backtest(model, panel, compare=False)


def main() -> None:
    """Run all of them and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--cell", default="lstm")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--only", nargs="*", default=None)
    json_option(parser)
    options = parser.parse_args()
    listed: list[Score] = []
    if options.threads:
        torch.set_num_threads(options.threads)
    table = Table(title="Rolling-origin MASE (mean ± sd over seeds)", title_justify="left")
    for column in (
        "series",
        options.cell,
        "seasonal naive",
        "random walk",
        "80 % coverage",
        "steps",
        "windows",
        "seconds",
    ):
        table.add_column(column, justify="left" if column == "series" else "right")
    for name in (*CLASSIC, "exchange rates"):
        if options.only and name not in options.only:
            continue
        rates = name == "exchange rates"
        panel = exchange_rates(options.data) if rates else classic(options.data, name)
        sizes: dict[str, object] = {"horizon": 24, "seasons": (1,)} if rates else {}
        began = time.perf_counter()
        runs = [run(panel, options.cell, seed, **sizes) for seed in options.seeds]
        for seed, one in zip(options.seeds, runs, strict=True):
            listed += [
                {"data": name, "model": r["model"], "seed": seed, "MASE": r["mase"]}
                for r in one.scores.table()
            ]
        table.add_row(name, *row(runs, options.cell), f"{time.perf_counter() - began:.0f}")
    Console(width=120).print(table)
    write_scores(options, listed)


def row(runs: list[Backtest], cell: str) -> list[str]:
    """Return the cells of one series' row."""
    scores = [{r["model"]: r for r in one.scores.table()} for one in runs]
    ours = np.array([s[cell]["mase"] for s in scores])
    covered = np.mean([s[cell]["coverage_80"] for s in scores])
    first = scores[0]
    spread = f" ± {ours.std(ddof=1):.3f}" if len(ours) > 1 else ""
    naive = f"{first['seasonal naive']['mase']:.3f}" if "seasonal naive" in first else "–"
    steps = ", ".join(str(one.model.fitted_.steps) for one in runs)
    held = runs[0].held
    return [
        f"{ours.mean():.3f}{spread}", naive, f"{first['random walk']['mase']:.3f}",
        f"{covered:.2f}", steps, f"{held.count} of {held.horizon}",
    ]  # fmt: skip


if __name__ == "__main__":
    main()
