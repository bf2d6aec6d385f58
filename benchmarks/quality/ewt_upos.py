"""Parts of speech of the Universal Dependencies' English Web Treebank, no pretrained vectors.

    python -m benchmarks.quality.ewt_upos --data DATA/sequence_labelling/ud --seeds 0 1 2

Gold words, the column UPOS. The development part alone says when to stop, and chose the settings;
the test part is scored once a seed. Beside: the most frequent tag of each word, and the same
network without memory, whose steps see their own word and its letters only. Known: 94 to 96 for
BiLSTM taggers on releases of this treebank, with and without pretrained vectors.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.quality._tagging import Part, arguments, run
from relembra.data import WordCharacters, read_tagged
from relembra.nn import Trunk
from relembra.tasks import Tagger
from relembra.tasks._sequence import Embedding
from relembra.training import Training


def read(folder: Path, name: str) -> Part:
    """Return the words and tags of train, dev or test."""
    data = read_tagged(folder / f"en_ewt-ud-{name}.conllu.xz", tag="upos")
    return data.tokens, data.tags


def recipe(train: Part, seed: int, cell: str, epochs: int) -> Tagger:
    """Return the tagger."""
    bidirectional = cell != "feedforward"
    return Tagger(
        WordCharacters.fit(train[0], least=2, least_character=2),
        embedding=Embedding(
            size=100, dropout=0.2, characters=50, character_units=100, unknown_rate=0.2
        ),
        trunk=Trunk(
            cell=cell, units=200, bidirectional=bidirectional, dropout=0.5, input_dropout=0.3
        ),
        training=Training(
            epochs=epochs,
            batch_size=32,
            learning_rate=2e-3,
            schedule="cosine",
            warmup=100,
            average=0.995,
            evaluate_every=None,
            patience=None,
            seed=seed,
        ),
    )


def main() -> None:
    """Train, tag the test part, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    options = arguments(parser, epochs=12)
    parts = [read(options.data, name) for name in ("train", "dev", "test")]
    run("EWT, UPOS, test part", recipe, parts, options)


if __name__ == "__main__":
    main()
