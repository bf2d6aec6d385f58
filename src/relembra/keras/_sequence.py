"""One Keras layer, or both directions of a pair, as one call of the engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from relembra.engine import (
    LayerNoise,
    Recurrence,
    Request,
    StackNoise,
    choose,
    run,
)
from relembra.keras._cells import cell_refusal, layer_weights, stack_spec

__all__ = ["Walk", "walk"]


class Walk(NamedTuple):
    """What the engine found; D directions."""

    output: Tensor  # (B, T, D*H), in the order of the input's steps
    hidden: Tensor  # (D, B, H)
    cell: Tensor | None  # (D, B, H)

    def last(self, mask: Tensor | None, direction: int, zero: bool) -> Tensor:
        """Return the output at the last step of a direction's walk, (B, H), Keras' way.

        A masked step repeats the output before it, zero where there is none, or is zero.
        """
        hidden = self.hidden[direction]
        if mask is None:
            return hidden
        end = 0 if direction else -1
        shown = mask[:, end] if zero else mask.any(1)  # (B,)
        return torch.where(shown[:, None], hidden, 0.0)


def walk(
    cells: Sequence[Any],
    x: Tensor,
    states: Sequence[Sequence[Tensor]] | None,
    mask: Tensor | None,
    dropped: Sequence[Tensor | None],
    hold: bool,
) -> Walk | str:
    """Run one cell, or two in both directions, over (B, T, I), or return why not.

    I may be the kernel's inputs for each gate, one after another.

    Parameters
    ----------
    cells
        Keras cells of the same equations, one for each direction.
    states
        Initial states, (B, H) each, for each direction; zeros when None.
    mask
        (B, T) bool.
    dropped
        For each direction, the mask that recurrent dropout multiplies the state with, (B, H) or,
        for each gate, (B, G, H).
    hold
        Masked steps repeat the output before them instead of giving zero.
    """
    if refusal := cell_refusal(cells[0]):
        return refusal
    if x.is_meta:
        return _shapes(cells, x)
    dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
    request = Request(
        spec=stack_spec(cells[0], x.shape[2], len(cells)),
        weights=[layer_weights(cell, dtype, x.shape[2]) for cell in cells],
        x=x.to(dtype),
        mask=mask,
        hidden=_stacked(states, 0, dtype),
        cell=_stacked(states, 1, dtype) if states is not None and len(states[0]) == 2 else None,
        noise=_noise(dropped, dtype),
        hold_output=hold,
    )
    choice = choose(request)
    if choice.path != "native" and x.numel():
        return choice.reason
    return _found(run(request, choice.path), x.dtype)


def _stacked(
    states: Sequence[Sequence[Tensor]] | None, which: int, dtype: torch.dtype
) -> Tensor | None:
    if states is None:
        return None
    parts = [own[which].to(dtype) for own in states]
    return parts[0].unsqueeze(0) if len(parts) == 1 else torch.stack(parts)


def _noise(dropped: Sequence[Tensor | None], dtype: torch.dtype) -> StackNoise | None:
    if all(mask is None for mask in dropped):
        return None
    masks = [None if mask is None else mask.to(dtype) for mask in dropped]
    return StackNoise(tuple(LayerNoise(state=mask) for mask in masks), ())


def _found(result: Recurrence, dtype: torch.dtype) -> Walk:
    cell = None if result.cell is None else result.cell.to(dtype)
    return Walk(result.output.to(dtype), result.hidden.to(dtype), cell)


def _shapes(cells: Sequence[Any], x: Tensor) -> Walk:
    """Answer Keras' questions about shapes, which have no values."""
    rows, steps, units, directions = x.shape[0], x.shape[1], cells[0].units, len(cells)
    states = x.new_empty(directions, rows, units)
    two = len(cells[0].state_size) == 2 if isinstance(cells[0].state_size, list) else False
    return Walk(x.new_empty(rows, steps, units * directions), states, states if two else None)
