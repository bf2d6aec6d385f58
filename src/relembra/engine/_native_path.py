"""The native path: our own kernels on the CPU, a whole stack in one call, forward and backward."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor

from relembra import _native
from relembra.engine._activation import Activation
from relembra.engine._functional import functional_refusal, is_functional, run_functional
from relembra.engine._holding import hold_output
from relembra.engine._noise import LayerNoise, StackNoise
from relembra.engine._operators import address_of, place_of, run_operator, steps_of
from relembra.engine._reference import run_reference
from relembra.engine._request import Recurrence, Request
from relembra.engine._spec import CellSpec, LayerWeights, StackSpec

__all__ = ["native_refusal", "run_native"]

_PLAIN = (Tensor, torch.nn.Parameter, FakeTensor)
_FIELDS = 5  # weight_ih, weight_hh, bias_ih, bias_hh, peephole
_FUNCTIONS = ("tanh", "sigmoid", "relu", "hard_sigmoid", "softsign", "elu", "identity")


def native_refusal(request: Request) -> str | None:
    """Return why the native core cannot compute this request, or None when it can."""
    return (
        _cell_refusal(request.spec.cell)
        or _call_refusal(request)
        or _tensor_refusal(_computed(request))
    )


def _computed(request: Request) -> Request:
    """Return the request in the type that it is computed in: under autocast, the parameters'."""
    if not torch.is_autocast_enabled("cpu"):
        return request
    dtype = request.weights[0].weight_ih.dtype
    hidden, cell = _widened(request.hidden, dtype), _widened(request.cell, dtype)
    noise = request.noise
    if noise:
        layers = [LayerNoise(*(_widened(t, dtype) for t in own)) for own in noise.layers]
        gaps = tuple(_widened(gap, dtype) for gap in noise.between)
        noise = StackNoise(tuple(layers), gaps)
    return replace(request, x=request.x.to(dtype), hidden=hidden, cell=cell, noise=noise)


def _cell_refusal(cell: CellSpec) -> str | None:
    # The compiler traces through a cache, and warns that it does.
    return _find_refusal(cell) if torch.compiler.is_compiling() else _known_refusal(cell)


@lru_cache(maxsize=256)
def _known_refusal(cell: CellSpec) -> str | None:
    return _find_refusal(cell)


def _widened(tensor: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    return None if tensor is None else tensor.to(dtype)


def _find_refusal(cell: CellSpec) -> str | None:
    used = (cell.activation, cell.state_activation or cell.activation, cell.gate_activation)
    checks = {f"the activation {f.name}": f.name not in _FUNCTIONS for f in used}
    checks |= {
        "the reset gate before the product": not cell.reset_after,
        "layer normalisation": cell.layer_norm,
        "projection": bool(cell.projection),
    }
    lacking = [name for name, asked in checks.items() if asked]
    return f"the native {cell.kind} does not know {', '.join(lacking)}" if lacking else None


def _call_refusal(request: Request) -> str | None:
    if request.noise and any(t is not None and t.requires_grad for t in _masks(request.noise)):
        return "the native core gives no gradients of the masks of dropout and zoneout"
    if request.trace:
        return "the native core returns no states or gates of single steps"
    return None


def _masks(noise: StackNoise) -> list[Tensor | None]:
    """Return the masks that the core itself reads; that of the weights is a product before it."""
    masks = [t for n in noise.layers for t in (*n[:2], *n[3:])]
    return [*masks, *noise.between]


def _is_plain(cell: CellSpec) -> bool:
    """Whether the kernels without options can compute a cell, which are faster."""
    # By name: these have no constants, and constants may be symbols to the compiler.
    functions = ("tanh", "relu") if cell.kind == "rnn" else ("tanh",)
    return (
        cell.activation.name in functions
        and (cell.state_activation or cell.activation).name == cell.activation.name
        and cell.gate_activation.name == "sigmoid"
        and not (cell.peepholes or cell.coupled or cell.zoneout_hidden or cell.zoneout_cell)
    )


def _tensor_refusal(request: Request) -> str | None:
    x = request.x
    if x.device.type not in ("cpu", "meta"):  # of meta tensors it computes the shapes
        return f"the native core computes on the CPU, not on {x.device.type}"
    if x.dtype not in (torch.float32, torch.float64):
        return f"the native core computes in float32 and float64, not in {x.dtype}"
    if refusal := functional_refusal():
        return refusal
    if (is_functional() or _in_graph(request)) and _has_options(request):
        return "the native core computes options of a cell outside of graphs and transforms only"
    for tensor in _tensors(request):
        if tensor.dtype != x.dtype or tensor.device != x.device:
            return f"parameters and states are not all {x.dtype} on the CPU"
        if not _is_own(tensor):
            return f"the native core takes plain tensors, not {type(tensor).__name__}"
    return None


def _is_own(tensor: Tensor) -> bool:
    """Return whether the values, or at least the shape, are those of the tensor itself."""
    if tensor.layout != torch.strided:
        return False
    return type(tensor) in _PLAIN or torch.compiler.is_compiling()


def _has_options(request: Request) -> bool:
    """Return whether the call needs more than the kernels without options."""
    layers = request.noise.layers if request.noise else ()
    masked = any(t is not None for n in layers for t in (*n[:2], *n[3:]))
    return masked or not _is_plain(request.spec.cell)


def _in_graph(request: Request) -> bool:
    """Return whether something has to see the call as an operator."""
    return (
        torch.compiler.is_compiling()
        or torch._C._len_torch_dispatch_stack() > 0
        or request.x.is_meta
        or type(request.x) is FakeTensor
    )


def _tensors(request: Request) -> list[Tensor]:
    tensors = [request.x]
    for weights in request.weights:
        tensors += [t for t in _parameters(weights) if t is not None]
    if request.noise:
        tensors += [t for t in _masks(request.noise) if t is not None]
    return tensors + [t for t in (request.hidden, request.cell) if t is not None]


def _parameters(weights: LayerWeights) -> tuple[Tensor | None, ...]:
    return (*weights[:4], weights.peephole)


class _Given(NamedTuple):
    """The parts of a request that are no leaves of autograd."""

    spec: StackSpec
    request: Request
    lengths: Tensor | None
    mask: Tensor | None
    reset: Tensor | None
    masks: tuple[Tensor | None, ...]  # four for each layer and direction, or none at all
    gaps: tuple[Tensor | None, ...]


def run_native(request: Request) -> Recurrence:
    """Compute a request that `native_refusal` does not refuse."""
    request = _computed(request)
    if is_functional():
        output, hidden, cell = run_functional(request)
    elif _in_graph(request):
        output, hidden, cell = run_operator(request)
    else:
        output, hidden, cell = _run_directly(request)
    if request.hold_output and request.mask is not None:
        output = hold_output(request, output)
    return Recurrence(output=output, hidden=hidden, cell=cell, trace=None, path="native")


def _run_directly(request: Request) -> tuple[Tensor, Tensor, Tensor | None]:
    spec = request.spec
    given = _Given(
        spec,
        request,
        _plain(request.lengths, torch.int64),
        _plain(request.mask, torch.bool),
        _plain(request.reset, torch.bool),
        _layer_masks(request.noise),
        tuple(_plain(gap, None) for gap in request.noise.between)
        if request.noise
        else (None,) * (spec.num_layers - 1),
    )
    leaves: list[Tensor | None] = [request.x, request.hidden, request.cell]
    for index, weights in enumerate(request.weights):
        leaves += _parameters(weights)
        if request.noise and (dropped := request.noise.layers[index].weights) is not None:
            leaves[3 + _FIELDS * index + 1] = weights.weight_hh * dropped
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in leaves):
        return _Native.apply(given, *leaves)  # type: ignore[no-untyped-call, no-any-return]
    output, hidden, cell, _ = _forward(given, leaves, keep=False)
    return output, hidden, cell


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


def _like_steps(x: Tensor, features: int) -> Tensor:
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


@lru_cache(maxsize=256)
def _shape(spec: StackSpec, masks: bool) -> Any:
    cell, kinds = spec.cell, _native.CellKind
    if masks or not _is_plain(cell):
        kind = getattr(kinds, "coupled_lstm" if cell.coupled else f"general_{cell.kind}")
    elif cell.kind == "rnn":
        kind = kinds.rnn_relu if cell.activation.name == "relu" else kinds.rnn_tanh
    else:
        kind = getattr(kinds, cell.kind)
    return _native.StackShape(
        kind,
        spec.input_size,
        spec.hidden_size,
        spec.num_layers,
        spec.directions,
        _function(cell.gate_activation),
        _function(cell.activation),
        _function(cell.state_activation or cell.activation),
        cell.zoneout_hidden,
        cell.zoneout_cell,
    )


def _function(f: Activation) -> Any:
    kind = getattr(_native.Function, f.name)
    return _native.Activation(kind, f.slope, f.offset, f.alpha)


def _forward(
    given: _Given, leaves: list[Tensor | None], keep: bool
) -> tuple[Tensor, Tensor, Tensor | None, Any]:
    plain = _side_by_side(leaves)
    spec, x = given.spec, plain[0]
    rows, units = x.shape[0], spec.hidden_size
    count = spec.num_layers * spec.directions
    output = _like_steps(x, units * spec.directions)  # (B, T, D*H)
    hidden = x.new_empty(count, rows, units)
    cell = x.new_empty(count, rows, units) if spec.cell.has_cell_state else None
    tape = _native.forward(
        _shape(spec, bool(given.masks)),
        _input(given, x, plain),
        output.data_ptr(),
        output.stride(0),
        output.stride(1),
        hidden.data_ptr(),
        address_of(cell),
        keep,
        0,
    )
    return output, hidden, cell, tape


def _side_by_side(leaves: list[Tensor | None]) -> list[Any]:
    return [
        steps_of(t) if i == 0 and t is not None else None if t is None else t.contiguous()
        for i, t in enumerate(leaves)
    ]


class _Native(torch.autograd.Function):
    """The stack with its gradients; those of higher order go through the reference path."""

    @staticmethod
    def forward(ctx: Any, given: _Given, *leaves: Tensor | None) -> Any:
        output, hidden, cell, tape = _forward(given, list(leaves), keep=True)
        ctx.given, ctx.tape = given, tape
        ctx.save_for_backward(output, *leaves)
        ctx.set_materialize_grads(False)
        return output, hidden, cell

    @staticmethod
    def backward(
        ctx: Any, d_output: Tensor | None, d_hidden: Tensor | None, d_cell: Tensor | None = None
    ) -> Any:
        output, *leaves = ctx.saved_tensors
        if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in leaves):
            return (None, *_differentiable(ctx, leaves, (d_output, d_hidden, d_cell)))
        return (None, *_backward(ctx, output, leaves, (d_output, d_hidden, d_cell)))


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
    d_x = _like_steps(x, x.shape[2]) if needed[0] else None
    state = (given.spec.num_layers * given.spec.directions, x.shape[0], given.spec.hidden_size)
    d_hidden0 = x.new_empty(state)
    d_cell0 = x.new_empty(state) if given.spec.cell.has_cell_state else None
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


def _layer_weights(leaves: list[Tensor | None]) -> LayerWeights:
    weight_ih, weight_hh, bias_ih, bias_hh, peephole = leaves
    return LayerWeights(
        cast(Tensor, weight_ih), cast(Tensor, weight_hh), bias_ih, bias_hh, peephole=peephole
    )


def _differentiable(
    ctx: Any, leaves: list[Tensor | None], upstream: tuple[Tensor | None, ...]
) -> list[Tensor | None]:
    """Return the gradients as differentiable tensors, by way of the reference path."""
    given: _Given = ctx.given
    weights = [_layer_weights(leaves[at : at + _FIELDS]) for at in range(3, len(leaves), _FIELDS)]
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
    )
    result = run_reference(request)
    pairs = [
        (y, d)
        for y, d in zip((result.output, result.hidden, result.cell), upstream, strict=True)
        if y is not None and d is not None
    ]
    wanted = [i for i, needed in enumerate(ctx.needs_input_grad[1:]) if needed]
    gradients: list[Tensor | None] = [None] * len(leaves)
    if not pairs:
        return gradients
    found = torch.autograd.grad(
        [y for y, _ in pairs],
        [leaf for i in wanted if (leaf := leaves[i]) is not None],
        [d for _, d in pairs],
        create_graph=True,
        allow_unused=True,
    )
    for i, gradient in zip(wanted, found, strict=True):
        gradients[i] = gradient
    return gradients
