"""Multivariate sequences of the UEA archive (Bagnall et al. 2018), on its own splits.

    python -m benchmarks.quality.uea --data DATA/seq_classification/uea --seeds 0 1 2

JapaneseVowels ships with sktime. Training stops by a part of the training data; the test data is
looked at once.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.quality._scores import Score, json_option, write_scores
from relembra.tasks import Classifier
from relembra.tasks.classify import LabelledRows, read_labelled

SETS = ("ERing", "Epilepsy", "Libras", "RacketSports", "JapaneseVowels")


def read(folder: Path, name: str, part: str) -> LabelledRows:
    """Return one part of a set."""
    if name != "JapaneseVowels":
        return read_labelled(folder / f"{name}.npz", part=part)
    import sktime

    here = Path(sktime.__file__).parent / "datasets" / "data" / name
    return read_labelled(here / f"{name}_{part.upper()}.ts")


def main() -> None:
    """Print the accuracy of each set and seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    json_option(parser)
    args = parser.parse_args()
    listed: list[Score] = []
    torch.set_num_threads(1)
    for name in args.sets:
        train, test = (read(args.data, name, part) for part in ("train", "test"))
        scores = []
        began = time.process_time()
        for seed in args.seeds:
            model = Classifier().set_params(training__seed=seed, training__batch_size=32)
            scores.append(model.fit(train.rows, train.labels).score(test.rows, test.labels))
        seconds = (time.process_time() - began) / len(scores)
        found = " ".join(f"{score:.4f}" for score in scores)
        print(f"{name}: {found}, mean {np.mean(scores):.4f}, {seconds:.0f} s of one core a seed",
              flush=True)  # fmt: skip
        listed += [
            {"data": name, "model": model.trunk.cell, "seed": seed, "accuracy": score}
            for seed, score in zip(args.seeds, scores, strict=True)
        ]
    write_scores(args, listed)


if __name__ == "__main__":
    main()
