"""Recurrent layers from ONNX graphs, and as ONNX graphs (the LSTM, GRU and RNN operators)."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from relembra._errors import ArtifactError, ConfigError, MissingExtraError
from relembra.engine import Activation, CellSpec
from relembra.nn._gate_orders import Arrays, OnnxArrays, from_onnx_arrays, to_onnx_arrays
from relembra.nn._layers import GRU, LSTM, RNN
from relembra.nn._recurrent import RecurrentLayer
from relembra.nn._reversed import Reversed

__all__ = ["from_onnx", "layer_of_node", "to_onnx"]

_KINDS = {"RNN": "rnn", "GRU": "gru", "LSTM": "lstm"}
_USUAL = {"rnn": ["Tanh"], "gru": ["Sigmoid", "Tanh"], "lstm": ["Sigmoid", "Tanh", "Tanh"]}
_NAMES = {
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "relu": "Relu",
    "softsign": "Softsign",
    "hard_sigmoid": "HardSigmoid",
    "elu": "Elu",
    "identity": "Affine",
}
_BY_LOWER = {theirs.lower(): ours for ours, theirs in _NAMES.items()}
# ONNX' own defaults of alpha and beta.
_CONSTANTS = {"hard_sigmoid": (0.2, 0.5), "elu": (1.0, None), "identity": (1.0, 0.0)}


def _load(onnx: Any, path: Path) -> Any:
    from google.protobuf.message import DecodeError

    try:
        return onnx.load(path)
    except (OSError, DecodeError) as error:
        raise ArtifactError(f"{path} is no ONNX model that can be read: {error}") from error


def from_onnx(
    model: Any, node: str | None = None, *, batch_first: bool = False
) -> RecurrentLayer | Reversed:
    """Make a layer of an LSTM, GRU or RNN node of an ONNX model, with its weights.

    Parameters
    ----------
    model
        A path, or an ``onnx.ModelProto``. The node's weights must be initializers of its graph.
    node
        Name of the node, or of its first output; None where the model has only one that fits.
    batch_first
        Of the layer. What the node says of its `layout` concerns ONNX alone.

    Returns
    -------
    layer
        `RNN`, `LSTM` or `GRU`; of a node with ``direction="reverse"``, a `Reversed` one.

    Raises
    ------
    ConfigError
        The node is not to be found, or uses what no layer of ours computes: clipping, or
        activations such as LeakyRelu.
    ArtifactError
        The file cannot be read, or the weights are not in it.
    MissingExtraError
        The package onnx is not installed.

    Examples
    --------
    >>> from relembra import nn
    >>> layer = nn.LSTM(3, 4, bidirectional=True)
    >>> again = nn.from_onnx(nn.to_onnx(layer))
    >>> all(torch.equal(a, b) for a, b in zip(layer.parameters(), again.parameters()))
    True
    """
    onnx = _onnx()
    if isinstance(model, str | os.PathLike):
        model = _load(onnx, Path(model))
    if not isinstance(model, onnx.ModelProto):
        raise ConfigError(f"expected a path or an onnx.ModelProto, got {type(model).__name__}")
    found = _pick(model.graph, node)
    values = {t.name: t for t in model.graph.initializer}
    given: list[Any] = [
        onnx.numpy_helper.to_array(values[name]) if name in values else name or None
        for name in (*found.input, *[""] * 8)[:8]
    ]
    for label, place in (("W", 1), ("R", 2), ("B", 3), ("P", 7)):
        if isinstance(given[place], str):
            raise ArtifactError(
                f"{label} of the node {found.name or found.output[0]!r} is computed by the graph: "
                "only weights that are initializers can be read"
            )
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in found.attribute}
    arrays = OnnxArrays(given[1], given[2], given[3], given[7])
    return layer_of_node(found.op_type, attributes, arrays, batch_first=batch_first)


def _onnx() -> Any:
    try:
        onnx = importlib.import_module("onnx")
    except ImportError as error:
        raise MissingExtraError(
            "reading and writing ONNX needs the package onnx: pip install 'relembra[onnx]'"
        ) from error
    importlib.import_module("onnx.numpy_helper")
    return onnx


def _pick(graph: Any, name: str | None) -> Any:
    fitting = [n for n in graph.node if n.op_type in _KINDS]
    if name is not None:
        chosen = [n for n in fitting if name in (n.name, next(iter(n.output), None))]
    else:
        chosen = fitting
    if len(chosen) != 1:
        known = ", ".join(f"{n.name or n.output[0]} ({n.op_type})" for n in fitting) or "none"
        raise ConfigError(
            f"expected one recurrent node{f' named {name!r}' if name else ''}, found "
            f"{len(chosen)}; the model has: {known}"
        )
    return chosen[0]


def layer_of_node(
    op_type: str, attributes: Mapping[str, Any], arrays: OnnxArrays, *, batch_first: bool = False
) -> RecurrentLayer | Reversed:
    """Make the layer of a node whose attributes and weights are at hand."""
    kind = _KINDS[op_type]
    direction = _text(attributes.get("direction", "forward"))
    directions = 2 if direction == "bidirectional" else 1
    if attributes.get("clip"):
        raise ConfigError(f"the node clips at {attributes['clip']}: no layer of ours does")
    functions = _activations(kind, directions, attributes)
    coupled = bool(attributes.get("input_forget", 0))
    options: dict[str, Any] = {
        "input_size": arrays.W.shape[2],
        "hidden_size": arrays.R.shape[2],
        "bias": arrays.B is not None,
        "bidirectional": directions == 2,
        "batch_first": batch_first,
        "dtype": torch.from_numpy(np.empty(0, arrays.W.dtype)).dtype,
    }
    layer: RecurrentLayer
    if kind == "rnn":
        layer = RNN(**options, nonlinearity=functions[0])
    elif kind == "gru":
        after = bool(attributes.get("linear_before_reset", 0))
        gate, activation = functions
        layer = GRU(**options, gate_activation=gate, activation=activation, reset_after=after)
    else:
        gate, activation, state = functions
        layer = LSTM(
            **options,
            gate_activation=gate,
            activation=activation,
            state_activation=state,
            peepholes=arrays.P is not None,
            coupled=coupled,
        )
    fill(layer, from_onnx_arrays(kind, arrays, coupled))
    return Reversed(layer) if direction == "reverse" else layer


def fill(layer: RecurrentLayer, groups: list[Arrays]) -> None:
    """Copy the weights of each layer and direction into a layer."""
    with torch.no_grad():
        for suffix, arrays in zip(layer.spec.suffixes(), groups, strict=True):
            for name, array in arrays.items():
                value = torch.from_numpy(np.array(array))  # a copy, in the usual order in memory
                layer.get_parameter(name + suffix).copy_(value)


def emptied(layer: RecurrentLayer) -> list[Arrays]:
    """Return the weights of each layer and direction as arrays."""
    names = layer.spec.layer_shapes(0)
    return [
        {name: getattr(layer, name + suffix).detach().cpu().numpy() for name in names}
        for suffix in layer.spec.suffixes()
    ]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _activations(kind: str, directions: int, attributes: Mapping[str, Any]) -> list[Activation]:
    """Return the functions of one direction, which the other one must share."""
    names = [_text(n) for n in attributes.get("activations", [])] or _USUAL[kind] * directions
    alphas = _spread(names, list(attributes.get("activation_alpha", [])), tuple(_CONSTANTS))
    betas = _spread(
        names, list(attributes.get("activation_beta", [])), ("hard_sigmoid", "identity")
    )
    functions = [_activation(*given) for given in zip(names, alphas, betas, strict=True)]
    count = len(_USUAL[kind])
    if len(functions) != count * directions:
        raise ConfigError(f"expected {count * directions} activations, got {len(functions)}")
    if directions == 2 and functions[:count] != functions[count:]:
        raise ConfigError("the two directions have different activations: ours share theirs")
    return functions[:count]


def _spread(names: list[str], given: list[float], users: tuple[str, ...]) -> list[float | None]:
    """Give each function its constant: there is one for each, or one for each that has one."""
    if len(given) == len(names):
        return list(given)
    rest = iter(given)
    wanted = [_BY_LOWER.get(n.lower()) in users for n in names]
    return [next(rest, None) if wants else None for wants in wanted]


def _activation(name: str, alpha: float | None, beta: float | None) -> Activation:
    ours = _BY_LOWER.get(name.lower())
    if ours is None:
        raise ConfigError(f"no activation of ours is ONNX' {name}; known: {', '.join(_BY_LOWER)}")
    usual_alpha, usual_beta = _CONSTANTS.get(ours, (None, None))
    alpha = usual_alpha if alpha is None else alpha
    beta = usual_beta if beta is None else beta
    if ours == "identity" and (alpha, beta) != (1.0, 0.0):
        raise ConfigError(f"Affine with alpha {alpha} and beta {beta} is no activation of ours")
    if ours == "hard_sigmoid" and alpha is not None and beta is not None:
        return Activation(ours, slope=alpha, offset=beta)
    if ours == "elu" and alpha is not None:
        return Activation(ours, alpha=alpha)
    return Activation(ours)


# ------------------------------------------------------------------ the other way


def to_onnx(layer: RecurrentLayer, *, lengths: bool = False, opset: int = 17) -> Any:
    """Return a layer as an ONNX model: one node for each layer of the stack.

    Parameters
    ----------
    layer
        `RNN`, `LSTM` or `GRU`. Dropout is left out, as in evaluation.
    lengths
        Whether the model has a second input, ``lengths`` (B,) int32.
    opset
        Version of ONNX' operators, 14 at least.

    Returns
    -------
    onnx.ModelProto
        From ``input`` (T, B, I) to ``output`` (T, B, D*H) and the final states ``hidden`` and, of
        the LSTM, ``cell`` (L*D, B, H). Weights are the same to the last bit.

    Raises
    ------
    ConfigError
        ONNX' operators do not know an option of the layer.
    MissingExtraError
        The package onnx is not installed.
    """
    onnx = _onnx()
    spec = layer.spec
    attributes = _attributes(spec.cell, spec.directions)
    attributes["direction"] = "bidirectional" if spec.bidirectional else "forward"
    attributes["hidden_size"] = spec.hidden_size
    helper, groups = onnx.helper, emptied(layer)
    dtype = helper.np_dtype_to_tensor_dtype(groups[0]["weight_ih"].dtype)
    nodes: list[Any] = []
    constants = {"merged": np.array([0, 0, -1], np.int64)}
    state_names = ["hidden", "cell"] if spec.cell.has_cell_state else ["hidden"]
    x = "input"
    for index in range(spec.num_layers):
        own = groups[index * spec.directions : (index + 1) * spec.directions]
        arrays = to_onnx_arrays(spec.cell.kind, own, spec.cell.coupled)
        names = {f: f"{f}_{index}" for f, a in arrays._asdict().items() if a is not None}
        constants |= {names[f]: getattr(arrays, f) for f in names}
        inputs = [x, names["W"], names["R"], names.get("B", ""), "lengths" if lengths else ""]
        inputs += ["", "", names["P"]] if "P" in names else []
        states = [f"{name}_{index}" for name in state_names]
        op = next(op for op, kind in _KINDS.items() if kind == spec.cell.kind)
        outputs = [f"Y_{index}", *states]
        nodes.append(helper.make_node(op, inputs, outputs, f"{op}_{index}", **attributes))
        x = "output" if index == spec.num_layers - 1 else f"X_{index + 1}"
        swapped = f"swapped_{index}"  # (T, B, D, H)
        nodes.append(helper.make_node("Transpose", [f"Y_{index}"], [swapped], perm=[0, 2, 1, 3]))
        nodes.append(helper.make_node("Reshape", [swapped, "merged"], [x]))
    for name in state_names:
        parts = [f"{name}_{index}" for index in range(spec.num_layers)]
        nodes.append(helper.make_node("Concat", parts, [name], axis=0))
    count = spec.num_layers * spec.directions
    info = helper.make_tensor_value_info
    given = [info("input", dtype, ["T", "B", spec.input_size])]
    given += [info("lengths", onnx.TensorProto.INT32, ["B"])] if lengths else []
    shape = ["T", "B", spec.hidden_size * spec.directions]
    results = [info("output", dtype, shape)]
    results += [info(n, dtype, [count, "B", spec.hidden_size]) for n in state_names]
    held = [onnx.numpy_helper.from_array(np.ascontiguousarray(a), n) for n, a in constants.items()]
    graph = helper.make_graph(nodes, "relembra", given, results, held)
    operators = [helper.make_opsetid("", opset)]
    # The oldest format that has them, so that older runtimes read it as well.
    oldest = helper.find_min_ir_version_for(operators)
    model = helper.make_model(graph, opset_imports=operators, ir_version=oldest)
    onnx.checker.check_model(model)
    return model


def _attributes(cell: CellSpec, directions: int) -> dict[str, Any]:
    """Return the attributes that say which equations a node has."""
    checks = {
        "layer normalisation": cell.layer_norm,
        "projection": cell.projection,
        "zoneout": cell.zoneout_hidden or cell.zoneout_cell,
    }
    if lacking := [name for name, asked in checks.items() if asked]:
        raise ConfigError(f"ONNX' {cell.kind} does not know {', '.join(lacking)}")
    gate, candidate = cell.gate_activation, cell.activation
    functions = {
        "rnn": [candidate],
        "gru": [gate, candidate],
        "lstm": [gate, candidate, cell.state_activation or candidate],
    }[cell.kind]
    found = _described(functions * directions)
    if cell.kind == "gru":
        found["linear_before_reset"] = int(cell.reset_after)
    if cell.coupled:
        found["input_forget"] = 1
    return found


def _described(functions: list[Activation]) -> dict[str, Any]:
    """Return the activations by ONNX' names, with constants where they have some."""
    unknown = [f.name for f in functions if f.name not in _NAMES]
    if unknown:
        raise ConfigError(f"ONNX knows no activation {', '.join(unknown)}")
    found: dict[str, Any] = {"activations": [_NAMES[f.name] for f in functions]}
    constants = [
        {"hard_sigmoid": (f.slope, f.offset), "identity": (1.0, 0.0)}.get(f.name, (f.alpha, None))
        for f in functions
    ]
    users = [c for f, c in zip(functions, constants, strict=True) if f.name in _CONSTANTS]
    if users:
        found["activation_alpha"] = [float(alpha) for alpha, _ in users]
    if betas := [float(beta) for _, beta in users if beta is not None]:
        found["activation_beta"] = betas
    return found
