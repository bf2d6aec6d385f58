"""States as PyTorch's modules take and give them: checked, batched, in another order of rows."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from relembra.engine import StackSpec

__all__ = ["Hidden", "add_batch", "check_hidden", "drop_batch", "permute"]

Hidden = Tensor | tuple[Tensor, Tensor]
"""A state as PyTorch gives it: h for RNN and GRU, (h, c) for LSTM."""


def check_hidden(name: str, spec: StackSpec, hx: Hidden, rows: int | None) -> None:
    """Raise PyTorch's errors for a state that does not fit; `name` is the layer's class."""
    is_lstm = spec.cell.has_cell_state
    if isinstance(hx, tuple) != is_lstm or (isinstance(hx, tuple) and len(hx) != 2):
        wanted = "a pair (h_0, c_0)" if is_lstm else "a tensor h_0"
        got = f"{len(hx)} of them" if isinstance(hx, tuple) else "a tensor"
        raise TypeError(f"{name}: hx must be {wanted}, got {got}")
    states = hx if isinstance(hx, tuple) else (hx,)
    _check_dims([state.dim() for state in states], 2 if rows is None else 3)
    count = spec.num_layers * spec.directions
    batch = () if rows is None else (rows,)
    for i, (state, size) in enumerate(
        zip(states, (spec.state_size, spec.hidden_size), strict=False)
    ):
        expected = (count, *batch, size)
        if tuple(state.shape) != expected:
            label = f"hidden[{i}]" if is_lstm else "hidden"
            raise RuntimeError(f"Expected {label} size {expected}, got {list(state.shape)}")


def _check_dims(dims: list[int], expected: int) -> None:
    if all(n == expected for n in dims):
        return
    kind = "batched 3-D" if expected == 3 else "unbatched 2-D"
    names, got, end = "hx", f"{dims[0]}-D", "tensor"
    if len(dims) == 2:
        names, got, end = "hx and cx", f"({dims[0]}-D, {dims[1]}-D)", "tensors"
    raise RuntimeError(f"For {kind} input, {names} should also be {expected}-D but got {got} {end}")


def add_batch(hx: Hidden | None) -> Hidden | None:
    """Make a batch of one of an unbatched state."""
    if isinstance(hx, tuple):
        return hx[0].unsqueeze(1), hx[1].unsqueeze(1)
    return None if hx is None else hx.unsqueeze(1)


def drop_batch(hx: Hidden) -> Hidden:
    """Undo `add_batch`."""
    return (hx[0].squeeze(1), hx[1].squeeze(1)) if isinstance(hx, tuple) else hx.squeeze(1)


def permute(hx: Any, order: Tensor | None) -> Any:
    """Put the rows of a state in another order, None being the one they have."""
    if order is None or hx is None:
        return hx
    if isinstance(hx, tuple):
        return tuple(state.index_select(1, order) for state in hx)
    return hx.index_select(1, order)
