"""Do numbers too small to be normal slow a call down?

    python -m benchmarks.robustness.denormals

One LSTM, GRU and RNN (B 32, T 100, I 64, H 128, float32, without biases), inference and training
step, one thread. Inputs and states of about 1e-40, so that every sum, state and gradient on the way
is denormal, against inputs of about 1; alternating in one process. Beside it the same for torch.nn.
Processors differ: Intel's take more than a hundred cycles for each operation that meets one, AMD's
a few.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.engine.alternating import compare
from relembra import nn

SHAPE = (32, 100, 64, 128)


def call(layer: torch.nn.Module, size: float, training: bool) -> Callable[[], object]:
    """Return a call of the layer with numbers of that size."""
    rows, steps, inputs, units = SHAPE
    x = torch.randn(steps, rows, inputs) * size
    hidden = torch.randn(1, rows, units) * size
    state = (hidden, hidden.clone()) if layer.mode == "LSTM" else hidden
    d_output = torch.randn(steps, rows, units) * size
    parameters = list(layer.parameters())

    def run() -> None:
        if not training:
            with torch.no_grad():
                layer(x, state)
            return
        torch.autograd.grad(layer(x, state)[0], parameters, d_output)

    return run


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    table = Table("layer", "call", "ours", "torch.nn", title="Time of denormal over normal numbers")
    for kind in ("LSTM", "GRU", "RNN"):
        for training in (False, True):
            ratios = []
            for library in (nn, torch.nn):
                torch.manual_seed(0)
                layer = getattr(library, kind)(SHAPE[2], SHAPE[3], bias=False)
                found = compare(call(layer, 1.0, training), call(layer, 1e-40, training), 3.0)
                ratios.append(f"{found.ratio:.2f} [{found.low:.2f} {found.high:.2f}]")
            table.add_row(kind, "training step" if training else "inference", *ratios)
    Console().print(table)


if __name__ == "__main__":
    main()
