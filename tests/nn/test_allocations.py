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
import ctypes, torch
from relembra import nn
x, out = torch.randn(3, 5), torch.empty(3, 9)
layers = [nn.LSTM(5, 9, 2), nn.GRU(5, 9, 2)]
states = [layer.start(3) for layer in layers]
def steps(count):
    for _ in range(count):
        for layer, state in zip(layers, states):
            layer.step(x, state, out=out)
steps(20)
debug = ctypes.CDLL({library!r})
find = ctypes.CDLL(None).dlvsym  # the symbols are of old versions: not found by name alone
find.restype = ctypes.c_void_p
def call(name):
    handle = ctypes.c_void_p(debug._handle)
    found = [find(handle, name, v) for v in (b"GLIBC_2.2.5", b"GLIBC_2.17")]
    return ctypes.CFUNCTYPE(None)(next(address for address in found if address))
begin, end = call(b"mtrace"), call(b"muntrace")
begin()
bytearray(100_000)  # one that is counted
steps(1000)
end()
"""
LINE = re.compile(r"^(@ .* )?[+<>] 0x", re.MULTILINE)  # what was taken, or moved


def library() -> str | None:
    """Return the C library's debugging malloc, where there is one (glibc 2.34 and later)."""
    for folder in ("/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/lib64", "/usr/lib"):
        path = Path(folder) / "libc_malloc_debug.so.0"
        if path.exists():
            return str(path)
    return None


# Elsewhere only the core's own counter is left.
@pytest.mark.parametrize("debug", [path] if (path := library()) else [])
def test_no_allocation_by_anyone(debug, tmp_path):
    file = tmp_path / "trace"
    subprocess.run(
        [sys.executable, "-c", CODE.format(library=debug)],
        env=os.environ | {"LD_PRELOAD": debug, "MALLOC_TRACE": str(file)},
        check=True,
    )
    assert 1 <= len(LINE.findall(file.read_text())) < 10


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
