"""Text made for the purpose, and commands in a process with a limit on its memory.

The limit is the kernel's RLIMIT_DATA: all memory of the process's own, but not the pages of mapped
files, which the kernel takes back when it needs them. It also counts what is reserved and not used:
Arrow's usual allocator reserves a gigabyte at once, so the process takes the system's.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

__all__ = ["GB", "Run", "check_room", "made_up_words", "run_limited", "show"]

GB = 10**9
LETTERS = np.array(list("etaoinshrdlucmfwypvbgkq"))


def made_up_words(count: int, draw: np.random.Generator) -> tuple[list[str], np.ndarray]:
    """Return words of 2 to 9 letters, and how likely each is in text, in Zipf's manner."""
    words = ["".join(draw.choice(LETTERS, draw.integers(2, 10))) for _ in range(count)]
    chances = 1 / np.arange(10, 10 + len(words))
    return words, chances / chances.sum()


@dataclass(frozen=True)
class Run:
    """What became of a command.

    Attributes
    ----------
    code
        Its exit code.
    own, mapped
        The largest resident bytes of its own memory, and of mapped files, as it ran.
    seconds
        By the clock.
    """

    code: int
    own: int
    mapped: int
    seconds: float


def run_limited(words: list[str], limit: int) -> Run:
    """Run `relembra` with these words in a process that may take so many bytes."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "relembra", *words],
        env=os.environ | {"ARROW_DEFAULT_MEMORY_POOL": "system"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)),
    )
    own = mapped = 0
    for now, there in _resident(process):
        own, mapped = max(own, now), max(mapped, there)
    return Run(process.returncode, own, mapped, time.perf_counter() - began)


def _resident(process: subprocess.Popen[bytes]) -> Iterator[tuple[int, int]]:
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        yield _bytes(lines.get("RssAnon")), _bytes(lines.get("RssFile"))
        time.sleep(0.1)


def _bytes(cell: str | None) -> int:
    return 0 if cell is None else 1024 * int(cell.split()[0])


def check_room(parser: argparse.ArgumentParser, place: str, size: int) -> None:
    """End the program where a folder has no room for so many bytes."""
    if shutil.disk_usage(place).free < size:
        parser.error(f"{place} has no room for {size / GB:g} GB")


def show(run: Run, sizes: dict[str, int], limit: int, what: str) -> None:
    """Print a table of sizes, limit and peaks; `what` was done in the run's seconds."""
    table = Table("what", "GB", title=f"exit code {run.code}")
    peaks = {"peak of its own memory": run.own, "peak of mapped pages": run.mapped}
    for name, value in {**sizes, "limit on its own memory": limit, **peaks}.items():
        table.add_row(name, f"{value / GB:.2f}")
    table.caption = f"{run.seconds:.0f} s for {what}"
    Console().print(table)
