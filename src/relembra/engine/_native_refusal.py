"""What the native core can compute: every refusal names its reason."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor

from relembra.engine._form import is_staged, parameters_of
from relembra.engine._functional import functional_refusal, is_functional
from relembra.engine._noise import LayerNoise, StackNoise
from relembra.engine._request import Request

__all__ = [
    "computed",
    "in_graph",
    "masks_of",
    "native_refusal",
]

_MOST = 2**31 - 1  # rows and steps
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
    if request.trace and (is_functional() or in_graph(request)):
        return "in graphs and transforms the native core returns no states or gates of single steps"
    if request.trace and is_staged(request.spec.cell, request.gate_masks):
        return (
            "the native core returns no states or gates of single steps of cells whose step has "
            "several stages (layer normalisation, projection, the reset gate before the product, "
            "recurrent dropout of each gate)"
        )
    rows, steps = request.x.shape[:2]
    # In a graph the sizes may be symbols, and the core itself looks when it runs.
    if not in_graph(request) and max(rows, steps) > _MOST:
        return f"the native core counts rows and steps up to {_MOST}, got {rows} and {steps}"
    return None


def masks_of(noise: StackNoise) -> list[Tensor | None]:
    """Return the masks that the core itself reads; that of the weights is a product before it."""
    masks = [t for n in noise.layers for t in (*n[:2], *n[3:])]
    return [*masks, *noise.between]


def _tensor_refusal(request: Request) -> str | None:
    x = request.x
    if x.device.type not in ("cpu", "meta"):  # of meta tensors it computes the shapes
        return f"the native core computes on the CPU, not on {x.device.type}"
    if x.dtype not in (torch.float32, torch.float64):
        return f"the native core computes in float32 and float64, not in {x.dtype}"
    if refusal := functional_refusal():
        return refusal
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
