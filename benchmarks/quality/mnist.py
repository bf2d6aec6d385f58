"""MNIST's handwritten digits as sequences: row by row (28 steps) or pixel by pixel (784 steps).

    python -m benchmarks.quality.mnist --data DATA/seq_classification/mnist --seeds 0 1 2
    python -m benchmarks.quality.mnist --data DATA/seq_classification/mnist --order pixels

60,000 images to learn from, a twelfth of which stops the training; 10,000 to score on, looked at
once. No image is shifted, turned or made up. A step sees its row and, by convolutions, its
neighbours: four rows on either side and as many again; of pixels it sees the eight before it.
"""

from __future__ import annotations

import argparse
import gzip
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.quality._classifying import Watch, report
from benchmarks.quality._scores import json_option, write_scores
from relembra.tasks import Classifier

STEPS_AN_EPOCH = 430
# What the two orders need.
RECIPES: dict[str, dict[str, Any]] = {
    "rows": {
        "trunk__units": 128, "trunk__dropout": 0.3,
        "embedding__band_mask": 0.15, "embedding__step_mask": 0.15,
        "training__learning_rate": 3e-3,
    },
    "pixels": {
        "trunk__units": 128, "trunk__dropout": 0.1, "trunk__bidirectional": False,
        "embedding__convolutions": 1, "embedding__window": 9, "embedding__maps": 32,
        "embedding__map_dropout": 0.0,
        "training__learning_rate": 3e-3,
    },
}  # fmt: skip
EPOCHS = {"rows": 12, "pixels": 9}
PUBLISHED = {"rows": "LSTM 0.985 to 0.99", "pixels": "LSTM 0.872 to 0.989"}


def read(path: Path) -> np.ndarray[Any, Any]:
    """Return the array of an idx file."""
    with gzip.open(path) as file:
        raw = file.read()
    dimensions = raw[3]
    shape = np.frombuffer(raw, ">i4", dimensions, 4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def model(order: str, seed: int, epochs: int) -> Classifier:
    """Return the classifier for an order."""
    return Classifier(order, validation=1 / 12).set_params(
        training__seed=seed,
        training__batch_size=128,
        training__steps=epochs * STEPS_AN_EPOCH,
        training__evaluate_every=STEPS_AN_EPOCH,
        training__average=0.999,
        **RECIPES[order],
    )


def main() -> None:
    """Print the accuracy of each seed, with the time of training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--order", choices=list(RECIPES), default="rows")
    parser.add_argument("--epochs", type=int, help="[default: by the order]")
    parser.add_argument("--tune", action="store_true", help="score on the last 10,000 of training")
    json_option(parser)
    args = parser.parse_args()
    torch.set_num_threads(1)
    train, test = (
        (read(args.data / f"{part}-images-idx3-ubyte.gz"),
         read(args.data / f"{part}-labels-idx1-ubyte.gz"))
        for part in ("train", "t10k")
    )  # fmt: skip
    if args.tune:
        train, test = ([some[:-10000] for some in train], [some[-10000:] for some in train])
    rows, scores = [], []
    for seed in args.seeds:
        began = time.process_time()
        fitted = model(args.order, seed, args.epochs or EPOCHS[args.order])
        fitted.fit(*train, subscribers=[Watch(f"seed {seed}")])
        seconds = time.process_time() - began
        rows.append((f"seed {seed}", fitted.score(*test), seconds))
        cell = fitted.recipe_.trunk.cell
        scores.append({"model": cell, "seed": seed, "accuracy": rows[-1][1]})
    write_scores(args, scores)
    tuning = " (tuning)" * args.tune
    report(f"MNIST, {args.order}{tuning}; published: {PUBLISHED[args.order]}", rows)


if __name__ == "__main__":
    main()
