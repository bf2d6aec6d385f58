"""Sequences of the UEA and UCR archives (Bagnall et al. 2018; Dau et al. 2019), their own splits.

    python -m benchmarks.quality.uea --data DATA/seq_classification/uea --seeds 0 1 2

Every part of the recipe is the default of `relembra train classify`; the test data is looked at
once. Beside it: the label of the nearest training sequence by dynamic time warping (tslearn: all
channels warped together, no window, each channel standardised by the training data). The sets that
are not in DATA ship with sktime; its longest ones (ACSF1, OSULeaf, PLAID) can be named by --sets.
Both packages are of the extra `quality`.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.quality._packages import needed
from benchmarks.quality._scores import Score, json_option, write_scores
from relembra.data import Frames
from relembra.tasks import Classifier
from relembra.tasks.classify import LabelledRows, read_labelled

SETS = (
    "JapaneseVowels", "BasicMotions", "Epilepsy", "ERing", "Libras", "RacketSports", "ArrowHead",
    "GunPoint", "ItalyPowerDemand",
)  # fmt: skip


def read(folder: Path, name: str, part: str) -> LabelledRows:
    """Return one part of a set."""
    path = folder / f"{name}.npz"
    if path.exists():
        return read_labelled(path, part=part)
    here = Path(needed("sktime").__file__).parent / "datasets" / "data" / name
    return read_labelled(here / f"{name}_{part.upper()}.ts")


def nearest_by_warping(train: LabelledRows, test: LabelledRows) -> float:
    """Return the accuracy of the nearest neighbour by dynamic time warping."""
    metrics, utils = needed("tslearn.metrics"), needed("tslearn.utils")
    feature = Frames.fit(train.rows)
    early, late = (
        utils.to_time_series_dataset(
            [encoded.batch([row]).values["frames"][0].numpy() for row in range(len(data))]
        )
        for data in (train, test)
        for encoded in [feature.encode(data.rows)]
    )
    nearest = metrics.cdist_dtw(late, early).argmin(1)
    return float(np.mean(train.labels[nearest] == test.labels))


def main() -> None:
    """Print the accuracy of each set and seed, and the mean ranks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    json_option(parser)
    args = parser.parse_args()
    needed("tslearn.metrics")
    listed: list[Score] = []
    torch.set_num_threads(1)
    ours, theirs = [], []
    for name in args.sets:
        train, test = (read(args.data, name, part) for part in ("train", "test"))
        scores = []
        began = time.process_time()
        for seed in args.seeds:
            model = Classifier().set_params(training__seed=seed)
            scores.append(model.fit(train.rows, train.labels).score(test.rows, test.labels))
        seconds = (time.process_time() - began) / len(scores)
        ours.append(float(np.mean(scores)))
        theirs.append(nearest_by_warping(train, test))
        found = " ".join(f"{score:.4f}" for score in scores)
        print(f"{name}: {found}, mean {ours[-1]:.4f}, spread {np.std(scores):.4f}; DTW-1NN "
              f"{theirs[-1]:.4f}; {seconds:.0f} s of one core a seed", flush=True)  # fmt: skip
        listed += [
            {"data": name, "model": model.recipe_.trunk.cell, "seed": seed, "accuracy": score}
            for seed, score in zip(args.seeds, scores, strict=True)
        ] + [{"data": name, "model": "DTW-1NN", "accuracy": theirs[-1]}]
    write_scores(args, listed)
    better = np.sign(np.array(ours) - np.array(theirs))
    print(f"mean accuracy {np.mean(ours):.4f}, DTW-1NN {np.mean(theirs):.4f}; mean rank "
          f"{np.mean(1.5 - better / 2):.2f}, DTW-1NN {np.mean(1.5 + better / 2):.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
