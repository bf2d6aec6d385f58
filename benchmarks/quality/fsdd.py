"""Spoken digits (FSDD): the official split, and one speaker held out of six.

    python -m benchmarks.quality.fsdd --data DATA/ctc/fsdd --seeds 0 1 2
    python -m benchmarks.quality.fsdd --data DATA/ctc/fsdd --split speakers

Ten digits, six speakers, fifty recordings of each. Recordings 0 to 4 are the official test part.
Settings were chosen on parts of the training data: recordings 5 to 9, and a second speaker held
out where one is. Needs the extra `quality`.

Where a speaker is held out, five voices and five microphones are few to learn from: the training
recordings come five times, four of them played at another speed, cut at other places, with another
tilt of the spectrum, and with noise (Ko et al., "Audio augmentation for speech recognition", 2015).
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
COPIES = 4  # of a recording, each otherwise
STEPS = {"official": 3000, "speakers": 1500}


Samples = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Recording:
    """A spoken digit."""

    digit: str
    speaker: str
    number: int
    samples: Samples


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


def varied(samples: Samples, random: np.random.Generator) -> Samples:
    """Return a recording as another voice, microphone and room might have made it."""
    librosa, lfilter = needed("librosa"), needed("scipy.signal").lfilter
    speed = np.exp(random.uniform(-0.2, 0.2))
    samples = librosa.resample(samples, orig_sr=RATE, target_sr=round(RATE * speed))
    # The edges: what is louder than 17 to 35 decibels under the loudest 20 ms, 10 ms around it,
    # and silence of 40 and 50 ms on average.
    power = np.convolve(samples**2, np.ones(160) / 160, "same")
    (loud,) = np.nonzero(power > power.max() * 10 ** -random.uniform(1.7, 3.5))
    samples = samples[max(loud[0] - 80, 0) : loud[-1] + 80]
    samples = np.pad(samples, (int(random.exponential(300)), int(random.exponential(400))))
    if random.random() < 0.7:
        samples = lfilter([1.0, -random.uniform(-0.6, 0.9)], [1.0], samples)
    noise = random.standard_normal(len(samples))
    noise = lfilter([1.0], [1.0, -random.uniform(0.0, 0.95)], noise)
    share = 10 ** (-random.uniform(12.0, 45.0) / 20)
    noise *= share * np.sqrt((samples**2).mean() / (noise**2).mean())
    return np.asarray(samples + noise, np.float32)


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
    train: list[Recording], test: list[Recording], seed: int, steps: int, copies: int
) -> tuple[float, float]:
    """Return the accuracy, and the seconds of training."""
    began = time.process_time()
    random, x, y = np.random.default_rng(seed), *_columns(train)
    x = x + [varied(samples, random) for _ in range(copies) for samples in x]
    fitted = model(train, seed, steps)
    if copies:  # a part held out would be copies of the rest, and tell nothing
        fitted.set_params(validation=0.0)
    fitted.fit(x, y * (1 + copies))
    seconds = time.process_time() - began
    return float(fitted.score(*_columns(test))), seconds


def _columns(recordings: list[Recording]) -> tuple[list[Samples], list[str]]:
    return [one.samples for one in recordings], [one.digit for one in recordings]


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
    copies = COPIES if args.split == "speakers" else 0
    rows, scores = [], []
    for name, train, test in parts(every, args.split, args.tune):
        for seed in args.seeds:
            found, seconds = score(train, test, seed, args.steps or STEPS[args.split], copies)
            print(f"{name}, seed {seed}: {found:.4f}", flush=True)
            rows.append((f"{name}, seed {seed}", found, seconds))
            scores.append({"data": name, "model": "lstm", "seed": seed, "accuracy": found})
    write_scores(args, scores)
    report("FSDD" + " (tuning)" * args.tune, rows)


if __name__ == "__main__":
    main()
