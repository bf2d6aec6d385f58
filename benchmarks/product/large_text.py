"""A text of 2 GB through `relembra train generate` in a process with a limit on its memory.

    python -m benchmarks.product.large_text
    python -m benchmarks.product.large_text --gigabytes 0.1 --limit 1.5

The text is made for the purpose (words drawn at random, in blocks that repeat) and deleted in the
end. The limit is the kernel's RLIMIT_DATA: all memory of the process's own, but not the pages of
mapped files, which the kernel takes back when it needs them. Beside the limit stand the sizes of
the text and of its tokens, and the peaks of own and of mapped pages that were resident.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

GB = 10**9
LETTERS = np.array(list("etaoinshrdlucmfwypvbgkq"))


def write(path: Path, size: int) -> None:
    """Write blocks of a quarter of a megabyte, drawn from 64, until there are so many bytes."""
    draw = np.random.default_rng(0)
    words = ["".join(draw.choice(LETTERS, draw.integers(2, 10))) for _ in range(20_000)]
    chances = 1 / np.arange(10, 10 + len(words))
    chances /= chances.sum()
    blocks = []
    for _ in range(64):
        lines = np.array_split(draw.choice(len(words), 40_000, p=chances), 4000)
        block = "".join(" ".join(words[i] for i in line) + ".\n" for line in lines)
        blocks.append(block[: size + 1])
    with path.open("w") as file:
        for number in draw.integers(0, len(blocks), size // len(blocks[0]) + 1):
            file.write(blocks[number])


def peaks(process: subprocess.Popen[bytes]) -> tuple[int, int]:
    """Return the largest resident bytes of its own memory, and of mapped files, as it runs."""
    own = mapped = 0
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        own = max(own, _bytes(lines.get("RssAnon")))
        mapped = max(mapped, _bytes(lines.get("RssFile")))
        time.sleep(0.1)
    return own, mapped


def _bytes(cell: str | None) -> int:
    return 0 if cell is None else 1024 * int(cell.split()[0])


def main() -> int:
    """Write the text, train under the limit, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--limit", type=float, default=2.0, help="GB of memory of its own")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--folder", type=Path, help="where there is room for twice the text")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        text, test, out = (Path(place, name) for name in ("text.txt", "test.txt", "run"))
        size = int(options.gigabytes * GB)
        if shutil.disk_usage(place).free < 3 * size:
            parser.error(f"{place} has no room for three times {options.gigabytes:g} GB")
        write(text, size)
        write(test, 10**4)
        words = ["train", "generate", str(text), "--test", str(test), "--out", str(out)]
        words += ["--steps", str(options.steps), "--units", "128", "--threads", "1"]
        limit = int(options.limit * GB)
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "relembra", *words],
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)),
        )
        own, mapped = peaks(process)
        tokens = sum(file.stat().st_size for file in out.glob("checkpoints/text-*"))
        table = Table("what", "GB", title=f"exit code {process.returncode}")
        for name, value in {
            "text": text.stat().st_size,
            "its tokens on disk": tokens,
            "limit on its own memory": limit,
            "peak of its own memory": own,
            "peak of mapped pages": mapped,
        }.items():
            table.add_row(name, f"{value / GB:.2f}")
        table.caption = f"{time.perf_counter() - began:.0f} s for {options.steps} steps and scores"
        Console().print(table)
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
