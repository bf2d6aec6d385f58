"""Dropout between layers with PyTorch's own stream of random numbers: same seed, same masks."""

from __future__ import annotations

import torch
from torch import Tensor

from relembra._accelerate._packing import Rows, to_rows
from relembra.engine import LayerNoise, StackNoise, StackSpec

__all__ = ["draw_gaps"]


def draw_gaps(spec: StackSpec, x: Tensor, rows: Rows | None) -> StackNoise | None:
    """Draw the masks as `torch.nn.LSTM` does, time by time, or packed step by packed step."""
    if not spec.dropout or spec.num_layers == 1:
        return None
    features = spec.state_size * spec.directions
    gaps = tuple(_gap(spec.dropout, features, x, rows) for _ in range(spec.num_layers - 1))
    return StackNoise((LayerNoise(),) * len(spec.suffixes()), gaps)


def _gap(rate: float, features: int, x: Tensor, rows: Rows | None) -> Tensor:
    """Return one mask, (B, T, features)."""
    batch, steps = x.shape[0], x.shape[1]
    if rate == 1.0:  # PyTorch draws nothing then
        return x.new_zeros(batch, steps, features)
    shape = (steps, batch) if rows is None else (rows.out_of.shape[0],)
    drawn = torch.empty(*shape, features, dtype=x.dtype, device=x.device)
    drawn.bernoulli_(1.0 - rate).div_(1.0 - rate)
    return drawn.transpose(0, 1) if rows is None else to_rows(drawn, rows)
