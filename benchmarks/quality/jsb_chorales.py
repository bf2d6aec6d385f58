"""JSB chorales as piano rolls: nats per frame, summed over the 88 keys, on the official test part.

    python -m benchmarks.quality.jsb_chorales --data FOLDER

As Bai et al. (2018) count: every frame but the first of a chorale, the mean over all frames of the
part. The official validation part says when to stop, and chose the recipe. Goal: 8.25 or fewer.

With the head ``keys`` the keys of a frame are independent, as in Bai's and Greff's networks; with
``chords`` each hears those below it, as in that of Boulanger-Lewandowski et al. (2012).
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
# Bai, Kolter & Koltun 2018, table 1; Greff et al. 2017; Boulanger-Lewandowski et al. 2012, table 1.
PUBLISHED = {
    "keys": {"TCN (Bai)": 8.10, "LSTM (Greff)": 8.38, "GRU (Bai)": 8.43, "LSTM (Bai)": 8.45},
    "chords": {"RNN-NADE (Boulanger-Lewandowski)": 5.56},
}
STEPS = {"keys": 5000, "chords": 2500}
CHORDS = {"keys": 0, "chords": 128}
DROPOUT = {"keys": 0.3, "chords": 0.5}
# Without transposing and dropping weights it learns the chorales by heart.
TRANSPOSE, WEIGHT_DROP = 5, 0.4


def recipe(seed: int, head: str = "keys", steps: int | None = None) -> LanguageModel:
    """Return the model."""
    return LanguageModel(
        outputs="frames",
        language=Language(transpose=TRANSPOSE, chords=CHORDS[head]),
        trunk=Trunk(cell="lstm", units=300, dropout=DROPOUT[head], weight_drop=WEIGHT_DROP),
        training=Training(
            steps=steps or STEPS[head],
            batch_size=16,
            learning_rate=1e-2,
            optimizer="adamw",
            weight_decay=1e-2,
            schedule="cosine",
            warmup=20,
            average=0.99,
            evaluate_every=100,
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
    parser.add_argument("--heads", nargs="+", choices=list(STEPS), default=list(STEPS))
    parser.add_argument("--steps", type=int, help="of training [default: by the head]")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tune", action="store_true", help="leave the test part alone")
    json_option(parser)
    options = parser.parse_args()
    listed: list[Score] = []
    torch.set_num_threads(options.threads)
    parts = read(options.data)
    table = Table(title="JSB chorales, nats per frame", title_justify="left")
    for column in ("model", "validation", "step", "test", "seconds"):
        table.add_column(column, justify="left" if column == "model" else "right")
    for head in options.heads:
        scores = []
        for seed in options.seeds:
            row, cells = score(parts, head, seed, options)
            listed.append(row)
            scores.append(row["test, nats per frame"])
            table.add_row(f"lstm, {head}, seed {seed}", *cells)
        if len(scores) > 1:
            spread = f"{np.mean(scores):.3f} ± {np.std(scores, ddof=1):.3f}"
            table.add_row(f"lstm, {head}, mean ± sd", "", "", spread, "")
        for name, nats in PUBLISHED[head].items():
            table.add_row(f"{head}: {name}", "", "", f"{nats:.2f}", "")
    table.add_row("goal", "", "", f"{GOAL:.2f}", "")
    Console(width=100).print(table)
    write_scores(options, listed)


def score(
    parts: tuple[list[np.ndarray], ...], head: str, seed: int, options: argparse.Namespace
) -> tuple[Score, tuple[str, ...]]:
    """Train, score; return the row for `benchmarks.reproduce`, and the cells of the table."""
    training, validation, test = parts
    began = time.perf_counter()
    model = recipe(seed, head, options.steps)
    model.fit(training, validation=validation, subscribers=[ProgressBar("training")])
    seconds, best = time.perf_counter() - began, model.history_.best
    nats = np.nan if options.tune else model.evaluate(test).per_token
    measures = {"validation": best.validation, "test, nats per frame": nats}
    row = {"data": head, "model": "lstm", "seed": seed, **measures}
    cells = (f"{best.validation:.3f}", f"{best.step}", f"{nats:.3f}", f"{seconds:.0f}")
    return row, cells


if __name__ == "__main__":
    main()
