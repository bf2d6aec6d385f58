"""One global network on the M4 Hourly set: 414 series, 48 hours ahead.

    python -m benchmarks.quality.m4_hourly --data DATA/m4 --seeds 0 1 2

Nothing is tuned on the test part: the number of steps and the widths of the intervals come from the
last 96 hours of each training series. The set has no usable dates, so no calendar is used.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import time
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.quality._scores import Score, json_option, write_scores
from relembra._config import replace
from relembra.data import Frequency, Panel
from relembra.evaluation import ForecastScores, seasonal_naive, seasonal_naive_quantiles
from relembra.nn import Trunk
from relembra.tasks import Forecaster
from relembra.tasks.forecast import DEFAULT_LEVELS, DEFAULT_TRAINING

SEASONS, HORIZON = (24, 168), 48
# Makridakis et al. 2020, from the competition's "Evaluation and Ranks.xlsx": MASE, sMAPE.
MEASURES = {"MASE": "mase", "sMAPE": "smape", "WQL": "wql", "80 % coverage": "coverage_80",
            "95 % coverage": "coverage_95"}  # fmt: skip
PUBLISHED = {
    "ES-RNN (the winner)": (0.893, 9.328),
    "competition's MLP benchmark": (2.607, 13.842),
    "competition's RNN benchmark": (3.048, 14.698),
    "Naive2": (2.395, 18.383),
}


def read(path: Path) -> dict[str, np.ndarray]:
    """Return the values of each series by its id."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    return {row[0]: np.array([float(v) for v in row[1:] if v]) for row in rows}


def recipe(cell: str, seed: int) -> Forecaster:
    """Return the forecaster; what is not named is the default of `relembra forecast`."""
    return Forecaster(
        HORIZON,
        context=336,
        seasons=SEASONS,
        trunk=Trunk(cell=cell, units=96, dropout=0.3),
        training=replace(DEFAULT_TRAINING, steps=900, warmup=90, evaluate_every=100, seed=seed),
    )


def score(
    scores: ForecastScores,
    name: str,
    train: dict[str, np.ndarray],
    test: dict[str, np.ndarray],
    points: np.ndarray,
    quantiles: np.ndarray,
) -> None:
    """Take in the forecasts (S, H) and their quantiles (S, H, Q) of one model."""
    for (series, history), point, spread in zip(train.items(), points, quantiles, strict=True):
        scores.add(
            name,
            series,
            len(history),
            test[series],
            point,
            spread,
            history,
            SEASONS[0],
        )


def main() -> None:
    """Train, forecast the test part, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--cell", default="lstm")
    parser.add_argument("--threads", type=int, default=None)
    json_option(parser)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    train, test = (read(options.data / f"Hourly-{part}.csv.gz") for part in ("train", "test"))
    scores, seconds = ForecastScores(DEFAULT_LEVELS), {}
    naive = [seasonal_naive(h, SEASONS[0], HORIZON) for h in train.values()]
    spread = [
        seasonal_naive_quantiles(h, SEASONS[0], HORIZON, DEFAULT_LEVELS) for h in train.values()
    ]
    score(scores, "seasonal naive", train, test, np.stack(naive), np.stack(spread))
    panel = Panel.from_series(train, Frequency("int"))
    for seed in options.seeds:
        name = f"{options.cell}, seed {seed}"
        began = time.perf_counter()
        model = recipe(options.cell, seed).fit(panel)
        forecast = model.forecast()
        seconds[name] = time.perf_counter() - began
        score(scores, name, train, test, forecast.median, forecast.quantiles)
    show(scores, seconds)
    write_scores(options, listed(scores))


def listed(scores: ForecastScores) -> list[Score]:
    """Return the scores for `benchmarks.reproduce`."""
    found = []
    for row in scores.table():
        model, _, seed = row["model"].partition(", seed ")
        measures = {name: row[key] for name, key in MEASURES.items()}
        found.append({"model": model, **({"seed": int(seed)} if seed else {}), **measures})
    return found


def show(scores: ForecastScores, seconds: dict[str, float]) -> None:
    """Print our rows and the published ones."""
    table = Table(title="M4 Hourly, test part", title_justify="left")
    for column in ("model", "MASE", "sMAPE", "WQL", "80 % coverage", "95 % coverage", "seconds"):
        table.add_column(column, justify="left" if column == "model" else "right")
    rows = scores.table()
    for row in rows:
        table.add_row(
            row["model"],
            f"{row['mase']:.3f}",
            f"{row['smape']:.3f}",
            f"{row['wql']:.4f}",
            f"{row['coverage_80']:.3f}",
            f"{row['coverage_95']:.3f}",
            f"{seconds[row['model']]:.0f}" if row["model"] in seconds else "",
        )
    ours = [row for row in rows if row["model"] in seconds]
    if len(ours) > 1:
        mean = {m: np.array([row[m] for row in ours]) for m in ("mase", "smape", "coverage_80")}
        table.add_row(
            f"mean ± sd of {len(ours)} seeds",
            *(f"{mean[m].mean():.3f} ± {mean[m].std(ddof=1):.3f}" for m in ("mase", "smape")),
            "",
            f"{mean['coverage_80'].mean():.3f}",
            "",
            "",
        )
    for name, (mase, smape) in PUBLISHED.items():
        table.add_row(name, f"{mase:.3f}", f"{smape:.3f}", "", "", "", "")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
