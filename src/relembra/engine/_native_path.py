"""The native path: our own kernels on the CPU, a whole stack in one call, forward and backward."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from relembra import _native
from relembra.engine._activation import Activation
from relembra.engine._holding import hold_output
from relembra.engine._noise import StackNoise
from relembra.engine._packed import kept
from relembra.engine._reference import run_reference
from relembra.engine._request import Recurrence, Request
from relembra.engine._spec import CellSpec, LayerWeights, StackSpec

__all__ = ["native_refusal", "pack_weights", "run_native"]

_TANH, _RELU, _SIGMOID = Activation("tanh"), Activation("relu"), Activation("sigmoid")
_FIELDS = 5  # weight_ih, weight_hh, bias_ih, bias_hh, peephole
_FUNCTIONS = ("tanh", "sigmoid", "relu", "hard_sigmoid", "softsign", "elu", "identity")


def native_refusal(request: Request) -> str | None:
    """Return why the native core cannot compute this request, or None when it can."""
    return _cell_refusal(request.spec.cell) or _call_refusal(request) or _tensor_refusal(request)


@lru_cache(maxsize=256)
def _cell_refusal(cell: CellSpec) -> str | None:
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


@lru_cache(maxsize=256)
def _is_plain(cell: CellSpec) -> bool:
    """Whether the kernels without options can compute a cell, which are faster."""
    functions = (_TANH, _RELU) if cell.kind == "rnn" else (_TANH,)
    return (
        cell.activation in functions
        and cell.state_activation in (None, cell.activation)
        and cell.gate_activation == _SIGMOID
        and not (cell.peepholes or cell.coupled or cell.zoneout_hidden or cell.zoneout_cell)
    )


def _tensor_refusal(request: Request) -> str | None:
    x = request.x
    if x.device.type != "cpu":
        return f"the native core computes on the CPU, not on {x.device.type}"
    if x.dtype not in (torch.float32, torch.float64):
        return f"the native core computes in float32 and float64, not in {x.dtype}"
    if torch.compiler.is_compiling():
        return "the native core cannot be compiled"
    if torch._C._functorch.maybe_current_level() is not None:
        return "the native core knows no vmap and no functional gradients"
    if torch._C._len_torch_dispatch_stack():
        return "the native core knows no dispatch modes"
    if torch.is_autocast_enabled("cpu"):
        return "the native core knows no autocast"
    for tensor in _tensors(request):
        if tensor.dtype != x.dtype or tensor.device != x.device:
            return f"parameters and states are not all {x.dtype} on the CPU"
        if type(tensor) not in (Tensor, torch.nn.Parameter) or tensor.layout != torch.strided:
            return f"the native core takes plain tensors, not {type(tensor).__name__}"
    return None


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
        output, hidden, cell = _Native.apply(given, *leaves)  # type: ignore[no-untyped-call]
    else:
        output, hidden, cell, _ = _forward(given, leaves, keep=False)
    if request.hold_output and request.mask is not None:
        output = hold_output(request, output)
    return Recurrence(output=output, hidden=hidden, cell=cell, trace=None, path="native")


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


def _address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()


def _steps_of(x: Tensor) -> Tensor:
    """Return a tensor (B, T, features) whose features lie side by side."""
    return x if x.stride(2) == 1 or x.shape[2] == 1 else x.contiguous()


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
        _address(given.lengths),
        _address(given.mask),
        _address(given.reset),
        x.data_ptr(),
        x.stride(0),
        x.stride(1),
        [_address(t) for t in leaves[3:]],
        _address(leaves[1]),
        _address(leaves[2]),
        [_address(mask) for mask in given.masks],
        [_address(gap) for gap in given.gaps],
        torch.get_num_threads(),
    )


@lru_cache(maxsize=256)
def native_shape(spec: StackSpec, masks: bool) -> Any:
    """Return the core's description of a stack that it knows."""
    cell, kinds = spec.cell, _native.CellKind
    if masks or not _is_plain(cell):
        kind = getattr(kinds, "coupled_lstm" if cell.coupled else f"general_{cell.kind}")
    elif cell.kind == "rnn":
        kind = kinds.rnn_relu if cell.activation == _RELU else kinds.rnn_tanh
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
    shape = native_shape(spec, bool(given.masks))
    rows, units = x.shape[0], spec.hidden_size
    count = spec.num_layers * spec.directions
    output = _like_steps(x, units * spec.directions)  # (B, T, D*H)
    hidden = x.new_empty(count, rows, units)
    cell = x.new_empty(count, rows, units) if spec.cell.has_cell_state else None
    tape = _native.forward(
        shape,
        _input(given, x, plain),
        output.data_ptr(),
        output.stride(0),
        output.stride(1),
        hidden.data_ptr(),
        _address(cell),
        keep,
        None if keep or _is_small(spec) else _packed(shape, x.dtype, leaves[3:]),
    )
    return output, hidden, cell, tape


def _is_small(spec: StackSpec) -> bool:
    """Whether to pack the weights takes no longer than to find them packed."""
    return spec.num_layers * spec.hidden_size * (spec.input_size + spec.hidden_size) < 2048


def _packed(shape: Any, dtype: torch.dtype, parameters: list[Tensor | None]) -> Any:
    """Return the packed weights that are kept for inference, or None where none can be."""

    def pack(addresses: list[int]) -> Any:
        threads = torch.get_num_threads()
        return _native.PackedWeights(shape, dtype == torch.float64, addresses, threads)

    return kept(parameters, shape, pack)


def pack_weights(spec: StackSpec, weights: list[LayerWeights]) -> Any:
    """Return a snapshot of the weights in the order in which the core reads them."""
    # A list, so that copies made by contiguous() live until they are packed.
    held = [None if t is None else t.contiguous() for w in weights for t in _parameters(w)]
    return _native.PackedWeights(
        native_shape(spec, masks=False),
        weights[0].weight_ih.dtype == torch.float64,
        [_address(t) for t in held],
        torch.get_num_threads(),
    )


def _side_by_side(leaves: list[Tensor | None]) -> list[Any]:
    return [
        _steps_of(t) if i == 0 and t is not None else None if t is None else t.contiguous()
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
    d_output = None if upstream[0] is None else _steps_of(upstream[0])
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
        *_at(output),
        *_at(d_output),
        _address(d_hidden),
        _address(d_cell),
        *_at(d_x),
        d_hidden0.data_ptr(),
        _address(d_cell0),
        [_address(t) for t in d_weights],
    )
    found = [d_x, d_hidden0, d_cell0, *d_weights]
    return [g if wanted else None for g, wanted in zip(found, needed, strict=True)]


def _at(steps: Tensor | None) -> tuple[int, int, int]:
    return (0, 0, 0) if steps is None else (steps.data_ptr(), steps.stride(0), steps.stride(1))


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
