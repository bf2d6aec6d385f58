"""A table of 2 GB of labelled texts through `relembra train classify` in little memory.

    python -m benchmarks.product.large_table
    python -m benchmarks.product.large_table --gigabytes 0.3

The CSV is made for the purpose and deleted in the end. A row has some hundred words, drawn at
random, a number of its own, so that there are ever more different words, and a word that tells its
label. A smaller table is scored on. Beside the limit (see `limited`) stand the peaks of own and of
mapped pages that were resident; the texts and their ids lie in temporary files.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.product.limited import GB, check_room, made_up_words, run_limited, show

LABELS = ("good", "bad", "neither")
ROWS = 2000  # drawn at once


def write(path: Path, size: int, seed: int) -> int:
    """Write rows until there are so many bytes, and return how many there are."""
    words, chances = made_up_words(200_000, np.random.default_rng(0))
    ends, draw, rows = chances.cumsum(), np.random.default_rng(seed), 0
    with path.open("w") as file:
        file.write("text,label\n")
        while file.tell() < size:
            lengths = draw.integers(20, 180, ROWS)
            drawn = iter(np.searchsorted(ends, draw.random(lengths.sum())).tolist())
            for length, label in zip(lengths, draw.integers(0, 3, ROWS), strict=True):
                text = " ".join(words[i] for _, i in zip(range(length), drawn, strict=False))
                file.write(f"{rows} {text} was {LABELS[label]},{LABELS[label]}\n")
                rows += 1
    return rows


def main() -> int:
    """Write the tables, train under the limit, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--limit", type=float, default=2.0, help="GB of memory of its own")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--units", type=int, default=16)
    parser.add_argument("--folder", type=Path, help="where there is room for thrice the table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        table, test, out = (Path(place, name) for name in ("table.csv", "test.csv", "run"))
        size = int(options.gigabytes * GB)
        check_room(parser, place, 3 * size)
        rows = write(table, size, seed=1)
        write(test, 10**6, seed=2)
        words = ["train", "classify", str(table), "--test", str(test), "--out", str(out)]
        words += ["--steps", str(options.steps), "--units", str(options.units), "--no-compare"]
        limit = int(options.limit * GB)
        run = run_limited([*words, "--threads", "1"], limit)
        what = f"{options.steps} steps and scores, of {rows:,} rows"
        show(run, {"table": table.stat().st_size}, limit, what)
    return run.code


if __name__ == "__main__":
    sys.exit(main())
