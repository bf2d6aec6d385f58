"""The inner loop of Keras' recurrent layers, on the engine."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from relembra.keras._cells import in_gate_order, is_known
from relembra.keras._said import say_slow
from relembra.keras._sequence import Walk, walk

__all__ = ["in_trace", "inner_loop", "mask_of"]

InnerLoop = Callable[..., Any]


def inner_loop(own_way: InnerLoop) -> InnerLoop:
    """Return a method that asks the engine and falls through to Keras' own way."""

    @functools.wraps(own_way)
    def loop(
        self: Any, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> Any:
        if in_trace() or not is_known(self.cell):
            return own_way(self, sequences, initial_state, mask, training=training)
        found = _run(self, sequences, initial_state, mask, training)
        if isinstance(found, str):
            say_slow(self, found)
            return own_way(self, sequences, initial_state, mask, training=training)
        return found

    return loop


def in_trace() -> bool:
    """Return whether a graph is made that must do without us (export, TorchScript)."""
    return torch._C._is_tracing() or torch.compiler.is_exporting()


@torch.compiler.disable  # type: ignore[untyped-decorator]
def _run(layer: Any, x: Any, states: Any, mask: Any, training: bool) -> Any:
    """Return what Keras' inner loop returns (last output, outputs, states), or why not."""
    cell = layer.cell
    states = list(states) if isinstance(states, (list, tuple)) else [states]
    if layer.stateful:  # Keras writes the new states over these
        states = [state.clone() for state in states]
    mask = mask_of(mask)
    x, dropped = _dropped(cell, x) if training else (x, None)
    if isinstance(dropped, str):
        return dropped
    if layer.go_backwards:
        x, mask = x.flip(1), None if mask is None else mask.flip(1)
    hold = layer.return_sequences and not layer.zero_output_for_mask
    found = walk([cell], x, [states], mask, [dropped], hold)
    return found if isinstance(found, str) else _as_keras(layer, found, mask)


def _as_keras(layer: Any, found: Walk, mask: Tensor | None) -> Any:
    states = [found.hidden[0]] if found.cell is None else [found.hidden[0], found.cell[0]]
    if layer.return_sequences:
        return found.output[:, -1], found.output, states
    last = found.last(mask, 0, layer.zero_output_for_mask)
    return last, last.unsqueeze(1), states


def mask_of(mask: Any) -> Tensor | None:
    """Return Keras' mask as the engine's, (B, T) bool."""
    if isinstance(mask, (list, tuple)):
        mask = mask[0]
    if mask is None:
        return None
    steps: Tensor = torch.as_tensor(mask)
    return steps.reshape(steps.shape[:2]).bool()


def _dropped(cell: Any, x: Tensor) -> tuple[Tensor, Tensor | str | None]:
    """Return the input after dropout, and the mask of the state; both are Keras' own draws.

    With implementation 1, which `recurrent_dropout` brings with it in LSTM and GRU, Keras draws a
    mask for each gate: the input is then (B, T, G*I), and the mask of the state (B, G, H).
    """
    recurrent: Tensor | None = None
    if 1.0 in (cell.dropout, cell.recurrent_dropout):  # Keras' layers and cells disagree on it
        return x, "a dropout of 1"
    if cell.dropout > 0.0:
        mask = cell.get_dropout_mask(x[:, 0, :])
        each = in_gate_order(cell, mask) if isinstance(mask, list) else [mask]
        x = torch.cat([x * own.unsqueeze(1) for own in each], -1)
    # Keras' implementation 2 passes over it.
    if cell.recurrent_dropout > 0.0 and getattr(cell, "implementation", 1) == 1:
        mask = cell.get_recurrent_dropout_mask(x.new_empty(x.shape[0], cell.units))
        listed = isinstance(mask, list)
        recurrent = torch.stack(in_gate_order(cell, mask), 1) if listed else mask
    return x, recurrent
