"""Spoken digits (FSDD): the official split, and one speaker held out of six.

    python -m benchmarks.quality.fsdd --data DATA/ctc/fsdd --seeds 0 1 2
    python -m benchmarks.quality.fsdd --data DATA/ctc/fsdd --split speakers

Ten digits, six speakers, fifty recordings of each. Recordings 0 to 4 are the official test part.
Settings were chosen on parts of the training data: recordings 5 to 9, and a second speaker held
out where one is. Needs the extra `quality`.
"""

from __future__ import annotations

import argparse
import io
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.quality._classifying import report
from benchmarks.quality._packages import needed
from benchmarks.quality._scores import json_option, write_scores
from relembra.data import Audio
from relembra.tasks import Classifier

RATE, TESTED = 8000, 5
STEPS = {"official": 3000, "speakers": 1500}


@dataclass(frozen=True)
class Recording:
    """A spoken digit."""

    digit: str
    speaker: str
    number: int
    samples: np.ndarray[Any, Any]


def read(path: Path) -> list[Recording]:
    """Return the recordings of the archive, in the order of their names."""
    found, soundfile = [], needed("soundfile")
    with tarfile.open(path, "r:xz") as archive:
        for member in archive:
            file = archive.extractfile(member)
            if file is None or not member.name.endswith(".wav"):
                continue
            samples, rate = soundfile.read(io.BytesIO(file.read()), dtype="float32")
            assert rate == RATE
            digit, speaker, number = Path(member.name).stem.split("_")
            found.append(Recording(digit, speaker, int(number), samples))
    return sorted(found, key=lambda one: (one.digit, one.speaker, one.number))


def model(train: list[Recording], seed: int, steps: int) -> Classifier:
    """Return the classifier."""
    feature = Audio.fit([one.samples for one in train], rate=RATE, hop=0.0125, bands=24)
    return Classifier(feature).set_params(
        training__seed=seed,
        training__steps=steps,
        training__evaluate_every=250,
        trunk__units=128,
        trunk__dropout=0.4,
        embedding__convolutions=1,
        embedding__tempo=0.25,
        embedding__warp=0.15,
        embedding__step_mask=0.1,
    )


def score(
    train: list[Recording], test: list[Recording], seed: int, steps: int
) -> tuple[float, float]:
    """Return the accuracy, and the seconds of training."""
    began = time.process_time()
    x, y = [one.samples for one in train], [one.digit for one in train]
    fitted = model(train, seed, steps).fit(x, y)
    seconds = time.process_time() - began
    return float(fitted.score([one.samples for one in test], [one.digit for one in test])), seconds


def parts(every: list[Recording], split: str, tune: bool) -> list[tuple[str, Any, Any]]:
    """Return names, training parts and test parts."""
    if split == "official":
        first = TESTED if tune else 0
        early = [one for one in every if one.number >= first + TESTED]
        late = [one for one in every if first <= one.number < first + TESTED]
        return [("official", early, late)]
    names = sorted({one.speaker for one in every})
    found = []
    for speaker, other in zip(names, names[1:] + names[:1], strict=True):
        away = {speaker, other} if tune else {speaker}
        heard = other if tune else speaker
        early = [one for one in every if one.speaker not in away]
        found.append((f"without {heard}", early, [one for one in every if one.speaker == heard]))
    return found


def main() -> None:
    """Print the accuracy of each part and seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--split", choices=("official", "speakers"), default="official")
    parser.add_argument("--steps", type=int, help="of training [default: by the split]")
    parser.add_argument("--tune", action="store_true", help="score on parts of the training part")
    json_option(parser)
    args = parser.parse_args()
    torch.set_num_threads(1)
    every = read(args.data / "fsdd_recordings.tar.xz")
    rows, scores = [], []
    for name, train, test in parts(every, args.split, args.tune):
        for seed in args.seeds:
            found, seconds = score(train, test, seed, args.steps or STEPS[args.split])
            print(f"{name}, seed {seed}: {found:.4f}", flush=True)
            rows.append((f"{name}, seed {seed}", found, seconds))
            scores.append({"data": name, "model": "lstm", "seed": seed, "accuracy": found})
    write_scores(args, scores)
    report("FSDD" + " (tuning)" * args.tune, rows)


if __name__ == "__main__":
    main()
