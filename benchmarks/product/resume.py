"""The same bits after 0, 1 and 2 interruptions by kill -9, through the command line.

    python -m benchmarks.product.resume
    python -m benchmarks.product.resume --jobs classify tag generate

A run of each job on made-up data is killed at random moments and resumed; the hashes of the final
weights, and of the forecast, are printed.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from safetensors import safe_open


def write_series(path: Path) -> None:
    """Write five seasonal series of ten years."""
    noise = np.random.default_rng(0)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["shop", "month", "sales"])
        for shop in range(5):
            for t in range(120):
                value = 100 + t + 20 * np.sin(t * np.pi / 6 + shop) + noise.normal(0, 5)
                rows.writerow(
                    [f"shop {shop}", f"{2014 + t // 12}-{t % 12 + 1:02d}", round(value, 2)]
                )


def write_reviews(path: Path) -> None:
    """Write four hundred short reviews, good and bad."""
    draw = random.Random(0)
    with path.open("w") as file:
        file.write("label,text\n")
        for _ in range(400):
            mood = draw.choice(("good", "bad"))
            file.write(f"{mood},{draw.choice('the that a'.split())} film was {mood}\n")


def write_towns(path: Path) -> None:
    """Write three hundred journeys, the towns as spans."""
    draw, towns = random.Random(0), ("Rio", "Lima", "Roma", "Porto Alegre")
    with path.open("w") as file:
        for _ in range(300):
            first, *rest = draw.choice(towns).split()
            spans = [f"{first}\tB-town\n", *(f"{word}\tI-town\n" for word in rest)]
            file.write(f"{draw.choice(('to', 'from'))}\tO\n" + "".join(spans) + "\n")


def write_text(path: Path) -> None:
    """Write a text of a few sentences in random order."""
    draw, lines = random.Random(0), ("the quick queen quits quietly", "the red fox runs far")
    path.write_text("".join(draw.choice(lines) + "\n" for _ in range(600)))


JOBS: dict[str, tuple[Callable[[Path], None], str, list[str]]] = {
    "forecast": (write_series, "sales.csv", ["forecast"]),
    "classify": (write_reviews, "reviews.csv", ["train", "classify"]),
    "tag": (write_towns, "towns.conll", ["train", "tag", "--epochs", "30"]),
    "generate": (write_text, "text.txt", ["train", "generate", "--steps", "600", "--units", "64"]),
}


def command(verb: list[str], data: Path, out: Path, *more: str) -> list[str]:
    """Return the command line of a run."""
    words = [*verb, str(data), "--out", str(out), "--threads", "1", "--quiet", *more]
    return [sys.executable, "-m", "relembra", *words]


def weights_hash(path: Path) -> str:
    """Return a hash over all tensors of a model file."""
    digest = hashlib.sha256()
    with safe_open(path, framework="np") as file:
        for name in sorted(file.keys()):
            digest.update(name.encode() + file.get_tensor(name).tobytes())
    return digest.hexdigest()[:16]


def run(verb: list[str], data: Path, out: Path, kills: int, seconds: float,
        draw: random.Random) -> list[float]:  # fmt: skip
    """Run to the end with so many interruptions; return when they came."""
    moments = []
    for k in range(kills):
        process = subprocess.Popen(command(verb, data, out, *(["--resume"] if k else [])))
        # Not before the first checkpoint can exist, and never near the end.
        moments.append(draw.uniform(0.35, 0.75) * seconds / kills)
        time.sleep(moments[-1])
        process.kill()
        process.wait()
    subprocess.run(command(verb, data, out, *(["--resume"] if kills else [])), check=True)
    return moments


def main(arguments: list[str] | None = None) -> None:
    """Print one row for each job and number of interruptions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", nargs="+", choices=list(JOBS), default=["forecast"])
    options = parser.parse_args(arguments)
    draw = random.Random(options.seed)
    table = Table("job", "interruptions", "killed after (s)", "weights", "forecast.csv")
    with tempfile.TemporaryDirectory() as place:
        for job in options.jobs:
            write, name, verb = JOBS[job]
            data, seconds = Path(place, name), 0.0
            write(data)
            for kills in (0, 1, 2):
                out, began = Path(place, f"{job}-{kills}"), time.perf_counter()
                moments = run(verb, data, out, kills, seconds, draw)
                seconds = seconds or time.perf_counter() - began
                made, hashed = out / "forecast.csv", ""
                if made.exists():
                    hashed = hashlib.sha256(made.read_bytes()).hexdigest()[:16]
                when = ", ".join(f"{m:.1f}" for m in moments)
                table.add_row(
                    job, str(kills), when, weights_hash(out / "model.safetensors"), hashed
                )
    Console().print(table)


if __name__ == "__main__":
    main()
