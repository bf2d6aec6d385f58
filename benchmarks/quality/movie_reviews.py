"""Sentences of film reviews (Pang & Lee 2005), good or bad: ten folds.

    python -m benchmarks.quality.movie_reviews --data DATA/text_classification/mr_subj --seeds 0 1 2

Every part of the recipe is the default of `relembra train classify`. The folds are drawn by the
seed 0; each network stops by a tenth of its own training part, and never sees its fold.
"""

from __future__ import annotations

import argparse
import gzip
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.quality._scores import Score, json_option, write_scores
from relembra._random import generator
from relembra.tasks import Classifier
from relembra.tasks.classify import BagOfWords

# Kim 2014: a convolutional network from nothing.
PUBLISHED = {"CNN-rand": 0.761}


def read(folder: Path) -> tuple[list[str], np.ndarray]:
    """Return the sentences, and 1 for the good ones."""
    parts = []
    for name in ("mr.neg.txt.gz", "mr.pos.txt.gz"):
        with gzip.open(folder / name, "rt", encoding="utf-8", errors="replace") as file:
            parts.append(file.read().splitlines())
    return parts[0] + parts[1], np.repeat([0, 1], [len(part) for part in parts])


def main() -> None:
    """Print the accuracy of each fold and seed, beside bags of words."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--folds", type=int, nargs="+", default=list(range(10)))
    json_option(parser)
    args = parser.parse_args()
    scores: list[Score] = []
    torch.set_num_threads(1)
    texts, labels = read(args.data)
    place = generator(0, "folds").permutation(len(texts)) % 10
    ours, theirs = [], []
    for seed in args.seeds:
        for fold in args.folds:
            early, late = np.flatnonzero(place != fold), np.flatnonzero(place == fold)
            some, rest = [texts[i] for i in early], [texts[i] for i in late]
            began = time.process_time()
            model = Classifier().set_params(training__seed=seed).fit(some, labels[early])
            seconds = time.process_time() - began
            ours.append(model.score(rest, labels[late]))
            bag = BagOfWords(model.feature_, some, labels[early], share=0.1, seed=seed)
            theirs.append(float(np.mean(bag.predict(rest) == labels[late])))
            print(f"seed {seed}, fold {fold}: {ours[-1]:.4f}, bag of words {theirs[-1]:.4f}, "
                  f"{seconds:.0f} s of one core", flush=True)  # fmt: skip
        folds = -len(args.folds)
        for name, found in ((model.trunk.cell, ours), ("bag of words", theirs)):
            scores.append({"model": name, "seed": seed, "accuracy": np.mean(found[folds:])})
    write_scores(args, scores)
    print(f"mean {np.mean(ours):.4f}, bag of words {np.mean(theirs):.4f}; published {PUBLISHED}")


if __name__ == "__main__":
    main()
