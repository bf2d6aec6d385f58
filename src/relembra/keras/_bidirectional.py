"""Keras' Bidirectional as one call of the engine for both directions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
import torch
from torch import Tensor

from relembra.keras._layers import in_trace, mask_of
from relembra.keras._sequence import Walk, walk

__all__ = ["bidirectional_call"]

_PLAIN = (keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN)
_ALIKE = ("activation", "recurrent_activation", "units", "use_bias", "reset_after")


def bidirectional_call(own_way: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that asks the engine and falls through to two layers, one by one."""

    @functools.wraps(own_way)
    def call(
        self: Any, sequences: Any, initial_state: Any = None, mask: Any = None, training: Any = None
    ) -> Any:
        if not in_trace() and _is_pair(self):
            found = _run(self, sequences, initial_state, mask)
            if found is not None:
                return found
        return own_way(self, sequences, initial_state=initial_state, mask=mask, training=training)

    return call


def _is_pair(wrapper: Any) -> bool:
    """Return whether the two layers differ in nothing but weights and direction."""
    one, other = wrapper.forward_layer, wrapper.backward_layer
    a, b = getattr(one, "cell", None), getattr(other, "cell", None)
    return (
        type(one) in _PLAIN
        and type(other) is type(one)
        and not one.go_backwards
        and other.go_backwards
        and all(getattr(a, name, None) is getattr(b, name, None) for name in _ALIKE[:2])
        and all(getattr(a, name, None) == getattr(b, name, None) for name in _ALIKE[2:])
        and all(map(_is_simple, (one, other)))
    )


def _is_simple(layer: Any) -> bool:
    """Return whether calling a layer does nothing but its recurrence."""
    cell = layer.cell
    return bool(
        layer.built
        and not (layer.stateful or cell.dropout or cell.recurrent_dropout)
        and layer.activity_regularizer is None
        and not (layer._forward_hooks or layer._forward_pre_hooks or layer._backward_hooks)
    )


@torch.compiler.disable  # type: ignore[untyped-decorator]
def _run(wrapper: Any, x: Any, states: Any, mask: Any) -> Any:
    one, other = wrapper.forward_layer, wrapper.backward_layer
    own = len(one.cell.state_size) if isinstance(one.cell.state_size, list) else 1
    if states is not None:
        states = [states[:own], states[own:]]
    mask = mask_of(mask)
    hold = one.return_sequences and not one.zero_output_for_mask
    found = walk([one.cell, other.cell], x, states, mask, (None, None), hold)
    if isinstance(found, str):
        return None  # each layer says it for itself
    output = _merged(wrapper, found, mask)
    if not wrapper.return_state:
        return output
    after = [found.hidden] if found.cell is None else [found.hidden, found.cell]
    finals = tuple(state[way] for way in (0, 1) for state in after)
    return (*output, *finals) if wrapper.merge_mode is None else (output, *finals)


def _merged(wrapper: Any, found: Walk, mask: Tensor | None) -> Any:
    mode = wrapper.merge_mode
    if wrapper.return_sequences:
        if mode == "concat":
            return found.output
        y, y_rev = found.output.chunk(2, -1)
    else:
        zero = wrapper.forward_layer.zero_output_for_mask
        y, y_rev = (found.last(mask, way, zero) for way in (0, 1))
    if mode == "concat":
        return torch.cat([y, y_rev], -1)
    if mode is None:
        return y, y_rev
    if mode == "mul":
        return y * y_rev
    return y + y_rev if mode == "sum" else (y + y_rev) / 2
