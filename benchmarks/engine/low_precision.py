"""Inference by weights in bf16 and int8 against our own float32, PyTorch's int8 and ONNX Runtime.

    pip install onnx onnxruntime          # for its column; without them it is left out
    python -m benchmarks.engine.low_precision --cells LSTM GRU

One thread, in turn in one process; I = H. Microseconds (a step, or a sequence), medians. The ratio
is the float32 layer's median over the way's, behind it the quartiles over the turns; above 1 is
faster than float32. The error is the largest of the outputs, over the largest output, of a layer
as it is drawn, over 100 steps of noise.
"""

import argparse
import importlib.util
import statistics
import time
import warnings
from collections.abc import Callable

import torch

from benchmarks.engine.onnx_models import step as onnx
from relembra import nn

UNITS = [64, 128, 256, 512, 1024]
Way = Callable[[torch.nn.Module, torch.Tensor], Callable[[], object]]


def stepping(layer: torch.nn.Module, x: torch.Tensor) -> Callable[[], object]:
    """One streamed step; x is (T, B, I)."""
    state, frame, out = layer.start(x.shape[1]), x[0].contiguous(), torch.empty(x.shape[1:])
    return lambda: layer.step(frame, state, out=out)


def whole(layer: torch.nn.Module, x: torch.Tensor) -> Callable[[], object]:
    """A whole sequence."""

    def call() -> object:
        with torch.inference_mode():
            return layer(x)

    return call


def by_torch(layer: torch.nn.Module, storage: torch.dtype | None) -> torch.nn.Module:
    """PyTorch's layer with these weights, quantised as its `quantize_dynamic` does."""
    kind = layer.mode.split("_")[0]
    peer = getattr(torch.nn, kind)(layer.input_size, layer.hidden_size).eval()
    peer.load_state_dict(layer.state_dict())
    if storage is None:
        return peer
    holder = torch.nn.ModuleDict({"layer": peer})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it will move to torchao
        return torch.ao.quantization.quantize_dynamic(holder, {type(peer)}, dtype=storage)["layer"]


def torch_step(layer: torch.nn.Module, x: torch.Tensor) -> Callable[[], object]:
    """A sequence of one step, the state handed on."""
    frame, held = x[:1].contiguous(), [None]

    def step() -> None:
        with torch.inference_mode():
            _, held[0] = layer(frame, held[0])

    return step


def turns(ways: dict[str, Callable[[], object]], seconds: float) -> dict[str, list[float]]:
    """Each way's times a call, in turn; a turn lasts about a millisecond."""
    counts = {}
    for name, call in ways.items():
        call()
        start = time.perf_counter()
        call()
        counts[name] = max(1, min(50, int(1e-3 / (time.perf_counter() - start))))
    times: dict[str, list[float]] = {name: [] for name in ways}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times["float32"]) < 5:
        for name, call in ways.items():
            call()  # what the others left in the caches
            start = time.perf_counter()
            for _ in range(counts[name]):
                call()
            times[name].append((time.perf_counter() - start) / counts[name] * 1e6)
    return times


def row(times: dict[str, list[float]]) -> str:
    """Medians, then each way's ratio to float32 with its quartiles."""
    text = "".join(f"{statistics.median(values):10.1f}" for values in times.values())
    for name in list(times)[1:]:
        pairs = sorted(a / b for a, b in zip(times["float32"], times[name], strict=True))
        ratio = statistics.median(times["float32"]) / statistics.median(times[name])
        quarter = len(pairs) // 4
        text += f"  {name} {ratio:5.2f}x [{pairs[quarter]:.2f} {pairs[-1 - quarter]:.2f}]"
    return text


def quantised(layer: torch.nn.Module) -> torch.nn.Module | None:
    """PyTorch's int8 layer, or None where this PyTorch has none."""
    try:
        return by_torch(layer, torch.qint8)
    except (AttributeError, RuntimeError, NotImplementedError) as error:
        print(f"  PyTorch's quantize_dynamic does not work here: {error}")
        return None


def errors(layer: torch.nn.Module, x: torch.Tensor, others: dict[str, torch.nn.Module]) -> str:
    """The largest error of each over the largest output."""
    with torch.inference_mode():
        exact = layer(x)[0]
        found = {name: (other(x)[0] - exact).abs().max() for name, other in others.items()}
    return ", ".join(f"{name} {float(e / exact.abs().max()):.1e}" for name, e in found.items())


def main() -> None:
    """Print steps, sequences, errors and sizes for each cell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", nargs="+", default=["LSTM", "GRU"])
    parser.add_argument("--units", nargs="+", type=int, default=UNITS)
    parser.add_argument("--rows", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--seconds", type=float, default=2.0, help="for each row")
    given = parser.parse_args()
    torch.set_num_threads(1)
    has_onnx = all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime"))
    for cell in given.cells:
        for units in given.units:
            torch.manual_seed(0)
            layer = getattr(nn, cell)(units, units).eval()
            lows = {name: nn.low_precision(layer, name) for name in ("bf16", "int8")}
            size = sum(p.numel() * p.element_size() for p in layer.parameters())
            sizes = ", ".join(f"{name} {low.weight_bytes:,}" for name, low in lows.items())
            print(f"\n{cell}, H = I = {units}; bytes: float32 {size:,}, {sizes}")
            peer = quantised(layer)
            peers = {} if peer is None else {"torch int8": peer}
            for rows in given.rows:
                x = torch.randn(100, rows, units)
                steps = {"float32": stepping(layer, x)}
                steps |= {name: stepping(low, x) for name, low in lows.items()}
                steps |= {name: torch_step(other, x) for name, other in peers.items()}
                if has_onnx:
                    steps["onnx float"] = onnx(layer, x[0])
                print(f"  B {rows}, error: {errors(layer, x, lows | peers)}")
                print(f"  B {rows}, step:      {row(turns(steps, given.seconds))}", flush=True)
                calls = {"float32": whole(layer, x)}
                calls |= {name: whole(other, x) for name, other in (lows | peers).items()}
                print(f"  B {rows}, 100 steps: {row(turns(calls, given.seconds))}", flush=True)


if __name__ == "__main__":
    main()
