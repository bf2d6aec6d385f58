"""What the recipes of language models share: baselines and the table."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.quality._scores import Score
from relembra.data import Characters, TextStream
from relembra.tasks.generate import LanguageScores, ngram_baseline, xz_baseline


class Row(NamedTuple):
    """A model and its score; `seconds` of training are summed over the cores."""

    name: str
    scores: LanguageScores
    seconds: float
    note: str


def baseline_rows(training: str, test: str, orders: tuple[int, ...] = (5, 8)) -> list[Row]:
    """Return n-grams of characters and xz, which know the training text."""
    feature = Characters.fit([training])
    parts = [TextStream(np.asarray(feature.ids(t)), len(t)) for t in (training, test)]
    found = [ngram_baseline(*parts, feature, order) for order in orders]
    found.append(xz_baseline(training, test, parts[1]))
    return [Row(b.name, b.scores, 0.0, b.note) for b in found]


def listed(rows: list[Row]) -> list[Score]:
    """Return the scores for `benchmarks.reproduce`."""
    found = []
    for row in rows:
        model, _, rest = row.name.partition(", seed ")
        seed, _, more = rest.partition(", ")
        score: Score = {"model": f"{model}, {more}" if more else model}
        score |= {"seed": int(seed)} if seed else {}
        bits, nats = row.scores.bits_per_character, row.scores.per_token
        found.append(score | {"bits per character": bits, "nats per token": nats})
    return found


def show(title: str, rows: list[Row]) -> None:
    """Print the table."""
    table = Table(title=title, title_justify="left")
    for column in ("model", "bits per character", "nats", "perplexity", "core seconds", "note"):
        table.add_column(column, justify="left" if column in ("model", "note") else "right")
    for row in rows:
        bits = row.scores.bits_per_character
        table.add_row(
            row.name,
            "" if bits is None else f"{bits:.4f}",
            f"{row.scores.per_token:.4f}",
            f"{row.scores.perplexity:.3f}",
            f"{row.seconds:.0f}" if row.seconds else "",
            row.note,
        )
    Console(width=140).print(table)
