"""Packed sequences as rows and back, one copy each way, and one each way in backward."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["Rows", "rows_of", "to_packed", "to_rows"]


class Rows(NamedTuple):
    """Where the steps of a packed sequence are among rows: S steps in all, B rows, T at most."""

    lengths: Tensor  # (B,), not increasing
    inside: Tensor  # (B, T) bool
    into: Tensor  # (B*T,) the packed step of each place; 0 outside
    out_of: Tensor  # (S,) the place of each packed step


def rows_of(batch_sizes: Tensor) -> Rows:
    """Find the places of a packed sequence's steps."""
    rows, steps = int(batch_sizes[0]), batch_sizes.shape[0]
    inside = batch_sizes > torch.arange(rows)[:, None]  # (B, T)
    begins = batch_sizes.cumsum(0) - batch_sizes  # (T,)
    into = torch.where(inside, begins + torch.arange(rows)[:, None], 0)
    places = torch.arange(rows * steps).view(rows, steps)
    out_of = places.t()[inside.t()]  # by steps, then by rows
    return Rows(inside.sum(1), inside, into.flatten(), out_of)


def to_rows(data: Tensor, rows: Rows) -> Tensor:
    """Lay packed steps (S, features) out as (B, T, features); what is outside means nothing."""
    if data.requires_grad and torch.is_grad_enabled():
        found: Tensor = _ToRows.apply(data, rows)  # type: ignore[no-untyped-call]
    else:
        found = data.index_select(0, rows.into)
    return found.view(*rows.inside.shape, data.shape[1])


def to_packed(x: Tensor, rows: Rows) -> Tensor:
    """Pack (B, T, features) as (S, features)."""
    flat = x.reshape(-1, x.shape[2])
    if flat.requires_grad and torch.is_grad_enabled():
        return _ToPacked.apply(flat, rows)  # type: ignore[no-untyped-call, no-any-return]
    return flat.index_select(0, rows.out_of)


class _ToRows(torch.autograd.Function):
    """Every packed step goes to one place: its gradient is a selection, not a sum."""

    @staticmethod
    def forward(ctx: Any, data: Tensor, rows: Rows) -> Tensor:
        ctx.rows = rows
        return data.index_select(0, rows.into)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        if gradient.requires_grad:
            return _ToPacked.apply(gradient, ctx.rows), None  # type: ignore[no-untyped-call]
        return gradient.index_select(0, ctx.rows.out_of), None


class _ToPacked(torch.autograd.Function):
    """The other way.

    Places outside the lengths get a gradient that means nothing: the engine's output is constant
    there, so nobody reads it.
    """

    @staticmethod
    def forward(ctx: Any, flat: Tensor, rows: Rows) -> Tensor:
        ctx.rows = rows
        return flat.index_select(0, rows.out_of)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        if gradient.requires_grad:
            return _ToRows.apply(gradient, ctx.rows), None  # type: ignore[no-untyped-call]
        return gradient.index_select(0, ctx.rows.into), None
