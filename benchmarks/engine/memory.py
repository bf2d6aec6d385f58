"""Peak memory of a training step against torch.nn, and of very long sequences with recomputation.

    python -m benchmarks.engine.memory --cells lstm gru rnn --threads 1

Each figure is of a process of its own: the most resident memory (VmHWM, reset before) during three
steps, above what was resident when layer, input and the output's gradient were there and a small
layer had been trained once, so that code and thread pools are in. What a step takes is hence its
output, what is kept for backward, the gradients, and whatever the library holds on to. Linux only.
"""

import argparse
import ctypes
import gc
import math
import multiprocessing
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.engine.shapes import SHAPES
from relembra import _native, nn

LONG = (12_500, 25_000, 50_000, 100_000, 200_000)
Layer = tuple[str, str, dict[str, bool | int]]  # whose, which cell, options


def status(name: str) -> int:
    """A figure of this process in KiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    raise KeyError(name)


def train(layer: torch.nn.Module, x: torch.Tensor, upstream: torch.Tensor) -> None:
    """One step."""
    layer.zero_grad(set_to_none=True)
    layer(x)[0].backward(upstream)


def growth(layer: Layer, shape: tuple[int, int, int, int], threads: int) -> tuple[float, float]:
    """Peak growth of this process, and of what the core holds itself, in MiB."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    whose, cell, options = layer
    make: Callable[..., torch.nn.Module] = getattr(nn if whose == "ours" else torch.nn, cell)
    rows, steps, inputs, units = shape
    train(make(4, 16, batch_first=True), torch.randn(4, 3, 4), torch.randn(4, 3, 16))
    made = make(inputs, units, batch_first=True, **options)
    x, upstream = torch.randn(rows, steps, inputs), torch.randn(rows, steps, units)
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    before = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    _native.restart_peak()
    for _ in range(3):
        train(made, x, upstream)
    return (status("VmHWM") - before) / 1024, _native.memory_use()["peak"] / 2**20


def apart(layer: Layer, shape: tuple[int, int, int, int], threads: int) -> tuple[float, float]:
    """The same in a process of its own."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply(growth, (layer, shape, threads))


def against_torch(cell: str, threads: int, shapes: tuple[tuple[int, int, int, int], ...]) -> None:
    """Print a table; the ratio is ours over PyTorch's: below 1, ours takes less."""
    print(f"\n{cell}, {threads} thread(s): B T I H | torch MiB | ours MiB | ours / torch")
    ratios = []
    for shape in shapes:
        peer, _ = apart(("torch", cell.upper(), {}), shape, threads)
        ours, _ = apart(("ours", cell.upper(), {}), shape, threads)
        ratios.append(ours / peer)
        print(f"{shape!s:24} {peer:9.2f} {ours:9.2f} {ratios[-1]:7.2f}", flush=True)
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    print(f"{cell} {threads}: geometric mean {mean:.2f}, worst {max(ratios):.2f}")


def long_sequences(cell: str, threads: int) -> None:
    """Print what lies beside the output, with and without recomputation."""
    rows, inputs, units = 4, 16, 128
    print(f"\n{cell}, {threads} thread(s), B {rows}, I {inputs}, H {units}, MiB beside the output")
    print("       T | torch | all states | recompute=True | the core's own share of that")
    for steps in LONG:
        shape = (rows, steps, inputs, units)
        output = rows * steps * units * 4 / 2**20
        peer, _ = apart(("torch", cell.upper(), {}), shape, threads)
        full, _ = apart(("ours", cell.upper(), {}), shape, threads)
        part, held = apart(("ours", cell.upper(), {"recompute": True}), shape, threads)
        peer, full, part = (value - output for value in (peer, full, part))
        print(f"{steps:8d} {peer:8.1f} {full:8.1f} {part:8.2f} {held:8.2f}", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", nargs="+", default=["lstm", "gru", "rnn"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--only", type=int, nargs="+", help="indices of shapes")
    parser.add_argument("--no-long", action="store_true", help="leave out the long sequences")
    given = parser.parse_args()
    shapes = tuple(SHAPES[i] for i in given.only) if given.only else SHAPES
    for threads in given.threads:
        for cell in given.cells:
            against_torch(cell, threads, shapes)
    if not given.no_long:
        for cell in given.cells:
            long_sequences(cell, given.threads[0])


if __name__ == "__main__":
    main()
