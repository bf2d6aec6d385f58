"""What a Keras cell is in the engine's words: equations, activations, the order of the gates."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Any

import keras
import torch
from torch import Tensor

from relembra.engine import Activation, CellSpec, LayerWeights, StackSpec
from relembra.keras._values import value_of

__all__ = ["cell_refusal", "in_gate_order", "is_known", "layer_weights", "stack_spec"]

_CELLS: dict[type, str] = {
    keras.layers.LSTMCell: "lstm",
    keras.layers.GRUCell: "gru",
    keras.layers.SimpleRNNCell: "rnn",
}
# Keras 3: elu has alpha 1, hard_sigmoid is relu6(x + 3) / 6; both are the engine's defaults.
_NAMES = ("tanh", "sigmoid", "relu", "hard_sigmoid", "softsign", "elu", "linear", "gelu")
_SIGMOID = Activation("sigmoid")
_BARE = ("tanh", "sigmoid", "relu")


def _activations() -> dict[Callable[..., Any], Activation]:
    known = {getattr(keras.activations, name): Activation.of(name) for name in _NAMES}
    for name in _BARE:
        for home in (keras.ops, torch):
            known[getattr(home, name)] = Activation.of(name)
    return known


_KNOWN = _activations()


def is_known(cell: Any) -> bool:
    """Return whether a cell is one of Keras' own, and no subclass."""
    return type(cell) in _CELLS


def cell_refusal(cell: Any) -> str | None:
    """Return why the engine has no equations for one of Keras' cells, or None where it has."""
    used = [cell.activation, getattr(cell, "recurrent_activation", None)]
    for function in used:
        if function is not None and not _has_name(function):
            name = getattr(function, "__name__", type(function).__name__)
            return f"the engine does not know the activation {name!r}"
    return None


def _has_name(function: Any) -> bool:
    # Not everything that can be called can be hashed.
    return isinstance(function, Hashable) and function in _KNOWN


def stack_spec(cell: Any, inputs: int, directions: int) -> StackSpec:
    """Return the engine's description of a cell that `cell_refusal` does not refuse."""
    return _spec(
        _CELLS[type(cell)],
        cell.activation,
        getattr(cell, "recurrent_activation", None),
        getattr(cell, "reset_after", True),
        inputs,
        cell.units,
        cell.use_bias,
        directions == 2,
    )


@lru_cache(maxsize=256)
def _spec(
    kind: Any,
    activation: Any,
    gate_activation: Any,
    reset_after: bool,
    inputs: int,
    units: int,
    bias: bool,
    bidirectional: bool,
) -> StackSpec:
    cell = CellSpec(
        kind=kind,
        activation=_activation(activation),
        gate_activation=_SIGMOID if kind == "rnn" else _activation(gate_activation),
        reset_after=bool(reset_after),
    )
    return StackSpec(
        cell=cell,
        input_size=inputs,
        hidden_size=units,
        bias=bool(bias),
        bidirectional=bidirectional,
    )


def _activation(function: Any) -> Activation:
    return Activation("identity") if function is None else _KNOWN[function]


def layer_weights(cell: Any, dtype: torch.dtype, inputs: int) -> LayerWeights:
    """Return the weights of a cell in PyTorch's layout; gradients flow back to Keras'.

    `inputs` are those of the kernel, or as many times more as there are gates: then each gate sees
    its own. Keras keeps (inputs, G*H), PyTorch (G*H, inputs). Gates are i f c o and z r h in Keras,
    i f g o and r z n in PyTorch.
    """
    kernel = value_of(cell.kernel).to(dtype)
    recurrent = value_of(cell.recurrent_kernel).to(dtype)
    bias = value_of(cell.bias).to(dtype) if cell.use_bias else None
    is_gru = _CELLS[type(cell)] == "gru"
    weight_ih = _reset_first(kernel.t()) if is_gru else kernel.t()
    if (gates := inputs // kernel.shape[0]) > 1:
        weight_ih = torch.block_diag(*weight_ih.chunk(gates))
    if not is_gru:
        return LayerWeights(weight_ih.contiguous(), recurrent.t().contiguous(), bias)
    weight_hh = _reset_first(recurrent.t())
    if bias is None or bias.dim() == 1:
        return LayerWeights(weight_ih, weight_hh, None if bias is None else _reset_first(bias))
    return LayerWeights(weight_ih, weight_hh, *(_reset_first(part) for part in bias.unbind(0)))


def in_gate_order(cell: Any, parts: list[Tensor]) -> list[Tensor]:
    """Return what Keras has for each gate in PyTorch's order."""
    if _CELLS[type(cell)] != "gru":
        return parts
    update, reset, candidate = parts
    return [reset, update, candidate]


def _reset_first(gates: Tensor) -> Tensor:
    update, reset, candidate = gates.chunk(3)
    return torch.cat([reset, update, candidate])
