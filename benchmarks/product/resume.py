"""The same bits after 0, 1 and 2 interruptions by kill -9, through the command line.

    python -m benchmarks.product.resume

A run of `relembra forecast` on made-up monthly series is killed at random moments and resumed; the
hashes of the final weights and of the forecast are printed.
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


def command(data: Path, out: Path, *more: str) -> list[str]:
    """Return the command line of a run."""
    words = ["forecast", str(data), "--out", str(out), "--threads", "1", "--quiet", *more]
    return [sys.executable, "-m", "relembra", *words]


def weights_hash(path: Path) -> str:
    """Return a hash over all tensors of a model file."""
    digest = hashlib.sha256()
    with safe_open(path, framework="np") as file:
        for name in sorted(file.keys()):
            digest.update(name.encode() + file.get_tensor(name).tobytes())
    return digest.hexdigest()[:16]


def run(data: Path, out: Path, kills: int, seconds: float, draw: random.Random) -> list[float]:
    """Run to the end with so many interruptions; return when they came."""
    moments = []
    for k in range(kills):
        process = subprocess.Popen(command(data, out, *(["--resume"] if k else [])))
        # Not before the first checkpoint can exist, and never near the end.
        moments.append(draw.uniform(0.35, 0.75) * seconds / kills)
        time.sleep(moments[-1])
        process.kill()
        process.wait()
    subprocess.run(command(data, out, *(["--resume"] if kills else [])), check=True)
    return moments


def main() -> None:
    """Print one row for each number of interruptions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    draw = random.Random(parser.parse_args().seed)
    table = Table("interruptions", "killed after (s)", "weights", "forecast.csv")
    with tempfile.TemporaryDirectory() as place:
        data, seconds = Path(place, "sales.csv"), 0.0
        write_series(data)
        for kills in (0, 1, 2):
            out, began = Path(place, str(kills)), time.perf_counter()
            moments = run(data, out, kills, seconds, draw)
            seconds = seconds or time.perf_counter() - began
            forecast = hashlib.sha256((out / "forecast.csv").read_bytes()).hexdigest()[:16]
            when = ", ".join(f"{m:.1f}" for m in moments)
            table.add_row(str(kills), when, weights_hash(out / "model.safetensors"), forecast)
    Console().print(table)


if __name__ == "__main__":
    main()
