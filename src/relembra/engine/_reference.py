"""The reference path: every option, every dtype, gradients of any order, a loop in plain torch.

No operation writes in place, so that autograd, `torch.func` and double backward all see through.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from relembra.engine._cells import (
    CELL_STEPS,
    CellStep,
    StepNoise,
    input_projection,
    recurrent_weight,
)
from relembra.engine._noise import LayerNoise, StackNoise
from relembra.engine._request import Recurrence, Request, Trace
from relembra.engine._spec import CellSpec, LayerWeights

__all__ = ["run_reference"]


@dataclass(frozen=True)
class _Walk:
    """One layer, one direction: the steps in time order, and the final state."""

    output: Tensor  # (B, T, P)
    final: CellStep
    steps: list[CellStep]  # state after each step, gates of the step; empty unless traced


def run_reference(request: Request) -> Recurrence:
    """Compute a request step by step; see `Request` for the meaning of its parts."""
    spec = request.spec
    inside, take = _steps_taken(request)
    x = request.x if take is None else torch.where(take[..., None], request.x, 0.0)
    hidden, cell = request.initial()
    noise = request.noise or _no_noise(request)
    walks: list[_Walk] = []
    for layer in range(spec.num_layers):
        if layer and (gap := noise.between[layer - 1]) is not None:
            x = x * gap
        for direction in range(spec.directions):
            k = layer * spec.directions + direction
            state = CellStep(hidden[k], None if cell is None else cell[k], ())
            walks.append(
                _walk(request, request.weights[k], x, state, noise.layers[k], take, direction == 1)
            )
        x = torch.cat([walk.output for walk in walks[-spec.directions :]], -1)  # (B, T, D*P)
        if inside is not None:
            x = torch.where(inside[..., None], x, 0.0)
    return Recurrence(
        output=x,
        hidden=torch.stack([walk.final.hidden for walk in walks]),
        cell=None if cell is None else _stack([walk.final.cell for walk in walks]),
        trace=_trace(spec.cell, walks, request) if request.trace else None,
        path="reference",
    )


def _no_noise(request: Request) -> StackNoise:
    count = len(request.weights)
    return StackNoise((LayerNoise(),) * count, (None,) * (request.spec.num_layers - 1))


def _stack(tensors: list[Tensor | None], dim: int = 0) -> Tensor:
    return torch.stack([t for t in tensors if t is not None], dim)


def _steps_taken(request: Request) -> tuple[Tensor | None, Tensor | None]:
    """Return (inside the lengths, taken), each (B, T) or None when all are."""
    inside = request.inside()
    if request.mask is None:
        return inside, inside
    mask = request.mask.to(request.x.device)
    return inside, mask if inside is None else mask & inside


def _cleared(state: CellStep, now: Tensor | None) -> CellStep:
    """Zero the state of the rows where a segment begins or ends."""
    if now is None:
        return state
    zero = now[:, None]
    cell = None if state.cell is None else torch.where(zero, 0.0, state.cell)
    return CellStep(torch.where(zero, 0.0, state.hidden), cell, ())


def _held(take: Tensor | None, old: CellStep, new: CellStep) -> CellStep:
    """Keep the old state of the rows that do not take this step."""
    if take is None:
        return new
    now = take[:, None]
    cell = None
    if new.cell is not None and old.cell is not None:
        cell = torch.where(now, new.cell, old.cell)
    gates = tuple(torch.where(now, gate, 0.0) for gate in new.gates)
    return CellStep(torch.where(now, new.hidden, old.hidden), cell, gates)


def _at(mask: Tensor | None, t: int) -> Tensor | None:
    return None if mask is None else mask[:, t]


def _step_noise(spec: CellSpec, noise: LayerNoise, t: int) -> StepNoise:
    keep_h, keep_c = _at(noise.zoneout_hidden, t), _at(noise.zoneout_cell, t)
    return StepNoise(
        noise.state,
        _at(noise.candidate, t),
        spec.zoneout_hidden if keep_h is None else keep_h,
        spec.zoneout_cell if keep_c is None else keep_c,
    )


def _walk(
    request: Request,
    w: LayerWeights,
    x: Tensor,
    state: CellStep,
    noise: LayerNoise,
    take: Tensor | None,
    reverse: bool,
) -> _Walk:
    u = recurrent_weight(w, noise)
    shown = torch.zeros_like(state.hidden)
    outputs: list[Tensor] = []
    steps: list[CellStep] = []
    for times in _stretches(request, reverse):

        def stretch(
            state: CellStep, shown: Tensor, times: range = times
        ) -> tuple[list[Tensor], CellStep, list[CellStep]]:
            return _stretch(request, w, u, x, state, shown, noise, take, times)

        if request.segment():
            # Noise comes from outside, so nothing random has to be repeated.
            some, state, traced = checkpoint(
                stretch, state, shown, use_reentrant=False, preserve_rng_state=False
            )
        else:
            some, state, traced = stretch(state, shown)
        shown = some[-1]
        outputs += some
        steps += traced
    if reverse:
        outputs.reverse()
        steps.reverse()
    output = (
        torch.stack(outputs, 1) if outputs else x.new_zeros(*x.shape[:2], state.hidden.shape[-1])
    )
    return _Walk(output, state, steps)


def _stretches(request: Request, reverse: bool) -> list[range]:
    """Return the steps in the order of the walk, in parts of which backward keeps only the ends."""
    length = request.x.shape[1]
    size = request.segment() or max(1, length)
    if reverse:
        return [range(t, max(-1, t - size), -1) for t in range(length - 1, -1, -size)]
    return [range(t, min(length, t + size)) for t in range(0, length, size)]


def _stretch(
    request: Request,
    w: LayerWeights,
    u: Tensor,
    x: Tensor,
    state: CellStep,
    shown: Tensor,
    noise: LayerNoise,
    take: Tensor | None,
    times: range,
) -> tuple[list[Tensor], CellStep, list[CellStep]]:
    """Take some steps; return what they show, the state after them, and for a trace all states."""
    spec, length, reverse = request.spec.cell, x.shape[1], times.step < 0
    step = CELL_STEPS[spec.kind]
    first = min(times)
    gx = input_projection(spec, w, x[:, first : max(times) + 1])  # (B, len(times), G*H)
    reset = _resets(request)
    outputs: list[Tensor] = []
    steps: list[CellStep] = []
    for t in times:
        # Going forward a segment begins before its first step; going backward it ends after it.
        # Hence the clear comes before step t forward, and before step t-1 backward.
        begins = _at(reset, t + 1) if reverse and t + 1 < length else None
        begins = begins if reverse else _at(reset, t)
        state = _cleared(state, begins)
        taken = _at(take, t)
        new = step(spec, w, u, gx[:, t - first], state, _step_noise(spec, noise, t))
        state = _held(taken, state, new)
        shown = _output(request.hold_output, state.hidden, shown, taken, begins)
        outputs.append(shown)
        if request.trace:
            steps.append(state)
    return outputs, state._replace(gates=()), steps


def _resets(request: Request) -> Tensor | None:
    """Return where segments begin; beyond the length a reset means nothing."""
    if request.reset is None:
        return None
    reset, inside = request.reset.to(request.x.device), request.inside()
    return reset if inside is None else reset & inside


def _output(
    hold: bool, hidden: Tensor, shown: Tensor, taken: Tensor | None, begins: Tensor | None
) -> Tensor:
    """Return what a step shows: its state or, where it is not taken, zero or the output before."""
    if taken is None:
        return hidden
    if not hold:
        return torch.where(taken[:, None], hidden, 0.0)
    if begins is not None:
        shown = torch.where(begins[:, None], 0.0, shown)
    return torch.where(taken[:, None], hidden, shown)


def _trace(spec: CellSpec, walks: list[_Walk], request: Request) -> Trace:
    rows, width = request.x.shape[0], request.spec.hidden_size

    def over_time(values: list[list[Tensor]], features: int) -> Tensor:
        empty = request.x.new_zeros(rows, 0, features)
        return torch.stack([torch.stack(v, 1) if v else empty for v in values])

    cells = [[s.cell for s in walk.steps if s.cell is not None] for walk in walks]
    return Trace(
        hidden=over_time(
            [[s.hidden for s in walk.steps] for walk in walks], request.spec.state_size
        ),
        cell=over_time(cells, width) if spec.has_cell_state else None,
        gates={
            name: over_time([[s.gates[i] for s in walk.steps] for walk in walks], width)
            for i, name in enumerate(spec.gate_names)
        },
    )
