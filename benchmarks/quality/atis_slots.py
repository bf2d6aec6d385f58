"""Slots of the airline travel questions (ATIS): which words say from where, to where, when.

    python -m benchmarks.quality.atis_slots --data DATA/sequence_labelling/atis --seeds 0 1 2

The usual parts: 4,478 sentences to train on, 500 to stop by and to choose settings with, 893 to
score once a seed. Span F1 as conlleval and seqeval compute it. Known, from memory: 94.2 for an
attention BiRNN and 95.2 for the slot-gated one (Goo et al. 2018).
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

from benchmarks.quality._tagging import Part, arguments, run
from relembra.nn import Trunk
from relembra.tasks import Tagger
from relembra.tasks._sequence import Embedding
from relembra.training import Training


def read(folder: Path, name: str) -> Part:
    """Return the words and tags of train, valid or test."""

    def rows(side: str) -> list[list[str]]:
        with gzip.open(folder / f"atis.{name}.seq.{side}.gz", "rt", encoding="utf-8") as file:
            return [line.split() for line in file]

    return rows("in"), rows("out")


def recipe(train: Part, seed: int, cell: str, epochs: int) -> Tagger:
    """Return the tagger."""
    bidirectional = cell != "feedforward"
    return Tagger(
        embedding=Embedding(size=100, dropout=0.1, characters=24, character_units=32,
                            unknown_rate=0.1),
        trunk=Trunk(
            cell=cell, units=128, bidirectional=bidirectional, dropout=0.5, input_dropout=0.3
        ),
        repair=True,
        training=Training(
            epochs=epochs,
            batch_size=16,
            learning_rate=2e-3,
            schedule="cosine",
            warmup=100,
            average=0.995,
            evaluate_every=None,
            patience=None,
            seed=seed,
        ),
    )  # fmt: skip


def main() -> None:
    """Train, tag the test part, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    options = arguments(parser, epochs=20)
    parts = [read(options.data, name) for name in ("train", "valid", "test")]
    run("ATIS slots, test part", recipe, parts, options, spans=True)


if __name__ == "__main__":
    main()
