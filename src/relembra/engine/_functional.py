"""The native path under `torch.func`: vmap, functional gradients, gradients of each sample.

Rows are independent, so a mapped dimension of the batch is folded into the rows. Where weights are
mapped as well (ensembles), or where each sample wants weight gradients of its own, one call is made
for each. Backward computes forward again, for what forward keeps cannot be divided among samples.
Gradients of higher order go through the reference path.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import forward_ad

from relembra.engine._form import (
    Form,
    Operands,
    apart,
    form_of,
    joined,
    layers_of,
    noise_of,
    operands_of,
)
from relembra.engine._operators import call_stack
from relembra.engine._reference import run_reference
from relembra.engine._request import Request
from relembra.engine._spec import StackSpec

__all__ = ["functional_refusal", "is_forward_mode", "is_functional", "run_functional"]

_ROWS = (0, 1, 1, 0, 0, 0)  # where the rows are in x, hidden, cell, lengths, mask, reset
_HEAD = len(_ROWS)
_STATES = 3  # x, hidden and cell have gradients, as do the weights


def is_functional() -> bool:
    """Return whether a transform of `torch.func` is at work."""
    # Of several ways to ask, the one that the compiler can trace.
    return torch._C._are_functorch_transforms_active()


def is_forward_mode() -> bool:
    """Return whether forward-mode gradients are asked for, with `torch.func` or without."""
    return forward_ad._current_level >= 0


def functional_refusal() -> str | None:
    """Return which transform the native core cannot go through, or None."""
    if is_forward_mode():
        return "the native core knows no forward-mode gradients"
    if is_functional() and torch.compiler.is_compiling():
        return "the native core knows no transforms of torch.func inside torch.compile"
    return None


class _Call(NamedTuple):
    """What is no tensor."""

    spec: StackSpec
    form: Form
    counts: tuple[int, int, int]  # tensors among the weights, the masks and the gaps
    wants_weights: bool = True

    @property
    def weights(self) -> slice:
        return slice(_HEAD, _HEAD + self.counts[0])


def run_functional(request: Request) -> tuple[Tensor, Tensor, Tensor | None]:
    """Compute output and final states so that transforms can go through."""
    given = operands_of(request)
    counts = (len(given.weights), len(given.masks), len(given.gaps))
    call = _Call(request.spec, form_of(request), counts)
    output, hidden, cell = _Forward.apply(call, *apart(given))  # type: ignore[no-untyped-call]
    return output, hidden, cell if request.spec.cell.has_cell_state else None


class _Forward(torch.autograd.Function):
    """The stack; tensors in the order of `apart`."""

    @staticmethod
    def forward(call: _Call, *tensors: Any) -> Any:
        output, hidden, cell = call_stack(joined(tensors, *call.counts), call.form)
        return output, hidden, tensors[0].new_empty(0) if cell is None else cell

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.call, *tensors = inputs
        ctx.save_for_backward(*tensors)
        if not ctx.call.spec.cell.has_cell_state:
            ctx.mark_non_differentiable(output[2])

    @staticmethod
    def backward(ctx: Any, *upstream: Any) -> Any:
        tensors, needed = ctx.saved_tensors, ctx.needs_input_grad[1:]
        call = ctx.call._replace(wants_weights=any(needed[ctx.call.weights]))
        found = _Backward.apply(call, *tensors, *upstream)  # type: ignore[no-untyped-call]
        places = [*range(_STATES), *range(call.weights.start, call.weights.stop)]
        gradients = [None] * len(tensors)
        for place, gradient in zip(places, found, strict=True):
            if needed[place]:
                gradients[place] = gradient
        return (None, *gradients)

    @staticmethod
    def vmap(info: Any, in_dims: Any, call: _Call, *tensors: Any) -> Any:
        samples, dims = info.batch_size, in_dims[1:]
        if any(dim is not None for dim in dims[call.weights]):
            return _loop(_Forward.apply, samples, dims, call, tensors)
        folded, form = _fold(call, samples, dims, tensors)
        results = _Forward.apply(call._replace(form=form), *folded)  # type: ignore[no-untyped-call]
        return _unfold(results, call, samples, tensors[0], dims[0])


class _Backward(torch.autograd.Function):
    """The gradients of x, the initial states and the weights; the upstream ones come last."""

    @staticmethod
    def forward(call: _Call, *tensors: Any) -> Any:
        given, upstream = joined(tensors[:-3], *call.counts), tensors[-3:]
        output, _, _, tape = torch.ops.relembra.stack_train(*given, *call.form)
        *found, d_weights = torch.ops.relembra.stack_backward(
            *given, *call.form, output, tape, *upstream, True
        )
        if not call.wants_weights:
            d_weights = [given.x.new_empty(0) for _ in d_weights]
        return *found, *d_weights

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.call, *tensors = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, *upstream: Any) -> Any:
        tensors, call = ctx.saved_tensors, ctx.call
        needed = ctx.needs_input_grad[1:]
        places = [i for i, n in enumerate(needed) if n]

        def gradients_of(*some: Tensor) -> tuple[Tensor, ...]:
            every = list(tensors)
            for place, tensor in zip(places, some, strict=True):
                every[place] = tensor
            return _reference_gradients(call, every)

        pull = torch.func.vjp(gradients_of, *(tensors[i] for i in places))[1]
        found = dict(zip(places, pull(tuple(upstream)), strict=True))
        return (None, *(found.get(i) for i in range(len(tensors))))

    @staticmethod
    def vmap(info: Any, in_dims: Any, call: _Call, *tensors: Any) -> Any:
        samples, dims = info.batch_size, in_dims[1:]
        if call.wants_weights or any(dim is not None for dim in dims[call.weights]):
            return _loop(_Backward.apply, samples, dims, call, tensors)
        folded, form = _fold(call, samples, dims[:-3], tensors[:-3])
        d_output, d_hidden, d_cell = (
            _fold_rows(t, dim, rows, samples)
            for t, dim, rows in zip(tensors[-3:], dims[-3:], (0, 1, 1), strict=True)
        )
        found = _Backward.apply(  # type: ignore[no-untyped-call]
            call._replace(form=form), *folded, d_output, d_hidden, d_cell
        )
        parts, places = _unfold(found[:_STATES], call, samples, tensors[0], dims[0])
        rest = found[_STATES:]
        return (*parts, *rest), (*places, *(None for _ in rest))


def _loop(
    apply: Callable[..., Any],
    samples: int,
    dims: Sequence[int | None],
    call: _Call,
    tensors: Sequence[Any],
) -> Any:
    """Make one call for each sample."""
    results = []
    for i in range(samples):
        own = [t if dim is None else t.select(dim, i) for t, dim in zip(tensors, dims, strict=True)]
        results.append(apply(call, *own))
    stacked = tuple(torch.stack(parts) for parts in zip(*results, strict=True))
    return stacked, (0,) * len(stacked)


def _fold(
    call: _Call, samples: int, dims: Sequence[int | None], tensors: Sequence[Any]
) -> tuple[list[Any], Form]:
    """Make the samples rows of one call."""
    weights, masks, gaps = call.counts
    rows = [*_ROWS, *(None for _ in range(weights)), *(0 for _ in range(masks + gaps))]
    folded = [
        t if at is None else _fold_rows(t, dim, at, samples)
        for t, dim, at in zip(tensors, dims, rows, strict=True)
    ]
    x = folded[0]
    return folded, call.form._replace(time_major=bool(x.stride(0) < x.stride(1)))


def _fold_rows(tensor: Any, dim: int | None, rows: int, samples: int) -> Any:
    if tensor is None or tensor.dim() <= rows:  # the cell state of a cell that has none
        return tensor
    if dim is None:
        each = tensor.unsqueeze(rows)
        spread = each.expand(*each.shape[:rows], samples, *each.shape[rows + 1 :])
    else:
        spread = tensor.movedim(dim, rows)
    return spread.flatten(rows, rows + 1)


def _unfold(results: Any, call: _Call, samples: int, x: Tensor, x_dim: int | None) -> Any:
    """Divide the rows of output (or d_x), hidden and cell among the samples again."""
    rows = (x if x_dim is None else x.select(x_dim, 0)).shape[0]
    output, hidden, cell = results
    parts = [output.unflatten(0, (samples, rows)), hidden.unflatten(1, (samples, rows))]
    if not call.spec.cell.has_cell_state:
        return (*parts, cell), (0, 1, None)
    return (*parts, cell.unflatten(1, (samples, rows))), (0, 1, 1)


def _reference_gradients(call: _Call, tensors: Sequence[Any]) -> tuple[Tensor, ...]:
    """Return what `_Backward.forward` returns, by plain operations."""
    given, upstream = joined(tensors[:-3], *call.counts), tensors[-3:]
    states = 2 if call.spec.cell.has_cell_state else 1
    initial = _initial(given, call.form)

    def stack(x: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        cell = rest[1] if states == 2 else None
        result = run_reference(_request(call, given, x, rest[0], cell, rest[states:]))
        final = (result.output, result.hidden, result.cell)
        return tuple(t for t in final if t is not None)

    pull = torch.func.vjp(stack, given.x, *initial[:states], *given.weights)[1]
    d_x, d_hidden, *found = pull(tuple(upstream[: 1 + states]))
    nothing = given.x.new_empty(0)
    d_cell = found.pop(0) if states == 2 else nothing
    return d_x, d_hidden, d_cell, *(found if call.wants_weights else [nothing for _ in found])


def _initial(given: Operands, form: Form) -> list[Tensor]:
    """Return the initial states, zeros where none were given."""
    count, rows = form.layers * form.directions, given.x.shape[0]
    return [
        given.x.new_zeros(count, rows, features) if state is None else state
        for state, features in ((given.hidden, form.states), (given.cell, form.units))
    ]


def _request(
    call: _Call,
    given: Operands,
    x: Tensor,
    hidden: Tensor,
    cell: Tensor | None,
    weights: Sequence[Tensor],
) -> Request:
    return Request(
        spec=call.spec,
        weights=layers_of(weights, call.form),
        x=x,
        lengths=given.lengths,
        mask=given.mask,
        reset=given.reset,
        hidden=hidden,
        cell=cell,
        noise=noise_of(given, call.form),
    )
