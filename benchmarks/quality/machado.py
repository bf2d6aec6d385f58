"""Machado de Assis, characters: bits per character beside n-grams and `xz -9`.

    python -m benchmarks.quality.machado --data FOLDER

The works are read in the order of their files' names, lines of a paragraph joined. The last tenth
is scored; all models, n-grams and xz, too, learn from the nine tenths before it. Settings are
chosen by `--tune`, which learns from the first eight tenths and scores on the ninth alone.
"""

from __future__ import annotations

import argparse
import re
import time
import zipfile
from pathlib import Path

import torch

from benchmarks.quality._language import Row, baseline_rows, listed, show
from benchmarks.quality._scores import json_option, write_scores
from relembra.nn import Trunk
from relembra.tasks import LanguageModel
from relembra.tasks.generate import Language
from relembra.training import Evaluated, Event, ProgressBar, Training

_WRAPPED = re.compile(r"(?<=\S)[ \t]*\n[ \t]*(?=\S)")


def recipe(seed: int, steps: int) -> LanguageModel:
    """Return the model; about 0.22 s a step on one core with AVX-512."""
    return LanguageModel(
        length=128,
        least=20,
        language=Language(embedding=128),
        trunk=Trunk(cell="lstm", units=512, dropout=0.1),
        training=Training(
            steps=steps,
            batch_size=32,
            learning_rate=4e-3,
            optimizer="adamw",
            weight_decay=1e-2,
            schedule="cosine",
            warmup=50,
            average=0.99,
            evaluate_every=500,
            patience=None,
            seed=seed,
        ),
    )


def read(folder: Path) -> str:
    """Return all works as one text."""
    path = folder / "machado.zip"
    with zipfile.ZipFile(path) as archive:
        names = sorted(n for n in archive.namelist() if n.endswith(".txt"))
        works = [archive.read(name).decode("utf-8") for name in names]
    lines = [work.replace("\r\n", "\n") for work in works]
    return "\n\n".join(_WRAPPED.sub(" ", work) for work in lines)


def print_scores(event: Event) -> None:
    """Print what each evaluation found."""
    if isinstance(event, Evaluated):
        row = event.row
        print(f"step {row.step}: training {row.train_loss:.4f}, validation {row.validation:.4f}",
              flush=True)  # fmt: skip


def main() -> None:
    """Train, score, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tune", action="store_true", help="leave the test part alone")
    parser.add_argument("--limit", type=int, default=None, help="characters of the text to use")
    json_option(parser)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    text = read(options.data)[: options.limit]
    first, second = int(0.8 * len(text)), int(0.9 * len(text))
    training, validation, test = text[:first], text[first:second], text[second:]
    rows = [] if options.tune else baseline_rows(training + validation, test, (5,))
    for seed in options.seeds:
        began = time.process_time()
        model = recipe(seed, options.steps)
        if options.tune:  # a part of the tenth tells enough
            model.fit(training, validation=validation[:100_000], subscribers=[print_scores])
            continue
        model.set_params(held_out=0.0)
        model.fit(training + validation, subscribers=[ProgressBar("training")])
        seconds = time.process_time() - began
        rows.append(Row(f"lstm, seed {seed}", model.evaluate(test), seconds, ""))
    if rows:
        show("Machado de Assis, last tenth", rows)
        write_scores(options, listed(rows))


if __name__ == "__main__":
    main()
