"""Weights packed once for many calls of the native core, without gradients."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from relembra import _native
from relembra.engine._activation import Activation
from relembra.engine._spec import LayerWeights, StackSpec

__all__ = ["native_shape", "pack_weights"]

_FIELDS = 4  # weight_ih, weight_hh, bias_ih, bias_hh


@lru_cache(maxsize=256)
def native_shape(spec: StackSpec) -> Any:
    """Return the native core's description of a stack that it knows."""
    kinds = _native.CellKind
    kind = {"lstm": kinds.lstm, "gru": kinds.gru, "rnn": kinds.rnn_tanh}[spec.cell.kind]
    if spec.cell.kind == "rnn" and spec.cell.activation == Activation("relu"):
        kind = kinds.rnn_relu
    return _native.StackShape(
        kind, spec.input_size, spec.hidden_size, spec.num_layers, spec.directions
    )


def pack_weights(spec: StackSpec, weights: Sequence[LayerWeights]) -> Any:
    """Return a snapshot of the weights in the order in which the native core reads them."""
    # A list, so that copies made by contiguous() live until they are packed.
    held = [None if t is None else t.contiguous() for w in weights for t in w[:_FIELDS]]
    twofold = weights[0].weight_ih.dtype == torch.float64
    return _native.PackedWeights(
        native_shape(spec), twofold, [_address(t) for t in held], torch.get_num_threads()
    )


def _address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()
