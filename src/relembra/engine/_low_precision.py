"""Weights stored in fewer bits, for inference: the native core widens them as it reads them.

Arithmetic, states, biases and peepholes stay float32. In bf16 each weight is rounded to 8 bits of
mantissa. In int8 it is a whole number in ±127 times the scale of its output (its row of the
matrix, so one for each gate of each unit), which the core applies to the finished sum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any, Literal, NamedTuple, ParamSpec, TypeVar, get_args

import torch
from torch import Tensor

from relembra import _native
from relembra._errors import ConfigError, DataError
from relembra.engine._choice import Choice
from relembra.engine._form import FIELDS, native_shape
from relembra.engine._functional import is_functional
from relembra.engine._holding import hold_output
from relembra.engine._linear import check_linear
from relembra.engine._native_path import run_packed
from relembra.engine._operators import address_of
from relembra.engine._packed import kept
from relembra.engine._request import Recurrence, Request
from relembra.engine._spec import CellSpec, StackSpec
from relembra.engine._streaming import StreamState, start_stream

__all__ = [
    "StorageName",
    "StoredLayer",
    "StoredMatrix",
    "check_storage",
    "check_stored_cell",
    "run_stored",
    "start_stored",
    "store_matrix",
    "stored_linear",
    "widened_matrix",
]

StorageName = Literal["bf16", "int8"]
_LARGEST = 127  # symmetric: -128 is not used


class StoredMatrix(NamedTuple):
    """A matrix in fewer bits."""

    values: Tensor  # (O, I) bfloat16 or int8
    scale: Tensor | None  # (O,) float32 of int8


class StoredLayer(NamedTuple):
    """One layer and direction, in the order in which the core reads it."""

    weight_ih: Tensor  # (G*H, I) bfloat16 or int8
    weight_hh: Tensor  # (G*H, H)
    bias_ih: Tensor | None  # float32, as all that follows
    bias_hh: Tensor | None
    peephole: Tensor | None
    scale_ih: Tensor | None  # (G*H,) of int8
    scale_hh: Tensor | None


def check_storage(storage: str) -> None:
    """Raise ConfigError for a storage that does not exist."""
    if storage not in get_args(StorageName):
        raise ConfigError(f"unknown storage {storage!r}; known: {', '.join(get_args(StorageName))}")


def check_stored_cell(cell: CellSpec) -> None:
    """Raise ConfigError for what is not computed from weights in low precision."""
    checks = {
        "the reset gate before the product": not cell.reset_after,
        "layer normalisation": cell.layer_norm,
        "projection": bool(cell.projection),
    }
    lacking = [name for name, asked in checks.items() if asked]
    if lacking:
        raise ConfigError(
            f"a {cell.kind} in low precision does not know {', '.join(lacking)}; keep this layer "
            "in float32"
        )


def store_matrix(weight: Tensor, storage: str, name: str) -> StoredMatrix:
    """Round a float32 matrix (O, I), to nearest, ties to even; `name` is for errors.

    Raises
    ------
    ConfigError
        The matrix is of another type or device.
    DataError
        For int8: a weight is not finite. (bf16 keeps infinities and NaN.)
    """
    weight = weight.detach()
    if weight.dtype != torch.float32 or weight.device.type != "cpu":
        raise ConfigError(
            f"{name} is {weight.dtype} on {weight.device}, but low precision is made of float32 on "
            "the CPU: convert the model with .float().cpu() first"
        )
    if storage == "bf16":
        return StoredMatrix(weight.to(torch.bfloat16).contiguous(), None)
    if not bool(weight.isfinite().all()):
        count = int((~weight.isfinite()).sum())
        raise DataError(
            f"{name} has {count} values that are infinite or NaN: there is no scale for them in "
            "int8. Mend the weights, or store them in bf16"
        )
    largest = weight.abs().amax(1) if weight.shape[1] else weight.new_zeros(weight.shape[0])
    scale = largest / _LARGEST
    # Rows of nothing, or nearly nothing: a scale that is no normal number has too few bits.
    scale = torch.where(scale < torch.finfo(torch.float32).tiny, 0.0, scale)
    ratio = weight / torch.where(scale == 0.0, 1.0, scale)[:, None]
    values = ratio.round().clamp(-_LARGEST, _LARGEST) * (scale != 0.0)[:, None]
    return StoredMatrix(values.to(torch.int8).contiguous(), scale)


def widened_matrix(matrix: StoredMatrix) -> Tensor:
    """Return the float32 matrix that the stored one stands for."""
    wide = matrix.values.float()
    return wide if matrix.scale is None else wide * matrix.scale[:, None]


_P = ParamSpec("_P")
_R = TypeVar("_R")


def _outside_of_graphs(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Make `torch.compile` call a function as it is.

    `torch.compiler.disable` does that, but brings in the whole compiler: only one that is there
    already gets to see it.
    """

    @wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        if torch.compiler.is_compiling():
            return torch.compiler.disable(function)(*args, **kwargs)  # type: ignore[no-any-return]
        return function(*args, **kwargs)

    return call


@_outside_of_graphs
def run_stored(request: Request, layers: list[StoredLayer]) -> Recurrence:
    """Compute a request, whose own weights are not looked at, by stored weights.

    Raises
    ------
    DataError
        The input is not float32 on the CPU, or a gradient is asked for.
    ConfigError
        States of single steps are asked for, or the call stands in a transform.
    """
    if request.trace:
        raise ConfigError(
            "layers in low precision return no states or gates of single steps: ask the float32 "
            "layer that they were made of"
        )
    if torch.is_autocast_enabled("cpu"):
        request = replace(
            request, x=request.x.float(), hidden=_wide(request.hidden), cell=_wide(request.cell)
        )
    _check_tensors(request.x, request.hidden, request.cell, *layers[0])
    output, hidden, cell = run_packed(request, _packed(request.spec, layers))
    if request.hold_output and request.mask is not None:
        output = hold_output(request, output)
    return Recurrence(output=output, hidden=hidden, cell=cell, trace=None, path="native")


def start_stored(request: Request, layers: list[StoredLayer]) -> StreamState:
    """Start streams by stored weights; the request's own are not looked at."""
    return start_stream(request, Choice("native", "asked for"), _packed(request.spec, layers))


@_outside_of_graphs
def stored_linear(x: Tensor, matrix: StoredMatrix, bias: Tensor | None) -> Tensor:
    """Return x Wᵀ + b as `linear` does, by a stored matrix."""
    if torch.is_autocast_enabled("cpu"):
        x = x.float()
    _check_tensors(x, *matrix, bias)
    check_linear(x, matrix.values, bias)
    packed = _kept((matrix.values, bias, matrix.scale), _LINEAR, lambda a: _pack_map(matrix, a))
    outputs, inputs = matrix.values.shape
    rows = x.contiguous()
    y = x.new_empty(*x.shape[:-1], outputs)
    if y.numel():
        packed.apply(rows.data_ptr(), y.numel() // outputs, y.data_ptr(), torch.get_num_threads())
    return y


def _wide(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.float()


_LINEAR = object()  # the purpose of maps that are kept packed


def _storage_of(values: Tensor) -> Any:
    return _native.Storage.bf16 if values.dtype == torch.bfloat16 else _native.Storage.int8


def _pack_map(matrix: StoredMatrix, addresses: list[int]) -> Any:
    outputs, inputs = matrix.values.shape
    return _native.PackedLinear(False, addresses, inputs, outputs, _storage_of(matrix.values))


def _packed(spec: StackSpec, layers: list[StoredLayer]) -> Any:
    shape, storage = native_shape(spec, masks=False), _storage_of(layers[0].weight_ih)

    def pack(addresses: list[int]) -> Any:
        threads = torch.get_num_threads()
        return _native.PackedWeights(shape, False, addresses, threads, storage)

    return _kept(tuple(t for layer in layers for t in _as_core_reads(layer)), shape, pack)


def _as_core_reads(layer: StoredLayer) -> tuple[Tensor | None, ...]:
    """Return the parameters in the core's order, the scales behind them."""
    own = [getattr(layer, field, None) for field in FIELDS]
    return (*own, layer.scale_ih, layer.scale_hh)


def _kept(tensors: tuple[Tensor | None, ...], purpose: object, pack: Any) -> Any:
    """Return the packed form that is kept, or a fresh one of tensors that cannot be."""
    found = kept(tensors, purpose, pack)
    if found is not None:
        return found
    plain = [None if t is None else t.contiguous() for t in tensors]
    return pack([address_of(t) for t in plain])


def _check_tensors(x: Tensor, *others: Tensor | None) -> None:
    if is_functional():
        raise ConfigError(
            "layers in low precision cannot be transformed by torch.func: use the float32 layer"
        )
    if x.dtype != torch.float32 or x.device.type != "cpu":
        raise DataError(
            f"input is {x.dtype} on {x.device}, but layers in low precision take float32 on the CPU"
        )
    if not torch.is_grad_enabled():
        return
    if any(t is not None and t.requires_grad for t in (x, *others)):
        raise DataError(
            "a gradient is asked for, but layers in low precision record none: call them under "
            "torch.no_grad(), give the input .detach()ed, or train the float32 layer"
        )
