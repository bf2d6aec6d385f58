"""Layers whose weights are stored in bf16 or int8, for inference."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from relembra._errors import ConfigError
from relembra.engine import Choice, LayerWeights, Recurrence, Request, StackSpec, StreamState
from relembra.engine._low_precision import (
    StorageName,
    StoredLayer,
    StoredMatrix,
    check_storage,
    check_stored_cell,
    run_stored,
    start_stored,
    store_matrix,
    stored_linear,
    widened_matrix,
)
from relembra.nn._linear import Linear
from relembra.nn._recurrent import RecurrentLayer

__all__ = ["LowPrecisionLayer", "LowPrecisionLinear", "low_precision"]


def low_precision(module: nn.Module, storage: StorageName) -> nn.Module:
    """Return a copy of a model for inference, its weights stored in fewer bits.

    In every `RNN`, `LSTM`, `GRU` and `Linear` of this package, however deep inside, the matrices
    are rounded to nearest: to bf16 (8 bits of mantissa), or to int8 with one scale for each output,
    which is one for each gate of each unit. Biases, states and all arithmetic stay float32. The
    copy is called as the model is, step by step too, and keeps its promise: a row's result has the
    same bits in any batch, padding and number of threads, and step by step. It gives no gradients.

    Parameters
    ----------
    module
        A layer, or a model that holds some; float32 on the CPU. It is not changed, and later
        changes of it do not reach the copy.
    storage
        ``bf16`` (half the memory) or ``int8`` (a quarter).

    Returns
    -------
    torch.nn.Module
        In evaluation mode; a `LowPrecisionLayer` or `LowPrecisionLinear` for a single layer.

    Raises
    ------
    ConfigError
        There is no such layer inside, the storage is unknown, a layer is not float32 on the CPU, or
        has options that are not computed in low precision; it is named.
    DataError
        For int8: a weight is infinite or NaN.

    Examples
    --------
    >>> layer = nn.Sequential(Linear(64, 64))
    >>> low = low_precision(layer, "int8")
    >>> low
    Sequential(
      (0): LowPrecisionLinear(in_features=64, out_features=64, bias=True, storage=int8)
    )
    >>> x = torch.randn(5, 64)
    >>> bool((low(x) - layer(x)).abs().max() < 0.02)
    True
    """
    check_storage(storage)
    # In inference mode too, the tensors made here have versions, so that packed forms are kept.
    with torch.inference_mode(False), torch.no_grad():
        made: dict[int, nn.Module] = {}
        for name, inner in module.named_modules():
            if isinstance(inner, RecurrentLayer) and not isinstance(inner, LowPrecisionLayer):
                made[id(inner)] = LowPrecisionLayer(inner, storage, name)
            elif isinstance(inner, Linear):
                made[id(inner)] = LowPrecisionLinear(inner, storage, name)
        if not made:
            raise ConfigError(
                f"{type(module).__name__} holds no RNN, LSTM, GRU or Linear of relembra.nn whose "
                "weights could be stored in low precision"
            )
        # What is in the memo counts as copied already: the layers in low precision take the places.
        return copy.deepcopy(module, made).eval()


class _Stored(nn.Module):
    """What the modules here share: types that stay, evaluation mode, their size."""

    storage: StorageName

    def train(self, mode: bool = True) -> Any:
        """Stay in evaluation mode, whatever `mode` says."""
        return super().train(False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """Move tensors, but leave them in the types that they are stored in."""

        def moved(tensor: Tensor) -> Tensor:
            new = fn(tensor)
            return new if new.dtype == tensor.dtype else tensor.to(new.device)

        return super()._apply(moved, recurse)  # type: ignore[no-untyped-call]

    @property
    def weight_bytes(self) -> int:
        """Bytes of the parameters; the packed form that calls read takes about as much again."""
        return sum(p.numel() * p.element_size() for p in self.parameters())

    def _keep(self, name: str, tensor: Tensor | None) -> None:
        """Register a parameter that takes no gradient."""
        held = None if tensor is None else nn.Parameter(tensor.detach().clone(), False)
        self.register_parameter(name, held)


class LowPrecisionLayer(_Stored, RecurrentLayer):
    """A recurrent layer whose weights are stored in bf16 or int8; `low_precision` makes it.

    It is called as the layer that it was made of, `start` and `step` included, and computes on the
    native path alone. `weight_bytes` says how much its parameters take. They have the layer's
    names, and for int8 ``scale_ih_l0`` … beside them, so a ``state_dict`` saves and restores them.

    Parameters
    ----------
    layer
        A `relembra.nn.RNN`, `LSTM` or `GRU`, float32 on the CPU.
    storage
        ``bf16`` or ``int8``.
    name
        Of the layer, for errors.

    Examples
    --------
    >>> from relembra.nn import GRU
    >>> layer = GRU(32, 64)
    >>> low = low_precision(layer, "int8")
    >>> low
    LowPrecisionLayer(gru, 32, 64, storage=int8)
    >>> low.weight_bytes, sum(p.numel() * 4 for p in layer.parameters())
    (21504, 75264)
    >>> x = torch.randn(7, 1, 32)
    >>> state = low.start()
    >>> for frame in x:
    ...     y, state = low.step(frame, state)
    >>> torch.equal(y, low(x)[0][-1])
    True
    """

    def __init__(self, layer: RecurrentLayer, storage: StorageName, name: str = "") -> None:
        nn.Module.__init__(self)
        check_stored_cell(layer.spec.cell)
        self.spec: StackSpec = layer.spec
        self.storage = storage
        self.batch_first = layer.batch_first
        self.path = "native"
        self.last_path = None
        self.recompute = False
        where = f"{name}." if name else ""
        for suffix, weights in zip(layer.spec.suffixes(), layer.layer_weights(), strict=True):
            for side, weight in (("ih", weights.weight_ih), ("hh", weights.weight_hh)):
                matrix = store_matrix(weight, storage, f"{where}weight_{side}{suffix}")
                self._keep(f"weight_{side}{suffix}", matrix.values)
                self._keep(f"scale_{side}{suffix}", matrix.scale)
            self._keep(f"bias_ih{suffix}", weights.bias_ih)
            self._keep(f"bias_hh{suffix}", weights.bias_hh)
            self._keep(f"peephole{suffix}", weights.peephole)
        self.eval()

    def reset_parameters(self) -> None:
        """Raise ConfigError: what is stored was made of another layer."""
        raise ConfigError("a layer in low precision is made of a trained one: reset that one")

    def layer_weights(self) -> list[LayerWeights]:
        """Return the float32 weights that the stored ones stand for."""
        return [
            LayerWeights(
                widened_matrix(StoredMatrix(stored.weight_ih, stored.scale_ih)),
                widened_matrix(StoredMatrix(stored.weight_hh, stored.scale_hh)),
                stored.bias_ih,
                stored.bias_hh,
                peephole=stored.peephole,
            )
            for stored in self._stored()
        ]

    def _stored(self) -> list[StoredLayer]:
        return [
            StoredLayer(*(getattr(self, field + suffix) for field in StoredLayer._fields))
            for suffix in self.spec.suffixes()
        ]

    @property
    def _dtype(self) -> torch.dtype:
        return torch.float32

    def _find(self, request: Request) -> Choice:
        return Choice("native", f"weights stored in {self.storage} have this path alone")

    def _read_weights(self) -> list[LayerWeights]:
        return []  # the stored ones go beside the request

    def _run(self, request: Request, frames: int = 5) -> Recurrence:
        request.check()
        result = run_stored(request, self._stored())
        self.last_path = result.path
        return result

    def _begin(self, rows: int, hidden: Tensor | None, cell: Tensor | None) -> StreamState:
        hx = hidden if hidden is None or cell is None else (hidden, cell)
        x = torch.zeros(rows, 1, self.spec.input_size)
        request = self._request(x, hx, None, None, None, False, False)
        request.check()
        return start_stored(request, self._stored())

    def extra_repr(self) -> str:
        """Return the cell, the layer's text, and the storage."""
        return f"{self.spec.cell.kind}, {super().extra_repr()}, storage={self.storage}"


class LowPrecisionLinear(_Stored):
    """A linear map whose weights are stored in bf16 or int8; `low_precision` makes it.

    A row's result has the same bits in any company, as that of `Linear`.

    Parameters
    ----------
    layer
        A `relembra.nn.Linear`, float32 on the CPU.
    storage
        ``bf16`` or ``int8``.
    name
        Of the layer, for errors.
    """

    def __init__(self, layer: Linear, storage: StorageName, name: str = "") -> None:
        super().__init__()
        self.storage = storage
        self.in_features, self.out_features = layer.in_features, layer.out_features
        matrix = store_matrix(layer.weight, storage, f"{name}.weight" if name else "weight")
        self._keep("weight", matrix.values)
        self._keep("scale", matrix.scale)
        self._keep("bias", layer.bias)
        self.eval()

    def forward(self, input: Tensor) -> Tensor:
        """Map (…, I) to (…, O), float32."""
        matrix = StoredMatrix(self.get_parameter("weight"), self._parameters["scale"])
        return stored_linear(input, matrix, self._parameters["bias"])

    def extra_repr(self) -> str:
        """Return PyTorch's text, and the storage."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self._parameters['bias'] is not None}, storage={self.storage}"
        )
