"""Random masks of dropout and zoneout, drawn outside of the paths so that all see the same ones."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from relembra.engine._spec import CellSpec, StackSpec

__all__ = ["LayerNoise", "StackNoise", "draw_noise"]


class LayerNoise(NamedTuple):
    """Masks of one layer and direction; None where the cell has no such option."""

    state: Tensor | None = None  # (B, P), or (B, G, P) for each gate   0 or 1/(1-p)
    candidate: Tensor | None = None  # (B, T, H)  0 or 1/(1-p)
    weights: Tensor | None = None  # (G*H, P)   0 or 1/(1-p)
    zoneout_hidden: Tensor | None = None  # (B, T, P)  1 keeps the old state
    zoneout_cell: Tensor | None = None  # (B, T, H)  1 keeps the old state


class StackNoise(NamedTuple):
    """Masks of a stack: for each layer and direction, and for the gaps between layers."""

    layers: tuple[LayerNoise, ...]
    between: tuple[Tensor | None, ...]  # num_layers - 1 of (B, T, D*P)

    @property
    def gate_masks(self) -> bool:
        """Whether each gate sees the state through a mask of its own."""
        return any(own.state is not None and own.state.dim() == 3 for own in self.layers)


def draw_noise(
    spec: StackSpec, batch: int, steps: int, like: Tensor, generator: torch.Generator | None = None
) -> StackNoise | None:
    """Draw the masks of one training call, or None when the stack uses none.

    Parameters
    ----------
    spec
        The stack.
    batch, steps
        B and T.
    like
        A tensor whose dtype and device the masks take.
    generator
        Source of randomness; PyTorch's default one when None.

    Examples
    --------
    >>> cell = CellSpec(kind="lstm", recurrent_dropout=0.5)
    >>> noise = draw_noise(StackSpec(cell=cell, input_size=1, hidden_size=4), 2, 3, torch.ones(1))
    >>> noise.layers[0].state.shape
    torch.Size([2, 4])
    """
    cell = spec.cell
    if not spec.has_noise:
        return None

    def ones_with(rate: float, *shape: int) -> Tensor:
        chance = torch.empty(shape, dtype=like.dtype, device=like.device)
        return chance.bernoulli_(rate, generator=generator)

    def dropout(rate: float, *shape: int) -> Tensor:
        kept = ones_with(1.0 - rate, *shape)
        return kept if rate == 1.0 else kept / (1.0 - rate)

    gates = (len(cell.gate_names),) if _drops(cell, "gates") else ()
    layers = tuple(
        LayerNoise(
            state=dropout(cell.recurrent_dropout, batch, *gates, spec.state_size)
            if _drops(cell, "state") or _drops(cell, "gates")
            else None,
            candidate=dropout(cell.recurrent_dropout, batch, steps, spec.hidden_size)
            if _drops(cell, "candidate")
            else None,
            weights=dropout(
                cell.recurrent_dropout, len(cell.gate_names) * spec.hidden_size, spec.state_size
            )
            if _drops(cell, "weights")
            else None,
            zoneout_hidden=ones_with(cell.zoneout_hidden, batch, steps, spec.state_size)
            if cell.zoneout_hidden
            else None,
            zoneout_cell=ones_with(cell.zoneout_cell, batch, steps, spec.hidden_size)
            if cell.zoneout_cell
            else None,
        )
        for _ in spec.suffixes()
    )
    gap = spec.state_size * spec.directions
    drawn = 1 if spec.locked_dropout else steps
    between = tuple(
        dropout(spec.dropout, batch, drawn, gap).expand(batch, steps, gap) if spec.dropout else None
        for _ in range(spec.num_layers - 1)
    )
    return StackNoise(layers, between)


def _drops(cell: CellSpec, kind: str) -> bool:
    return cell.recurrent_dropout > 0.0 and cell.recurrent_dropout_kind == kind
