"""`nn.RNNCell`, `nn.LSTMCell` and `nn.GRUCell`: the engine's step where it is the faster one.

PyTorch's cells are one fused kernel of little overhead. Ours wins by its matrix products, so it is
taken for steps that are large enough; every other call is PyTorch's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from relembra._accelerate._spec import Plan, groups_of, plan_of
from relembra._accelerate._stacks import NO_SCRIPT, is_leaving
from relembra._errors import ConfigError
from relembra.engine import Request, choose, run

__all__ = ["LEAST_WORK", "AcceleratedCell"]

LEAST_WORK = 8_000_000
"""Multiplications of a step from which on ours is faster (benchmarks/peers/accelerate.py)."""

_FIELDS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")

if TYPE_CHECKING:
    _Base = nn.LSTMCell
else:
    _Base = object


class AcceleratedCell(_Base):
    """What the accelerated cells share; it stands before PyTorch's class in the bases."""

    _gates: int

    def forward(self, input: Any, hx: Any = None) -> Any:
        """Take one step; see PyTorch's documentation of the cell."""
        # The usual cases first: every microsecond counts beside a kernel of ten.
        if not isinstance(input, Tensor) or self._is_small(input) or _in_a_graph():
            return super().forward(input, hx)
        request = None if is_leaving() else self._prepare(input, hx)
        if request is None or choose(request).path != "native":
            return super().forward(input, hx)
        result = run(request, "native")
        row = 0 if input.dim() == 2 else (0, 0)
        if result.cell is None:
            return result.hidden[row]
        return result.hidden[row], result.cell[row]

    def _is_small(self, input: Tensor) -> bool:
        inputs, units = self.input_size, self.hidden_size
        return input.numel() * self._gates * units * (inputs + units) < LEAST_WORK * inputs

    def _prepare(self, input: Tensor, hx: Any) -> Request | None:
        """Return the step as a call of the engine, or None where PyTorch's own is to be taken."""
        if input.dim() not in (1, 2) or input.shape[-1] != self.input_size or not input.numel():
            return None
        if not input.is_cpu or torch.is_autocast_enabled("cpu"):
            return None
        rows = input.shape[0] if input.dim() == 2 else 1
        plan = plan_of(self)
        flat = [getattr(self, name, None) for name in _FIELDS[: len(plan.shapes)]]
        states = _states(plan, hx, input)
        if states is None or not _fits(plan, flat, input.dtype):
            return None
        return Request(
            spec=plan.spec,
            weights=groups_of(plan, flat),  # type: ignore[arg-type]  # _fits found no None
            x=input.view(rows, 1, -1) if input.is_contiguous() else input.reshape(rows, 1, -1),
            hidden=states[0],
            cell=states[1],
        )

    def __reduce_ex__(self, protocol: Any) -> Any:
        from relembra._accelerate._classes import reduced

        return reduced(self) or super().__reduce_ex__(protocol)

    def __prepare_scriptable__(self) -> nn.Module:
        """Refuse to be compiled by TorchScript, which knows PyTorch's layers alone."""
        raise ConfigError(NO_SCRIPT)


def _in_a_graph() -> bool:
    """Return whether a compiler or a transform is to find gradients: PyTorch's kernel has rules."""
    if not torch.is_grad_enabled():
        return False
    return torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active()


def _fits(plan: Plan, flat: list[Tensor | None], dtype: torch.dtype) -> bool:
    return all(
        weight is not None and weight.shape == shape and weight.dtype == dtype
        for weight, shape in zip(flat, plan.shapes, strict=True)
    )


def _states(plan: Plan, hx: Any, x: Tensor) -> tuple[Tensor | None, Tensor | None] | None:
    """Return the states as (1, B, H), or None where they do not fit."""
    if hx is None:
        return None, None
    has_cell = plan.spec.cell.has_cell_state
    if isinstance(hx, tuple | list) != has_cell or (has_cell and len(hx) != 2):
        return None
    found: list[Tensor] = []
    for state in hx if has_cell else (hx,):
        if not isinstance(state, Tensor) or state.dtype != x.dtype:
            return None
        if state.shape != (*x.shape[:-1], plan.spec.hidden_size):
            return None
        found.append(state.view(1, -1, state.shape[-1]) if state.dim() == 1 else state[None])
    return found[0], found[1] if has_cell else None
