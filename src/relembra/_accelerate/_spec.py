"""What a layer of torch.nn is, in the words of the engine."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from relembra.engine import (
    Activation,
    CellSpec,
    Choice,
    LayerWeights,
    Request,
    StackSpec,
    choose,
)

__all__ = ["Plan", "groups_of", "plan_of", "structural_refusal"]

_FIELDS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")


class Plan(NamedTuple):
    """A layer's specification, and the shapes that its parameters must have."""

    spec: StackSpec
    shapes: tuple[tuple[int, ...], ...]  # in the order of _flat_weights
    fields: tuple[str, ...]  # of one layer and direction


def plan_of(layer: Any) -> Plan:
    """Return the plan of an nn.RNN, LSTM, GRU or a cell; attributes may change between calls."""
    if isinstance(layer, nn.RNNCellBase):
        mode = _cell_mode(layer)
        sizes = (layer.input_size, layer.hidden_size, 1, layer.bias, 0.0, False, 0)
    else:
        mode = layer.mode
        sizes = (
            layer.input_size,
            layer.hidden_size,
            layer.num_layers,
            layer.bias,
            layer.dropout,
            layer.bidirectional,
            layer.proj_size,
        )
    # The compiler traces through a cache, and warns that it does.
    make = _plan.__wrapped__ if torch.compiler.is_compiling() else _plan
    return make(mode, *sizes)


def _cell_mode(cell: nn.RNNCellBase) -> str:
    if isinstance(cell, nn.LSTMCell):
        return "LSTM"
    if isinstance(cell, nn.GRUCell):
        return "GRU"
    nonlinearity: Any = cell.nonlinearity
    return f"RNN_{nonlinearity.upper()}"


@lru_cache(maxsize=256)
def _plan(
    mode: str,
    inputs: int,
    units: int,
    layers: int,
    bias: bool,
    dropout: float,
    bidirectional: bool,
    projection: int,
) -> Plan:
    kind, _, activation = mode.lower().partition("_")
    cell = CellSpec(
        kind=kind,  # type: ignore[arg-type]
        activation=Activation.of(activation or "tanh"),
        projection=projection,
    )
    spec = StackSpec(
        cell=cell,
        input_size=inputs,
        hidden_size=units,
        num_layers=layers,
        bias=bool(bias),
        dropout=float(dropout),
        bidirectional=bool(bidirectional),
    )
    fields = tuple(f for f in _FIELDS if f in spec.layer_shapes(0))
    shapes = tuple(
        spec.layer_shapes(index // spec.directions)[f]
        for index in range(len(spec.suffixes()))
        for f in fields
    )
    return Plan(spec, shapes, fields)


def groups_of(plan: Plan, flat: list[Tensor]) -> list[LayerWeights]:
    """Return the flat weights as the engine takes them, a group a layer and direction."""
    width = len(plan.fields)
    parts = (flat[at : at + width] for at in range(0, len(flat), width))
    return [LayerWeights(**dict(zip(plan.fields, own, strict=True))) for own in parts]


def structural_refusal(layer: Any) -> str | None:
    """Return why the native core can never compute this layer, whatever its type and device."""
    plan = plan_of(layer)
    flat = [torch.empty(shape, device="meta") for shape in plan.shapes]
    x = torch.empty(1, 1, plan.spec.input_size, device="meta")
    choice: Choice = choose(Request(spec=plan.spec, weights=groups_of(plan, flat), x=x))
    return None if choice.path == "native" else choice.reason
