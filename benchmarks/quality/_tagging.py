"""What the tagging recipes share: train for each seed, score the test part, print the table."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.quality._scores import Score, json_option, write_scores
from relembra.evaluation import MostFrequentTag, span_scores
from relembra.tasks import Tagger
from relembra.training import Evaluated, Event

Part = tuple[Any, Any]
Recipe = Callable[[Part, int, str, int], Tagger]


def arguments(parser: argparse.ArgumentParser, epochs: int) -> argparse.Namespace:
    """Add the options that all recipes have, and read the command line."""
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dev", action="store_true", help="score dev, and leave test alone")
    parser.add_argument(
        "--cells", nargs="+", default=["lstm", "feedforward"], help="feedforward has no memory"
    )
    json_option(parser)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    return options


class Watch:
    """Prints each evaluation, and knows the seconds of an epoch, its evaluation included."""

    def __init__(self, name: str, console: Console) -> None:
        self.name, self.console = name, console
        self.epochs, self.began, self.seconds = 0, time.perf_counter(), 0.0

    def __call__(self, event: Event) -> None:
        """Take an event of the training."""
        if not isinstance(event, Evaluated):
            return
        self.epochs += 1
        self.seconds = (time.perf_counter() - self.began) / self.epochs
        error = event.row.validation
        found = f"loss {event.row.train_loss:.4f}" if error is None else f"held out {1 - error:.4f}"
        self.console.print(
            f"{self.name}, epoch {self.epochs}: {found}, {self.seconds:.1f} s an epoch",
            highlight=False,
        )


def accuracy(truth: Sequence[Sequence[Any]], found: Sequence[Sequence[Any]]) -> float:
    """Return the share of right tags."""
    pairs = [a == b for t, f in zip(truth, found, strict=True) for a, b in zip(t, f, strict=True)]
    return sum(pairs) / len(pairs)


def run(
    title: str,
    recipe: Recipe,
    parts: Sequence[Part],
    options: argparse.Namespace,
    *,
    spans: bool = False,
    baseline: bool = True,
) -> None:
    """Train on the first of train, dev and test, stop by the second, score the third."""
    train, dev, test = parts
    judged = dev if options.dev else test
    console = Console(width=110)
    table = Table(title=title + " (dev)" * options.dev, title_justify="left")
    columns = ("model", "accuracy", *(["span F1"] if spans else []), "s an epoch")
    for column in columns:
        table.add_column(column, justify="left" if column == "model" else "right")

    listed: list[Score] = []

    def row(name: str, found: Any, seconds: str, **seed: int) -> list[float]:
        scores = [accuracy(judged[1], found)]
        if spans:
            scores.append(span_scores(judged[1], found).f1)
        table.add_row(name, *(f"{score:.4f}" for score in scores), seconds)
        measures = dict(zip(("token accuracy", "span F1"), scores, strict=False))
        listed.append({"model": name.split(", seed")[0], **seed, **measures})
        return scores

    if baseline:
        row("most frequent tag", MostFrequentTag.fit(*train).predict(judged[0]), "")
    for cell in options.cells:
        each = []
        for seed in options.seeds:
            watch = Watch(f"{cell}, seed {seed}", console)
            model = recipe(train, seed, cell, options.epochs)
            model.fit(*train, held_out=dev, subscribers=[watch])
            seconds = f"{watch.seconds:.1f}"
            each.append(row(watch.name, model.predict(judged[0]), seconds, seed=seed))
        if len(each) > 1:
            spread = [
                f"{statistics.mean(s):.4f} ± {statistics.stdev(s):.4f}"
                for s in zip(*each, strict=True)
            ]
            table.add_row(f"{cell}, mean ± sd", *spread, "")
    console.print(table)
    write_scores(options, listed)
