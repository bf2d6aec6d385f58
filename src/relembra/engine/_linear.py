"""A linear map whose rows have the same bits in any company, for the heads of sequence models."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from relembra import _native
from relembra._errors import DataError
from relembra.engine._packed import kept

__all__ = ["check_linear", "linear"]

_PURPOSE = object()  # of the weights that are kept packed


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x Wᵀ + b; without gradients, each row's bits depend on that row alone.

    `torch.nn.functional.linear` gives other bits for one row than for the same row among many.
    This one, in inference on the CPU in float32 and float64, gives the same for any number of rows,
    threads and any memory layout; so a model that is asked step by step answers as it does for
    whole sequences. Where a gradient is recorded, and for all else, it is PyTorch's own product.

    Parameters
    ----------
    x
        (…, I)
    weight
        (O, I)
    bias
        (O,)

    Returns
    -------
    Tensor
        (…, O)

    Raises
    ------
    DataError
        The shapes do not fit each other.

    Examples
    --------
    >>> x, weight = torch.randn(5, 3), torch.randn(2, 3)
    >>> torch.equal(linear(x, weight)[:1], linear(x[:1], weight))
    True
    """
    if not _is_native(x, weight, bias):
        return functional.linear(x, weight, bias)
    check_linear(x, weight, bias)
    packed = _packed(weight, bias)
    rows = x.contiguous()
    y = x.new_empty(*x.shape[:-1], weight.shape[0])
    if y.numel():
        packed.apply(
            rows.data_ptr(), y.numel() // weight.shape[0], y.data_ptr(), torch.get_num_threads()
        )
    return y


def _is_native(x: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    dtype = x.dtype
    return (
        (dtype is torch.float32 or dtype is torch.float64)
        and _is_plain(x, dtype)
        and _is_plain(weight, dtype)
        and (bias is None or _is_plain(bias, dtype))
        and not torch.compiler.is_compiling()
        and not torch.is_autocast_enabled("cpu")
        and torch._C._functorch.maybe_current_level() is None
        and not torch._C._len_torch_dispatch_stack()
    )


def _is_plain(tensor: Tensor, dtype: torch.dtype) -> bool:
    """Whether a tensor is plain memory of that type on the CPU that takes no gradient now."""
    kind = type(tensor)
    return (
        (kind is torch.nn.Parameter or kind is Tensor)
        and tensor.dtype is dtype
        and tensor.is_cpu
        and tensor.layout is torch.strided
        and not (tensor.requires_grad and torch.is_grad_enabled())
    )


def check_linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    """Raise DataError for shapes that do not fit each other."""
    if weight.dim() != 2:
        raise DataError(f"weight has shape {tuple(weight.shape)}, expected (O, I)")
    outputs, inputs = weight.shape
    if not x.dim() or x.shape[-1] != inputs:
        raise DataError(f"input has shape {tuple(x.shape)}, expected (…, {inputs})")
    if bias is not None and tuple(bias.shape) != (outputs,):
        raise DataError(f"bias has shape {tuple(bias.shape)}, expected ({outputs},)")


def _packed(weight: Tensor, bias: Tensor | None) -> Any:
    twofold = weight.dtype == torch.float64
    outputs, inputs = weight.shape

    def pack(addresses: list[int]) -> Any:
        return _native.PackedLinear(twofold, addresses, inputs, outputs)

    found = kept((weight, bias), _PURPOSE, pack)
    if found is not None:
        return found
    plain = weight.contiguous(), None if bias is None else bias.contiguous()
    return pack([0 if t is None else t.data_ptr() for t in plain])
