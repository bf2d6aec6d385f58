"""Gestures strung together, where each begins and ends being known.

    python -m benchmarks.quality.gestures --data DATA/seq_classification/uea --seeds 0 1 2

ERing (4 channels of a finger ring, 6 gestures, 30 cases to learn from and 270 to score) and Libras
(the path of a hand, 15 signs of Brazilian sign language, 180 and 180) of the UEA archive. Cases are
strung together at random, five a film; a segment gets the tag with the greatest sum of logarithms
over its frames. Every test case stands in one film. Films of training are drawn anew and again from
the training cases, each case bent a little in time and size; a fifth of the cases is kept out of
them to choose settings with (--dev). Known, from memory, for single cases: DTW 0.915 and 0.870.
"""

from __future__ import annotations

import argparse
import statistics

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.quality._scores import Score, write_scores
from benchmarks.quality._tagging import Watch, arguments
from relembra.data import read_frames
from relembra.nn import Trunk
from relembra.tasks import Tagger
from relembra.tasks._sequence import Embedding, hold_out
from relembra.training import Training

SETS, TOGETHER = ("ERing", "Libras"), 5
COPIES = {"ERing": 40, "Libras": 12}  # how often a case is shown in an epoch
Films = tuple[list[np.ndarray], list[list[str]], list[list[tuple[int, int]]]]


def bent(frames: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Return a case (T, K) slower or faster here and there, of another size, with noise."""
    steps = len(frames)
    speed = np.exp(0.25 * np.repeat(draw.normal(size=6), -(-steps // 6))[:steps])
    when = np.cumsum(speed)
    when = (when - when[0]) / (when[-1] - when[0]) * (steps - 1)
    new = np.linspace(0, steps - 1, round(steps * draw.uniform(0.9, 1.1)))
    at = np.interp(new, np.arange(steps), when)
    scale = frames.std(0)
    moved = np.stack([np.interp(at, np.arange(steps), channel) for channel in frames.T], 1)
    moved = moved * draw.normal(1, 0.1, scale.shape) + draw.normal(0, 0.1, scale.shape) * scale
    return moved + draw.normal(0, 0.03, moved.shape) * scale


def with_moves(frames: np.ndarray) -> np.ndarray:
    """Return (T, 2 K): each channel, and how much it moved since the frame before."""
    return np.concatenate([frames, np.diff(frames, axis=0, prepend=frames[:1])], 1)


def films(cases: list[np.ndarray], labels: list[str], draw: np.random.Generator,
          *, copies: int = 0) -> Films:  # fmt: skip
    """String cases together: each once as it is, or bent in several copies."""
    order = np.concatenate([draw.permutation(len(cases)) for _ in range(max(copies, 1))])
    made: Films = ([], [], [])
    for some in np.array_split(order, -(-len(order) // TOGETHER)):
        parts = [with_moves(bent(cases[i], draw) if copies else cases[i]) for i in some]
        ends = np.cumsum([len(part) for part in parts]).tolist()
        made[0].append(np.concatenate(parts).astype(np.float32))
        made[1].append([labels[i] for i in some])
        made[2].append(list(zip([0, *ends[:-1]], ends, strict=True)))
    return made


def recipe(seed: int, cell: str, epochs: int) -> Tagger:
    """Return the tagger."""
    return Tagger(
        embedding=Embedding(convolutions=0 if cell == "feedforward" else 2),
        trunk=Trunk(cell=cell, units=64, bidirectional=cell != "feedforward", dropout=0.4),
        validation=0.0,
        training=Training(
            epochs=epochs,
            batch_size=8,
            learning_rate=3e-3,
            schedule="cosine",
            warmup=50,
            average=0.99,
            evaluate_every=None,
            patience=None,
            seed=seed,
        ),
    )


def score(name: str, cell: str, seed: int, options: argparse.Namespace) -> tuple[float, float]:
    """Return the segment accuracy, and the seconds of an epoch."""
    train, test = (read_frames(options.data / f"{name}.npz", part=p) for p in ("train", "test"))
    labels = train.labels or []
    rows = [train.frames[i] for i in range(len(labels))]
    judged = [test.frames[i] for i in range(len(test.frames))], test.labels or []
    if options.dev:
        kept, held = hold_out(len(rows), 0.2, seed, labels=labels)
        judged = [rows[i] for i in held], [labels[i] for i in held]
        rows, labels = [rows[i] for i in kept], [labels[i] for i in kept]
    draw = np.random.default_rng(seed)
    frames, tags, segments = films(rows, labels, draw, copies=COPIES[name])
    watch = Watch(f"{name}, {cell}, seed {seed}", Console(width=110))
    model = recipe(seed, cell, options.epochs).fit(
        frames, tags, segments=segments, subscribers=[watch]
    )
    seconds = watch.seconds
    frames, tags, segments = films(*judged, draw)
    return model.score(frames, tags, segments=segments), seconds


def main() -> None:
    """Train for each set and cell, print the table."""
    options = arguments(argparse.ArgumentParser(description=__doc__), epochs=8)
    scored: list[Score] = []
    table = Table(title="Gestures, test part" + " (dev)" * options.dev, title_justify="left")
    for column in ("set", "model", "segment accuracy", "s an epoch"):
        table.add_column(column, justify="left" if column in ("set", "model") else "right")
    for name in SETS:
        for cell in options.cells:
            each = []
            for seed in options.seeds:
                each.append(score(name, cell, seed, options))
                found, seconds = each[-1]
                row = {"data": name, "model": cell, "seed": seed, "segment accuracy": found}
                scored.append(row)
                table.add_row(name, f"{cell}, seed {seed}", f"{found:.4f}", f"{seconds:.1f}")
            if len(each) > 1:
                scores = [found for found, _ in each]
                mean = f"{statistics.mean(scores):.4f} ± {statistics.stdev(scores):.4f}"
                table.add_row(name, f"{cell}, mean ± sd", mean, "")
    Console(width=110).print(table)
    write_scores(options, scored)


if __name__ == "__main__":
    main()
