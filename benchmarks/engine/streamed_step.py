"""One streamed step against torch.nn and ONNX Runtime, each fed its own state back.

    pip install onnx onnxruntime          # for their column; without them it is left out
    python -m benchmarks.engine.streamed_step --cells LSTM GRU RNN

One thread, alternating in one process: a turn is 50 steps of each. Microseconds a step, medians;
the ratio is the peer's median over ours, behind it the quartiles over the turns.
"""

import argparse
import importlib.util
import statistics
import time
from collections.abc import Callable

import torch

from relembra import nn

SHAPES = [(1, 40, 128), (1, 1, 32), (1, 64, 64), (1, 128, 256), (1, 256, 512), (8, 40, 128)]
TURN = 50  # steps
Step = Callable[[], object]


def ours(layer: torch.nn.Module, x: torch.Tensor) -> Step:
    """A step with a fresh output."""
    state = layer.start(x.shape[0])
    return lambda: layer.step(x, state)


def ours_into(layer: torch.nn.Module, x: torch.Tensor) -> Step:
    """A step into memory that is given."""
    state, out = layer.start(x.shape[0]), torch.empty(x.shape[0], layer.hidden_size)
    return lambda: layer.step(x, state, out=out)


def torchs(layer: torch.nn.Module, x: torch.Tensor) -> Step:
    """PyTorch's layer on a sequence of one step, without gradients."""
    peer = getattr(torch.nn, layer.mode.split("_")[0])(layer.input_size, layer.hidden_size)
    peer.load_state_dict(layer.state_dict())
    frame, held = x.unsqueeze(0), [None]

    def step() -> None:
        with torch.inference_mode():
            _, held[0] = peer(frame, held[0])

    return step


def onnx_model(layer: torch.nn.Module, rows: int) -> bytes:
    """The layer as an ONNX graph of the one operator, for one step."""
    from onnx import TensorProto, helper, numpy_helper

    kind, inputs, units = layer.mode.split("_")[0], layer.input_size, layer.hidden_size
    order = {"LSTM": [0, 3, 1, 2], "GRU": [1, 0, 2], "RNN": [0]}[kind]

    def reordered(name: str) -> torch.Tensor:
        parts = getattr(layer, name).detach().split(units)
        return torch.cat([parts[i] for i in order])

    def constant(name: str, value: torch.Tensor) -> object:
        return numpy_helper.from_array(value.unsqueeze(0).contiguous().numpy(), name)

    states = ["h", "c"] if kind == "LSTM" else ["h"]
    node = helper.make_node(
        kind,
        ["x", "W", "R", "B", "", *states],
        ["", *(s + "1" for s in states)],
        hidden_size=units,
        **({"linear_before_reset": 1} if kind == "GRU" else {}),
    )

    def value(name: str, *shape: int) -> object:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    biases = torch.cat([reordered("bias_ih_l0"), reordered("bias_hh_l0")])
    graph = helper.make_graph(
        [node],
        "step",
        [value("x", 1, rows, inputs), *(value(s, 1, rows, units) for s in states)],
        [value(s + "1", 1, rows, units) for s in states],
        [
            constant("W", reordered("weight_ih_l0")),
            constant("R", reordered("weight_hh_l0")),
            constant("B", biases),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    return model.SerializeToString()


def onnx(layer: torch.nn.Module, x: torch.Tensor) -> Step:
    """ONNX Runtime with its arrays bound once; the new state is fed back by swapping them."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(
        onnx_model(layer, x.shape[0]), options, providers=["CPUExecutionProvider"]
    )
    states = ["h", "c"] if layer.mode == "LSTM" else ["h"]
    zeros = torch.zeros(1, x.shape[0], layer.hidden_size).numpy()
    old = {s: ort.OrtValue.ortvalue_from_numpy(zeros) for s in states}
    new = {s: ort.OrtValue.ortvalue_from_numpy(zeros) for s in states}
    frame = ort.OrtValue.ortvalue_from_numpy(x.unsqueeze(0).numpy())
    bindings = []
    for begin, end in ((old, new), (new, old)):
        binding = session.io_binding()
        binding.bind_ortvalue_input("x", frame)
        for s in states:
            binding.bind_ortvalue_input(s, begin[s])
            binding.bind_ortvalue_output(s + "1", end[s])
        bindings.append(binding)

    def step() -> None:
        bindings.reverse()
        session.run_with_iobinding(bindings[0])

    return step


def microseconds(ways: dict[str, Step], seconds: float) -> dict[str, list[float]]:
    """Each way's times a step, turn by turn."""
    for step in ways.values():
        for _ in range(TURN):
            step()
    times: dict[str, list[float]] = {name: [] for name in ways}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times["ours"]) < 5:
        for name, step in ways.items():
            start = time.perf_counter()
            for _ in range(TURN):
                step()
            times[name].append((time.perf_counter() - start) / TURN * 1e6)
    return times


def row(times: dict[str, list[float]]) -> str:
    """Medians, and the ratios to ours with their quartiles."""
    medians = {name: statistics.median(values) for name, values in times.items()}
    text = "".join(f"{medians[name]:9.1f}" for name in times)
    for name in times:
        if name.startswith("ours"):
            continue
        pairs = sorted(b / a for a, b in zip(times["ours"], times[name], strict=True))
        quarter = len(pairs) // 4
        text += f"   {name} {medians[name] / medians['ours']:5.1f}x"
        text += f" [{pairs[quarter]:.1f} {pairs[-1 - quarter]:.1f}]"
    return text


def main() -> None:
    """Print one table for each cell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", nargs="+", default=["LSTM", "GRU", "RNN"])
    parser.add_argument("--seconds", type=float, default=2.0, help="for each row")
    given = parser.parse_args()
    torch.set_num_threads(1)
    ways = {"ours": ours, "ours, out=": ours_into, "torch": torchs}
    if importlib.util.find_spec("onnx") and importlib.util.find_spec("onnxruntime"):
        ways["onnx"] = onnx
    for cell in given.cells:
        print(f"\n{cell}, (B, I, H), µs a step: {' | '.join(ways)}")
        for shape in SHAPES:
            rows, inputs, units = shape
            torch.manual_seed(0)
            layer, x = getattr(nn, cell)(inputs, units).eval(), torch.randn(rows, inputs)
            times = microseconds({name: way(layer, x) for name, way in ways.items()}, given.seconds)
            print(f"{shape!s:16}{row(times)}", flush=True)


if __name__ == "__main__":
    main()
