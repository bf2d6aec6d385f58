"""What the native core can compute: every refusal names its reason."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor

from relembra.engine._functional import functional_refusal, is_functional
from relembra.engine._noise import LayerNoise, StackNoise
from relembra.engine._request import Request
from relembra.engine._spec import CellSpec, LayerWeights

__all__ = [
    "computed",
    "in_graph",
    "is_plain",
    "is_staged",
    "masks_of",
    "native_refusal",
    "parameters_of",
]

_PLAIN = (Tensor, torch.nn.Parameter, FakeTensor)


def native_refusal(request: Request) -> str | None:
    """Return why the native core cannot compute this request, or None when it can."""
    return _call_refusal(request) or _tensor_refusal(computed(request))


def computed(request: Request) -> Request:
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


def _widened(tensor: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    return None if tensor is None else tensor.to(dtype)


def _call_refusal(request: Request) -> str | None:
    if request.noise and any(t is not None and t.requires_grad for t in masks_of(request.noise)):
        return "the native core gives no gradients of the masks of dropout and zoneout"
    if request.trace:
        return "the native core returns no states or gates of single steps"
    return None


def masks_of(noise: StackNoise) -> list[Tensor | None]:
    """Return the masks that the core itself reads; that of the weights is a product before it."""
    masks = [t for n in noise.layers for t in (*n[:2], *n[3:])]
    return [*masks, *noise.between]


def is_plain(cell: CellSpec) -> bool:
    """Whether the kernels without options can compute a cell, which are faster."""
    # By name: these have no constants, and constants may be symbols to the compiler.
    functions = ("tanh", "relu") if cell.kind == "rnn" else ("tanh",)
    return (
        cell.activation.name in functions
        and (cell.state_activation or cell.activation).name == cell.activation.name
        and cell.gate_activation.name == "sigmoid"
        and not (cell.peepholes or cell.coupled or cell.zoneout_hidden or cell.zoneout_cell)
        and not is_staged(cell)
    )


def is_staged(cell: CellSpec) -> bool:
    """Whether a step of a cell has several stages in the kernels."""
    return cell.layer_norm or bool(cell.projection) or not cell.reset_after


def _tensor_refusal(request: Request) -> str | None:
    x = request.x
    if x.device.type not in ("cpu", "meta"):  # of meta tensors it computes the shapes
        return f"the native core computes on the CPU, not on {x.device.type}"
    if x.dtype not in (torch.float32, torch.float64):
        return f"the native core computes in float32 and float64, not in {x.dtype}"
    if refusal := functional_refusal():
        return refusal
    if (is_functional() or in_graph(request)) and _has_options(request):
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
    return masked or not is_plain(request.spec.cell)


def in_graph(request: Request) -> bool:
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
        tensors += [t for t in parameters_of(weights) if t is not None]
    if request.noise:
        tensors += [t for t in masks_of(request.noise) if t is not None]
    return tensors + [t for t in (request.hidden, request.cell) if t is not None]


def parameters_of(weights: LayerWeights) -> tuple[Tensor | None, ...]:
    """Return the parameters in the order in which the core reads them, which is that of fields."""
    return tuple(weights)
