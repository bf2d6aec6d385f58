"""Characters of tiny Shakespeare: nats per character on the last tenth, which is never seen.

    python -m benchmarks.quality.tiny_shakespeare --data FOLDER

The last tenth is the validation set that everybody reports on. Here it is a test set: settings and
the number of steps are chosen by `--tune`, which learns from the first eight tenths and scores on
the ninth alone. Goal: 1.46 nats or fewer within 30 minutes on 2 cores.
"""

from __future__ import annotations

import argparse
import gzip
import time
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.quality._language import Row, baseline_rows, listed, show
from benchmarks.quality._scores import json_option, write_scores
from relembra.nn import Trunk
from relembra.tasks import LanguageModel
from relembra.tasks.generate import Dynamic, Language
from relembra.training import ProgressBar, Training

GOAL = 1.46
# From their repositories; the validation part is the same last tenth.
PUBLISHED = {"nanoGPT, A100, 3 minutes": 1.4697, "nanoGPT, CPU, 3 minutes": 1.88}


def recipe(seed: int, steps: int) -> LanguageModel:
    """Return the model; about 0.25 s a step on one core with AVX-512."""
    return LanguageModel(
        length=128,
        language=Language(embedding=128),
        trunk=Trunk(cell="lstm", units=512, dropout=0.3, weight_drop=0.2),
        training=Training(
            steps=steps,
            batch_size=32,
            learning_rate=4e-3,
            optimizer="adamw",
            weight_decay=1e-2,
            schedule="cosine",
            warmup=50,
            average=0.99,
            evaluate_every=250,
            patience=None,
            seed=seed,
        ),
    )


def read(folder: Path) -> tuple[str, str, str]:
    """Return the text to learn from, that to stop by, and that to score on."""
    path = folder / "input.txt.gz"
    text = gzip.open(path, "rt", encoding="utf-8").read()
    first, second = int(0.8 * len(text)), int(0.9 * len(text))
    return text[:first], text[first:second], text[second:]


def main() -> None:
    """Train, score, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dynamic", action="store_true", help="score with dynamic evaluation, too")
    parser.add_argument("--tune", action="store_true", help="leave the test part alone")
    json_option(parser)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    training, validation, test = read(options.data)
    rows = [] if options.tune else baseline_rows(training + validation, test)
    ours = []
    for seed in options.seeds:
        began = time.process_time()
        model = recipe(seed, options.steps)
        if options.tune:
            model.fit(training, validation=validation, subscribers=[ProgressBar("training")])
        else:  # on all nine tenths, for steps chosen by the curve of a tuning run
            model.set_params(held_out=0.0)
            model.fit(training + validation, subscribers=[ProgressBar("training")])
        seconds = time.process_time() - began
        if options.tune:
            best, last = model.history_.best, model.history_.rows[-1]
            said = f"validation {best.validation:.4f} at step {best.step}, {last.validation:.4f}"
            Console().print(f"seed {seed}: {said} at the end, {seconds:.0f} s")
            continue
        rows.append(Row(f"lstm, seed {seed}", model.evaluate(test), seconds, ""))
        ours.append(rows[-1].scores.per_token)
        if options.dynamic:
            dynamic = model.evaluate(test, dynamic=Dynamic())
            rows.append(Row(f"lstm, seed {seed}, dynamic evaluation", dynamic, seconds, ""))
    if rows:
        show("Tiny Shakespeare, last tenth", rows)
        published(np.array(ours))
        write_scores(options, listed(rows))


def published(ours: np.ndarray) -> None:
    """Print our mean and spread beside the goal and the published numbers."""
    table = Table(title="Nats per character", title_justify="left")
    for column in ("model", "nats"):
        table.add_column(column, justify="left" if column == "model" else "right")
    spread = f" ± {ours.std(ddof=1):.4f}" if len(ours) > 1 else ""
    table.add_row(f"ours, {len(ours)} seeds", f"{ours.mean():.4f}{spread}")
    table.add_row("goal", f"{GOAL}")
    for name, nats in PUBLISHED.items():
        table.add_row(name, f"{nats:.4f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
