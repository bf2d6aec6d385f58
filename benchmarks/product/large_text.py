"""A text of 2 GB through `relembra train generate` in a process with a limit on its memory.

    python -m benchmarks.product.large_text
    python -m benchmarks.product.large_text --gigabytes 0.1 --limit 1.5

The text is made for the purpose (words drawn at random, in blocks that repeat) and deleted in the
end. Beside the limit (see `limited`) stand the sizes of the text and of its tokens, and the peaks
of own and of mapped pages that were resident.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.product.limited import GB, check_room, made_up_words, run_limited, show


def write(path: Path, size: int) -> None:
    """Write blocks of a quarter of a megabyte, drawn from 64, until there are so many bytes."""
    draw = np.random.default_rng(0)
    words, chances = made_up_words(20_000, draw)
    blocks = []
    for _ in range(64):
        lines = np.array_split(draw.choice(len(words), 40_000, p=chances), 4000)
        block = "".join(" ".join(words[i] for i in line) + ".\n" for line in lines)
        blocks.append(block[: size + 1])
    with path.open("w") as file:
        for number in draw.integers(0, len(blocks), size // len(blocks[0]) + 1):
            file.write(blocks[number])


def main() -> int:
    """Write the text, train under the limit, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--limit", type=float, default=2.0, help="GB of memory of its own")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--folder", type=Path, help="where there is room for three times the text")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        text, test, out = (Path(place, name) for name in ("text.txt", "test.txt", "run"))
        size = int(options.gigabytes * GB)
        check_room(parser, place, 3 * size)
        write(text, size)
        write(test, 10**4)
        words = ["train", "generate", str(text), "--test", str(test), "--out", str(out)]
        words += ["--steps", str(options.steps), "--units", "128", "--threads", "1"]
        limit = int(options.limit * GB)
        run = run_limited(words, limit)
        tokens = sum(file.stat().st_size for file in out.glob("checkpoints/text-*"))
        sizes = {"text": text.stat().st_size, "its tokens on disk": tokens}
        show(run, sizes, limit, f"{options.steps} steps and scores")
    return run.code


if __name__ == "__main__":
    sys.exit(main())
