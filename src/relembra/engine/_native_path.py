"""The native path: our own kernels on the CPU, a whole stack in one call, forward and backward."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from relembra import _native
from relembra._errors import SlowPathWarning
from relembra.engine._form import FIELDS, native_shape, parameters_of
from relembra.engine._functional import is_functional, run_functional
from relembra.engine._holding import hold_output
from relembra.engine._native_refusal import computed, in_graph
from relembra.engine._noise import StackNoise
from relembra.engine._operators import address_of, place_of, run_operator, steps_of
from relembra.engine._packed import kept
from relembra.engine._reference import run_reference
from relembra.engine._request import Recurrence, Request, Trace
from relembra.engine._spec import LayerWeights, StackSpec

__all__ = [
    "like_steps",
    "pack_by_addresses",
    "pack_weights",
    "run_native",
    "run_packed",
]

_FIELDS = len(FIELDS)
_THROUGH_STEPS = (
    "gradients that come through the states and gates of single steps (trace=True) take the slow "
    "reference path; a loss of output and final states alone does not"
)


class _Given(NamedTuple):
    """The parts of a request that are no leaves of autograd."""

    spec: StackSpec
    request: Request
    lengths: Tensor | None
    mask: Tensor | None
    reset: Tensor | None
    masks: tuple[Tensor | None, ...]  # four for each layer and direction, or none at all
    gaps: tuple[Tensor | None, ...]
    segment: int  # every so many-th state is kept for backward, 0: all


def run_native(request: Request) -> Recurrence:
    """Compute a request that `native_refusal` does not refuse."""
    request = computed(request)
    trace = None
    if is_functional():
        output, hidden, cell = run_functional(request)
    elif in_graph(request):
        output, hidden, cell = run_operator(request)
    else:
        output, hidden, cell, *steps = _run_directly(request)
        if steps:
            names = request.spec.cell.gate_names
            gates = dict(zip(names, steps[2:], strict=True))
            trace = Trace(hidden=steps[0], cell=steps[1], gates=gates)
    if request.hold_output and request.mask is not None:
        output = hold_output(request, output)
    return Recurrence(output=output, hidden=hidden, cell=cell, trace=trace, path="native")


def _run_directly(request: Request) -> Any:
    """Return output, final states and, where asked for, what `_steps` returns."""
    given = _given(request)
    leaves: list[Tensor | None] = [request.x, request.hidden, request.cell]
    for index, weights in enumerate(request.weights):
        leaves += parameters_of(weights)
        if request.noise and (dropped := request.noise.layers[index].weights) is not None:
            leaves[3 + _FIELDS * index + 1] = weights.weight_hh * dropped
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in leaves):
        return _Native.apply(given, *leaves)  # type: ignore[no-untyped-call]
    output, hidden, cell, tape = _forward(given, leaves, keep=request.trace)
    if not request.trace:
        return output, hidden, cell
    return output, hidden, cell, *_steps(given, leaves, output, tape)


def run_packed(request: Request, packed: Any) -> tuple[Tensor, Tensor, Tensor | None]:
    """Compute a request without noise by weights that are packed already; its own are not read."""
    absent = [None] * _FIELDS * request.spec.num_layers * request.spec.directions
    leaves = [request.x, request.hidden, request.cell, *absent]
    output, hidden, cell, _ = _forward(_given(request), leaves, keep=False, packed=packed)
    return output, hidden, cell


def _given(request: Request) -> _Given:
    spec = request.spec
    return _Given(
        spec,
        request,
        _plain(request.lengths, torch.int64),
        _plain(request.mask, torch.bool),
        _plain(request.reset, torch.bool),
        _layer_masks(request.noise),
        tuple(_plain(gap, None) for gap in request.noise.between)
        if request.noise
        else (None,) * (spec.num_layers - 1),
        0 if request.trace else request.segment(),  # a trace shows every step
    )


def _layer_masks(noise: StackNoise | None) -> tuple[Tensor | None, ...]:
    if noise is None:
        return ()
    masks = tuple(_plain(t, None) for n in noise.layers for t in (*n[:2], *n[3:]))
    return masks if any(t is not None for t in masks) else ()


def _plain(tensor: Tensor | None, dtype: torch.dtype | None) -> Tensor | None:
    """Return the values side by side on the CPU."""
    if tensor is None:
        return None
    return tensor.detach().to(device="cpu", dtype=dtype or tensor.dtype).contiguous()


def like_steps(x: Tensor, features: int) -> Tensor:
    """Return fresh memory (B, T, features), time-major in memory where x is."""
    rows, steps = x.shape[0], x.shape[1]
    if x.stride(0) < x.stride(1):
        return x.new_empty(steps, rows, features).transpose(0, 1)
    return x.new_empty(rows, steps, features)


def _input(given: _Given, x: Tensor, leaves: list[Tensor | None]) -> Any:
    return _native.Input(
        x.dtype == torch.float64,
        x.shape[0],
        x.shape[1],
        address_of(given.lengths),
        address_of(given.mask),
        address_of(given.reset),
        x.data_ptr(),
        x.stride(0),
        x.stride(1),
        [address_of(t) for t in leaves[3:]],
        address_of(leaves[1]),
        address_of(leaves[2]),
        [address_of(mask) for mask in given.masks],
        [address_of(gap) for gap in given.gaps],
        torch.get_num_threads(),
    )


def _forward(
    given: _Given, leaves: list[Tensor | None], keep: bool, packed: Any | None = None
) -> tuple[Tensor, Tensor, Tensor | None, Any]:
    plain = _side_by_side(leaves)
    spec, x = given.spec, plain[0]
    shape = native_shape(spec, bool(given.masks), given.request.gate_masks)
    output = like_steps(x, spec.state_size * spec.directions)  # (B, T, D*P)
    hidden, cell = _states(spec, x)
    if packed is None and not keep and not _is_small(spec):
        packed = _packed(shape, x.dtype, leaves[3:])
    tape = _native.forward(
        shape,
        _input(given, x, plain),
        output.data_ptr(),
        output.stride(0),
        output.stride(1),
        hidden.data_ptr(),
        address_of(cell),
        keep,
        0,
        packed,
        given.segment,
    )
    return output, hidden, cell, tape


def _states(spec: StackSpec, x: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return fresh memory for the hidden states (L*D, B, P) and the cell states (L*D, B, H)."""
    before = (spec.num_layers * spec.directions, x.shape[0])
    hidden = x.new_empty(*before, spec.state_size)
    return hidden, x.new_empty(*before, spec.hidden_size) if spec.cell.has_cell_state else None


def _is_small(spec: StackSpec) -> bool:
    """Whether to pack the weights takes no longer than to find them packed."""
    return spec.num_layers * spec.hidden_size * (spec.input_size + spec.hidden_size) < 2048


def _packed(shape: Any, dtype: torch.dtype, parameters: list[Tensor | None]) -> Any:
    """Return the packed weights that are kept for inference, or None where none can be."""
    return kept(parameters, shape, pack_by_addresses(shape, dtype))


def pack_by_addresses(shape: Any, dtype: torch.dtype) -> Callable[[list[int]], Any]:
    """Return what packs the weights that lie at some addresses."""

    def pack(addresses: list[int]) -> Any:
        threads = torch.get_num_threads()
        return _native.PackedWeights(shape, dtype == torch.float64, addresses, threads)

    return pack


def pack_weights(spec: StackSpec, weights: list[LayerWeights]) -> Any:
    """Return a snapshot of the weights in the order in which the core reads them."""
    # A list, so that copies made by contiguous() live until they are packed.
    held = [None if t is None else t.contiguous() for w in weights for t in parameters_of(w)]
    return _native.PackedWeights(
        native_shape(spec, masks=False),
        weights[0].weight_ih.dtype == torch.float64,
        [address_of(t) for t in held],
        torch.get_num_threads(),
    )


def _side_by_side(leaves: list[Tensor | None]) -> list[Any]:
    return [
        steps_of(t) if i == 0 and t is not None else None if t is None else t.contiguous()
        for i, t in enumerate(leaves)
    ]


def _steps(
    given: _Given, leaves: list[Tensor | None], output: Tensor, tape: Any
) -> list[Tensor | None]:
    """Return what was kept of every step: hidden, cell, and each gate, all (L*D, B, T, H)."""
    plain = _side_by_side(leaves)
    spec, x = given.spec, plain[0]
    shape = (spec.num_layers * spec.directions, *x.shape[:2], spec.hidden_size)
    hidden = x.new_empty(shape)
    cell = x.new_empty(shape) if spec.cell.has_cell_state else None
    gates = [x.new_empty(shape) for _ in spec.cell.gate_names]
    places = [address_of(gate) for gate in gates]
    call = (tape, _input(given, x, plain), *place_of(output))
    _native.trace(*call, hidden.data_ptr(), address_of(cell), places)
    return [hidden, cell, *gates]


class _Native(torch.autograd.Function):
    """The stack with its gradients; those of higher order go through the reference path.

    So do gradients of single steps' states and gates, and say so.
    """

    @staticmethod
    def forward(ctx: Any, given: _Given, *leaves: Tensor | None) -> Any:
        output, hidden, cell, tape = _forward(given, list(leaves), keep=True)
        ctx.given, ctx.tape = given, tape
        ctx.save_for_backward(output, *leaves)
        ctx.set_materialize_grads(False)
        if not given.request.trace:
            return output, hidden, cell
        return output, hidden, cell, *_steps(given, list(leaves), output, tape)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor | None) -> Any:
        output, *leaves = ctx.saved_tensors
        through_steps = any(d is not None for d in upstream[3:])
        again = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in leaves)
        if through_steps:
            warnings.warn(_THROUGH_STEPS, SlowPathWarning, stacklevel=2)
        if through_steps and not again:
            leaves = [None if t is None else t.detach().requires_grad_() for t in leaves]
        if through_steps or again:
            with torch.enable_grad():
                return (None, *_differentiable(ctx, leaves, upstream, create_graph=again))
        return (None, *_backward(ctx, output, leaves, upstream))


def _backward(
    ctx: Any, output: Tensor, leaves: list[Tensor | None], upstream: tuple[Tensor | None, ...]
) -> list[Tensor | None]:
    given: _Given = ctx.given
    needed = ctx.needs_input_grad[1:]
    plain = _side_by_side(leaves)
    x = plain[0]
    d_output = None if upstream[0] is None else steps_of(upstream[0])
    d_hidden = None if upstream[1] is None else upstream[1].contiguous()
    d_cell = None if upstream[2] is None else upstream[2].contiguous()
    d_x = like_steps(x, x.shape[2]) if needed[0] else None
    d_hidden0, d_cell0 = _states(given.spec, x)
    d_weights = [
        None if t is None else torch.empty_like(t, memory_format=torch.contiguous_format)
        for t in plain[3:]
    ]
    _native.backward(
        ctx.tape,
        _input(given, x, plain),
        *place_of(output),
        *place_of(d_output),
        address_of(d_hidden),
        address_of(d_cell),
        *place_of(d_x),
        d_hidden0.data_ptr(),
        address_of(d_cell0),
        [address_of(t) for t in d_weights],
    )
    found = [d_x, d_hidden0, d_cell0, *d_weights]
    return [g if wanted else None for g, wanted in zip(found, needed, strict=True)]


def _differentiable(
    ctx: Any,
    leaves: list[Tensor | None],
    upstream: tuple[Tensor | None, ...],
    create_graph: bool,
) -> list[Tensor | None]:
    """Return the gradients, differentiable if wanted, by way of the reference path."""
    given: _Given = ctx.given
    weights = [
        LayerWeights(*leaves[at : at + _FIELDS])  # type: ignore[arg-type]
        for at in range(3, len(leaves), _FIELDS)
    ]
    noise = given.request.noise
    if noise:  # the recurrent weights among the leaves are masked already
        noise = noise._replace(layers=tuple(n._replace(weights=None) for n in noise.layers))
    request = replace(
        given.request,
        weights=weights,
        x=cast(Tensor, leaves[0]),
        hidden=leaves[1],
        cell=leaves[2],
        noise=noise,
        hold_output=False,
        trace=any(d is not None for d in upstream[3:]),
    )
    result = run_reference(request)
    results: list[Tensor | None] = [result.output, result.hidden, result.cell]
    if result.trace:
        results += [result.trace.hidden, result.trace.cell, *result.trace.gates.values()]
    pairs = [
        (y, d) for y, d in zip(results, upstream, strict=False) if y is not None and d is not None
    ]
    wanted = [i for i, needed in enumerate(ctx.needs_input_grad[1:]) if needed]
    gradients: list[Tensor | None] = [None] * len(leaves)
    if not pairs:
        return gradients
    found = torch.autograd.grad(
        [y for y, _ in pairs],
        [leaf for i in wanted if (leaf := leaves[i]) is not None],
        [d for _, d in pairs],
        create_graph=create_graph,
        allow_unused=True,
    )
    for i, gradient in zip(wanted, found, strict=True):
        gradients[i] = gradient
    return gradients
