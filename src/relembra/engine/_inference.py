"""The shortest way to the native core, for calls that record no gradient.

A layer that is called again and again without gradients (a policy, a request of a server) spends
more time in Python than in the kernels when its sequences are short. Where nothing but the values
can have changed since the last call, this module goes to the kept packed weights directly. What it
does not take goes the usual way and gives the same bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from relembra.engine._form import FIELDS, native_shape
from relembra.engine._functional import is_functional
from relembra.engine._native_path import like_steps, pack_by_addresses
from relembra.engine._packed import kept
from relembra.engine._spec import StackSpec

__all__ = ["infer"]

_TYPES = (torch.float32, torch.float64)


def infer(
    spec: StackSpec,
    parameters: Mapping[str, Tensor | None],
    x: Tensor,
    hidden: Tensor | None,
    cell: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor | None] | None:
    """Return output (B, T, D*P) and final states, or None where the usual way must be taken.

    Parameters
    ----------
    spec
        The stack.
    parameters
        By PyTorch's names. Those of another number or kind than the stack has are not taken.
    x
        Input, (B, T, I).
    hidden, cell
        Initial states, (L*D, B, P) and (L*D, B, H), or None for zeros.
    """
    if torch.is_grad_enabled() or _is_watched() or not _fits(spec, x, hidden, cell):
        return None
    names, count = _order_of(spec)
    held = _held(names, parameters, x.dtype) if len(parameters) == count else None
    if held is None:
        return None
    shape = native_shape(spec, masks=False)
    packed = kept(held, shape, pack_by_addresses(shape, x.dtype))
    return None if packed is None else _run(spec, packed, x, hidden, cell)


def _held(
    names: Sequence[str | None], parameters: Mapping[str, Tensor | None], dtype: torch.dtype
) -> list[Tensor | None] | None:
    """Return the parameters in order, None where the cell has none; None if one is not there."""
    held: list[Tensor | None] = []
    for name in names:
        tensor = None if name is None else parameters.get(name)
        if name is not None and (tensor is None or tensor.dtype is not dtype):
            return None
        held.append(tensor)
    return held


def _is_watched() -> bool:
    """Whether something other than the values may matter: a graph, a transform, a mode."""
    return (
        torch.compiler.is_compiling()
        or is_functional()
        or torch._C._len_torch_dispatch_stack() > 0
        or forward_ad._current_level >= 0
        or torch.is_autocast_enabled("cpu")
    )


def _fits(spec: StackSpec, x: Tensor, hidden: Tensor | None, cell: Tensor | None) -> bool:
    if type(x) is not Tensor or not x.is_cpu or x.dtype not in _TYPES or x.layout != torch.strided:
        return False
    rows, _, inputs = x.shape
    if inputs != spec.input_size or (x.stride(2) != 1 and inputs > 1):
        return False
    if hidden is None or not spec.cell.has_cell_state:
        if cell is not None:
            return False
        if hidden is None:
            return True
    count = spec.num_layers * spec.directions
    states: list[tuple[Tensor | None, int]] = [(hidden, spec.state_size)]
    if spec.cell.has_cell_state:
        states.append((cell, spec.hidden_size))
    return all(
        type(t) is Tensor
        and t.shape == (count, rows, features)
        and t.dtype is x.dtype
        and t.is_cpu
        and t.layout == torch.strided
        and t.is_contiguous()
        for t, features in states
    )


@lru_cache(maxsize=256)
def _order_of(spec: StackSpec) -> tuple[Sequence[str | None], int]:
    """Return the names of the parameters as the core takes them, and how many there are."""
    known = spec.parameter_shapes()
    names = [field + suffix for suffix in spec.suffixes() for field in FIELDS]
    return [name if name in known else None for name in names], len(known)


def _run(
    spec: StackSpec, packed: Any, x: Tensor, hidden: Tensor | None, cell: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    rows, steps = x.shape[0], x.shape[1]
    count = spec.num_layers * spec.directions
    output = like_steps(x, spec.state_size * spec.directions)
    last = x.new_empty(count, rows, spec.state_size)
    last_cell = x.new_empty(count, rows, spec.hidden_size) if spec.cell.has_cell_state else None
    packed.run(
        rows,
        steps,
        x.data_ptr(),
        x.stride(0),
        x.stride(1),
        0 if hidden is None else hidden.data_ptr(),
        0 if cell is None else cell.data_ptr(),
        output.data_ptr(),
        output.stride(0),
        output.stride(1),
        last.data_ptr(),
        0 if last_cell is None else last_cell.data_ptr(),
        torch.get_num_threads(),
    )
    return output, last, last_cell
