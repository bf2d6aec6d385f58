"""JSB chorales as piano rolls: nats per frame, summed over the 88 keys, on the official test part.

    python -m benchmarks.quality.jsb_chorales --data FOLDER

As Bai et al. (2018) count: every frame but the first of a chorale, the mean over all frames of the
part. The official validation part says when to stop, and chose the recipe. Goal: 8.25 or fewer.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.quality._scores import Score, json_option, write_scores
from relembra.nn import Trunk
from relembra.tasks import LanguageModel
from relembra.tasks.generate import Language
from relembra.training import ProgressBar, Training

GOAL = 8.25
# Bai, Kolter & Koltun 2018, table 1; Greff et al. 2017.
PUBLISHED = {"TCN (Bai)": 8.10, "LSTM (Greff)": 8.38, "GRU (Bai)": 8.43, "LSTM (Bai)": 8.45}


UNITS, DROPOUT, TRANSPOSE = 300, 0.3, 3  # without transposing it learns the chorales by heart


def recipe(seed: int, steps: int) -> LanguageModel:
    """Return the model."""
    return LanguageModel(
        outputs="frames",
        language=Language(transpose=TRANSPOSE),
        trunk=Trunk(cell="lstm", units=UNITS, dropout=DROPOUT),
        training=Training(
            steps=steps,
            batch_size=16,
            learning_rate=1e-2,
            optimizer="adamw",
            weight_decay=1e-2,
            schedule="cosine",
            warmup=20,
            average=0.99,
            evaluate_every=50,
            patience=None,
            seed=seed,
        ),
    )


def read(folder: Path) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Return the official training, validation and test parts."""
    from scipy.io import loadmat

    path = folder / "JSB_Chorales.mat"
    parts = loadmat(path)
    training, validation, test = (
        [np.asarray(rows, np.float32) for rows in parts[name][0]]
        for name in ("traindata", "validdata", "testdata")
    )
    return training, validation, test


def main() -> None:
    """Train, score, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tune", action="store_true", help="leave the test part alone")
    json_option(parser)
    options = parser.parse_args()
    listed: list[Score] = []
    torch.set_num_threads(options.threads)
    training, validation, test = read(options.data)
    table = Table(title="JSB chorales, nats per frame", title_justify="left")
    for column in ("model", "validation", "step", "test", "seconds"):
        table.add_column(column, justify="left" if column == "model" else "right")
    scores = []
    for seed in options.seeds:
        began = time.perf_counter()
        model = recipe(seed, options.steps)
        model.fit(training, validation=validation, subscribers=[ProgressBar("training")])
        seconds, best = time.perf_counter() - began, model.history_.best
        score = np.nan if options.tune else model.evaluate(test).per_token
        scores.append(score)
        measures = {"validation": best.validation, "test, nats per frame": score}
        listed.append({"model": "lstm", "seed": seed, **measures})
        cells = (f"{best.validation:.3f}", f"{best.step}", f"{score:.3f}", f"{seconds:.0f}")
        table.add_row(f"lstm, seed {seed}", *cells)
    if len(scores) > 1:
        spread = f"{np.mean(scores):.3f} ± {np.std(scores, ddof=1):.3f}"
        table.add_row("mean ± sd", "", "", spread, "")
    for name, nats in {"goal": GOAL, **PUBLISHED}.items():
        table.add_row(name, "", "", f"{nats:.2f}", "")
    Console(width=100).print(table)
    write_scores(options, listed)


if __name__ == "__main__":
    main()
