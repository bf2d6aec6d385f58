"""One recurrent layer as an ONNX graph of the one operator, and sessions that run it."""

import importlib.util
from collections.abc import Callable

import torch

ORDER = {"LSTM": [0, 3, 1, 2], "GRU": [1, 0, 2], "RNN": [0]}
"""Where ONNX's gates stand in PyTorch's order."""


def available() -> bool:
    """Whether ONNX and its runtime are installed: they are the extra `bench`."""
    return all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime"))


def kind_of(layer: torch.nn.Module) -> str:
    """LSTM, GRU or RNN."""
    return str(layer.mode).split("_")[0]


def states_of(layer: torch.nn.Module) -> list[str]:
    """Return the names of the states."""
    return ["h", "c"] if kind_of(layer) == "LSTM" else ["h"]


def _weights(layer: torch.nn.Module) -> list[object]:
    from onnx import numpy_helper

    def reordered(name: str) -> torch.Tensor:
        parts = getattr(layer, name).detach().split(layer.hidden_size)
        return torch.cat([parts[i] for i in ORDER[kind_of(layer)]])

    values = {
        "W": reordered("weight_ih_l0"),
        "R": reordered("weight_hh_l0"),
        "B": torch.cat([reordered("bias_ih_l0"), reordered("bias_hh_l0")]),
    }
    return [
        numpy_helper.from_array(value.unsqueeze(0).contiguous().numpy(), name)
        for name, value in values.items()
    ]


def _model(
    layer: torch.nn.Module, operands: list[str], results: list[str], shapes: dict[str, list[int]]
) -> bytes:
    from onnx import TensorProto, helper

    kind = kind_of(layer)
    node = helper.make_node(
        kind,
        operands,
        results,
        hidden_size=layer.hidden_size,
        **({"linear_before_reset": 1} if kind == "GRU" else {}),
    )

    def values(names: list[str]) -> list[object]:
        return [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name])
            for name in names
            if name in shapes
        ]

    graph = helper.make_graph([node], "layer", values(operands), values(results), _weights(layer))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    return bytes(model.SerializeToString())


def step_model(layer: torch.nn.Module, rows: int) -> bytes:
    """The layer for one step: x and the states go in, the new states come out."""
    states = states_of(layer)
    new = [s + "1" for s in states]
    shapes = {name: [1, rows, layer.hidden_size] for name in states + new}
    shapes["x"] = [1, rows, layer.input_size]
    return _model(layer, ["x", "W", "R", "B", "", *states], ["", *new], shapes)


def sequence_model(layer: torch.nn.Module, steps: int, rows: int) -> bytes:
    """The layer for a whole sequence (T, B, I) from a state of zero; all outputs come out."""
    states = states_of(layer)
    shapes = {name: [1, rows, layer.hidden_size] for name in states}
    shapes |= {"x": [steps, rows, layer.input_size], "y": [steps, 1, rows, layer.hidden_size]}
    return _model(layer, ["x", "W", "R", "B"], ["y", *states], shapes)


def session(model: bytes, threads: int) -> object:
    """A session with so many threads; whether they spin is left as ONNX Runtime has it."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def step(layer: torch.nn.Module, x: torch.Tensor) -> Callable[[], None]:
    """A step with its arrays bound once; the new state is fed back by swapping them."""
    import onnxruntime as ort

    made = session(step_model(layer, x.shape[0]), 1)
    states = states_of(layer)
    zeros = torch.zeros(1, x.shape[0], layer.hidden_size).numpy()
    old = {s: ort.OrtValue.ortvalue_from_numpy(zeros) for s in states}
    new = {s: ort.OrtValue.ortvalue_from_numpy(zeros) for s in states}
    frame = ort.OrtValue.ortvalue_from_numpy(x.unsqueeze(0).numpy())
    bindings = []
    for begin, end in ((old, new), (new, old)):
        binding = made.io_binding()
        binding.bind_ortvalue_input("x", frame)
        for s in states:
            binding.bind_ortvalue_input(s, begin[s])
            binding.bind_ortvalue_output(s + "1", end[s])
        bindings.append(binding)

    def take() -> None:
        bindings.reverse()
        made.run_with_iobinding(bindings[0])

    return take


def sequence(
    layer: torch.nn.Module, x: torch.Tensor, threads: int
) -> tuple[Callable[[], None], Callable[[], torch.Tensor]]:
    """A whole sequence (T, B, I) with its arrays bound once, and how to read its output."""
    import onnxruntime as ort

    steps, rows, _ = x.shape
    made = session(sequence_model(layer, steps, rows), threads)
    binding = made.io_binding()
    binding.bind_ortvalue_input("x", ort.OrtValue.ortvalue_from_numpy(x.numpy()))
    output = torch.empty(steps, 1, rows, layer.hidden_size).numpy()
    places = {"y": ort.OrtValue.ortvalue_from_numpy(output)}
    for s in states_of(layer):
        zeros = torch.zeros(1, rows, layer.hidden_size).numpy()
        places[s] = ort.OrtValue.ortvalue_from_numpy(zeros)
    for name, place in places.items():
        binding.bind_ortvalue_output(name, place)

    def call() -> None:
        made.run_with_iobinding(binding)

    def read() -> torch.Tensor:
        return torch.from_numpy(places["y"].numpy()).squeeze(1)

    return call, read
