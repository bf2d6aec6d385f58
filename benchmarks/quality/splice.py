"""Splice junctions in DNA (UCI; StatLog's split): 2,000 to learn from, 1,186 to score on.

    python -m benchmarks.quality.splice --data DATA/music_genome_gesture/splice --seeds 0 1 2

Sixty letters each; the junction, if there is one, is in the middle: exon to intron, or back.
The defaults of `relembra train classify` were chosen by cross-validation within the training part.
"""

from __future__ import annotations

import argparse
import gzip
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.quality._scores import Score, json_option, write_scores
from relembra.tasks import Classifier

TRAINING = 2000
# StatLog (Michie, Spiegelhalter & Taylor 1994): error of the best of its methods.
PUBLISHED = {"radial basis functions": 0.041}


def read(folder: Path) -> tuple[list[str], np.ndarray]:
    """Return the sequences and what is in their middle."""
    with gzip.open(folder / "splice.tsv.gz", "rt") as file:
        rows = [line.split("\t") for line in file.read().splitlines()]
    return [row[1] for row in rows], np.array([row[0] for row in rows])


def model(seed: int) -> Classifier:
    """Return the classifier: the defaults for aligned letters, all of which it learns from."""
    return Classifier("symbols", validation=0.0).set_params(training__seed=seed)


def main() -> None:
    """Print the error of each seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    json_option(parser)
    args = parser.parse_args()
    scores: list[Score] = []
    torch.set_num_threads(1)
    letters, labels = read(args.data)
    errors = []
    for seed in args.seeds:
        began = time.process_time()
        fitted = model(seed).fit(letters[:TRAINING], labels[:TRAINING])
        errors.append(1 - fitted.score(letters[TRAINING:], labels[TRAINING:]))
        seconds = time.process_time() - began
        print(f"seed {seed}: error {errors[-1]:.4f}, {seconds:.0f} s of one core", flush=True)
        scores.append({"model": fitted.recipe_.trunk.cell, "seed": seed, "error": errors[-1]})
    write_scores(args, scores)
    print(f"mean {np.mean(errors):.4f}, spread {np.std(errors):.4f}; published {PUBLISHED}")


if __name__ == "__main__":
    main()
