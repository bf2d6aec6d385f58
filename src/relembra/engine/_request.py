"""One call of a recurrent stack, checked: what is asked for and what comes back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from relembra._errors import ConfigError, DataError
from relembra.engine._noise import StackNoise
from relembra.engine._spec import LayerWeights, StackSpec

__all__ = ["Recurrence", "Request", "Trace", "check_recompute"]


@dataclass(frozen=True, kw_only=True)
class Request:
    """Everything that a path needs; shapes are checked by `check`.

    B rows, T steps, I inputs, H units, P outputs, D directions, L layers.
    """

    spec: StackSpec
    weights: list[LayerWeights]  # L*D
    x: Tensor  # (B, T, I)
    lengths: Tensor | None = None  # (B,) integers in 0…T
    mask: Tensor | None = None  # (B, T) bool, True = take the step
    reset: Tensor | None = None  # (B, T) bool, True = a segment begins here
    hidden: Tensor | None = None  # (L*D, B, P) initial state
    cell: Tensor | None = None  # (L*D, B, H) initial cell state, lstm
    noise: StackNoise | None = None
    hold_output: bool = False  # masked steps repeat the output instead of giving zero
    trace: bool = False
    recompute: bool | int = (
        False  # keep every so many-th state for backward; True: every sqrt(T)-th
    )

    def segment(self) -> int:
        """Return after how many steps a state is kept for backward, 0 when all are."""
        if not self.recompute or not torch.is_grad_enabled():
            return 0
        steps = self.x.shape[1]
        return max(1, math.isqrt(steps)) if self.recompute is True else self.recompute

    def initial(self) -> tuple[Tensor, Tensor | None]:
        """Return the initial states, zeros where none were given."""
        spec, rows = self.spec, self.x.shape[0]
        count = spec.num_layers * spec.directions
        hidden, cell = self.hidden, self.cell
        if hidden is None:
            hidden = self.x.new_zeros(count, rows, spec.state_size)
        if cell is None and spec.cell.has_cell_state:
            cell = self.x.new_zeros(count, rows, spec.hidden_size)
        return hidden, cell

    @property
    def gate_masks(self) -> bool:
        """Whether each gate sees the state through a mask of its own."""
        return self.noise is not None and self.noise.gate_masks

    def inside(self) -> Tensor | None:
        """Return which steps are within the lengths, (B, T), or None when all are."""
        if self.lengths is None:
            return None
        steps = torch.arange(self.x.shape[1], device=self.x.device)
        return steps < self.lengths.to(self.x.device)[:, None]  # (B, T)

    def check(self) -> None:
        """Check shapes, types and ranges.

        Raises
        ------
        DataError
            What does not fit is named, with the shape that was expected.
        ConfigError
            `recompute` is no number of steps.
        """
        check_recompute(self.recompute)
        if self.x.dim() != 3:
            raise DataError(f"input has {self.x.dim()} dimensions, expected 3: (B, T, I)")
        rows, steps = self.x.shape[:2]
        spec = self.spec
        count = spec.num_layers * spec.directions
        if self.x.shape[-1] != spec.input_size:
            raise DataError(f"input has {self.x.shape[-1]} features, expected {spec.input_size}")
        _expect("lengths", self.lengths, (rows,))
        _expect("mask", self.mask, (rows, steps), torch.bool)
        _expect("reset", self.reset, (rows, steps), torch.bool)
        _expect("initial hidden state", self.hidden, (count, rows, spec.state_size))
        if self.cell is not None and not spec.cell.has_cell_state:
            raise DataError(f"a {spec.cell.kind} has no cell state, but an initial one was given")
        _expect("initial cell state", self.cell, (count, rows, spec.hidden_size))
        if self.noise is not None:
            _check_noise(self.noise, spec, rows, steps)
        if self.lengths is not None:
            _check_lengths(self.lengths, steps)


def check_recompute(value: object) -> None:
    """Raise a ConfigError unless a value says how often to keep a state."""
    if not isinstance(value, int) or value < 0:
        raise ConfigError(
            f"recompute is True, False or a number of steps of at least 1, got {value!r}"
        )


def _expect(
    name: str, value: Tensor | None, shape: tuple[int, ...], dtype: torch.dtype | None = None
) -> None:
    if value is None:
        return
    if tuple(value.shape) != shape:
        raise DataError(f"{name} has shape {tuple(value.shape)}, expected {shape}")
    if dtype is not None and value.dtype != dtype:
        raise DataError(f"{name} has dtype {value.dtype}, expected {dtype}")


def _check_noise(noise: StackNoise, spec: StackSpec, rows: int, steps: int) -> None:
    count, gaps = spec.num_layers * spec.directions, spec.num_layers - 1
    if (len(noise.layers), len(noise.between)) != (count, gaps):
        raise DataError(
            f"the noise is for {len(noise.layers)} layers and directions and {len(noise.between)} "
            f"gaps between layers, expected {count} and {gaps}"
        )
    hidden, state = spec.hidden_size, spec.state_size
    gates = (len(spec.cell.gate_names),) if noise.gate_masks else ()  # in all layers alike
    shapes = {
        "state": (rows, *gates, state),
        "candidate": (rows, steps, hidden),
        "weights": (len(spec.cell.gate_names) * hidden, state),
        "zoneout_hidden": (rows, steps, state),
        "zoneout_cell": (rows, steps, hidden),
    }
    for layer in noise.layers:
        for name, shape in shapes.items():
            _expect(f"noise {name!r}", getattr(layer, name), shape)
    for gap in noise.between:
        _expect("noise between layers", gap, (rows, steps, state * spec.directions))


def _check_lengths(lengths: Tensor, steps: int) -> None:
    if lengths.dtype.is_floating_point or lengths.dtype == torch.bool:
        raise DataError(f"lengths must be integers, got {lengths.dtype}")
    if torch.compiler.is_compiling() or lengths.numel() == 0:
        return
    if torch._C._functorch.is_functorch_wrapped_tensor(lengths):
        return  # under vmap the values cannot be looked at
    low, high = int(lengths.min()), int(lengths.max())
    if low < 0 or high > steps:
        raise DataError(f"lengths must lie in 0…{steps}, got values from {low} to {high}")


@dataclass(frozen=True, kw_only=True)
class Trace:
    """States and gates at every step, for each of the L*D layers and directions.

    A step that was not taken (masked, or beyond the length) shows the state that it held, and zero
    gates. All can stand in a loss; on the native path the gradients of such a loss take the
    reference path, with a `SlowPathWarning`.
    """

    hidden: Tensor  # (L*D, B, T, P)
    cell: Tensor | None  # (L*D, B, T, H)
    gates: dict[str, Tensor]  # (L*D, B, T, H) by name


@dataclass(frozen=True, kw_only=True)
class Recurrence:
    """What a recurrent stack returns."""

    output: Tensor  # (B, T, D*P) of the last layer
    hidden: Tensor  # (L*D, B, P) final state
    cell: Tensor | None  # (L*D, B, H) final cell state, lstm
    trace: Trace | None
    path: str  # which path computed it
