"""What recipes of classification share: the course of a training, and the table of scores."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from relembra.training import Evaluated, Event


class Watch:
    """Prints each evaluation of the held-out part of the training data."""

    def __init__(self, name: str) -> None:
        self.name, self.began = name, time.process_time()

    def __call__(self, event: Event) -> None:
        """Take an event of the training."""
        if isinstance(event, Evaluated):
            row = event.row
            print(
                f"{self.name}, step {row.step}: loss {row.train_loss:.4f}, held out "
                f"{row.validation:.4f}, {time.process_time() - self.began:.0f} s",
                flush=True,
            )


def report(title: str, rows: Sequence[tuple[str, float, float]]) -> None:
    """Print names, accuracies and seconds of one core, and the mean."""
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for column in ("accuracy", "s of one core"):
        table.add_column(column, justify="right")
    for name, score, seconds in rows:
        table.add_row(name, f"{score:.4f}", f"{seconds:.0f}")
    if len(rows) > 1:
        scores = [score for _, score, _ in rows]
        spread = f"{statistics.mean(scores):.4f} ± {statistics.stdev(scores):.4f}"
        table.add_row("mean ± sd", spread, "")
    Console(width=110).print(table)
