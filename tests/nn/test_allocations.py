"""A streamed step allocates nothing: counted by the C library's own tracing of allocations."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from relembra import _native, nn

CODE = """
import ctypes, sys, torch
from relembra import nn
layer = nn.{cell}
state = layer.start({rows})
x, out = torch.randn({rows}, 5), torch.empty({rows}, 9)
steps = int(sys.argv[1])
for _ in range(20):
    layer.step(x, state, out=out)
trace = ctypes.CDLL({library!r})
trace.mtrace()
for _ in range(steps):
    layer.step(x, state, out=out)
trace.muntrace()
"""
LINE = re.compile(r"^(@ .* )?[+<>] 0x", re.MULTILINE)  # what was taken, or moved


def library() -> str | None:
    """Return the C library's debugging malloc, where there is one (glibc 2.34 and later)."""
    for folder in ("/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/lib64", "/usr/lib"):
        path = Path(folder) / "libc_malloc_debug.so.0"
        if path.exists():
            return str(path)
    return None


def allocations(tmp_path: Path, cell: str, rows: int, steps: int) -> int:
    file = tmp_path / f"trace{steps}"
    code = CODE.format(cell=cell, rows=rows, library=library())
    subprocess.run(
        [sys.executable, "-c", code, str(steps)],
        env=os.environ | {"LD_PRELOAD": str(library()), "MALLOC_TRACE": str(file)},
        check=True,
    )
    return len(LINE.findall(file.read_text()))


CELLS = ("LSTM(5, 9, 2)", "GRU(5, 9, 2)")


# Elsewhere only the core's own counter is left.
@pytest.mark.parametrize("cell", CELLS if library() else ())
def test_no_allocation_by_anyone(cell, tmp_path):
    few, many = (allocations(tmp_path, cell, 3, steps) for steps in (10, 1010))
    assert few > 0  # the trace is at work: ctypes itself allocates
    assert many - few < 10


def test_no_block_of_the_core():
    layer = nn.LSTM(3, 50, 2)
    state = layer.start(4)
    x, out = torch.randn(4, 3), torch.empty(4, 50)
    layer.step(x, state, out=out)
    before = _native.memory_use()["blocks"]
    for _ in range(10):
        layer.step(x, state, out=out)
    assert _native.memory_use()["blocks"] == before
    layer(x[None])
    assert _native.memory_use()["blocks"] > before  # the counter counts
