"""Models that are a chain of simple layers: what calling them comes to, without the ceremony.

Keras spends most of a small model's training step on what surrounds the arithmetic: the layers'
`__call__` looks at every argument's structure, at masks, scopes, specifications and names. Where a
step has gone Keras' own way once with arguments of this shape, and none of those can play a part,
the same operations are called in the same order. Everything that could have changed since is looked
at again in each step.
"""

from __future__ import annotations

from typing import Any, cast

import keras
import torch
from torch import Tensor

from relembra.keras._sequence import walk
from relembra.keras._values import value_of

__all__ = ["chain_of", "run_chain"]

_LAYERS = keras.layers
_RECURRENT = (_LAYERS.LSTM, _LAYERS.GRU, _LAYERS.SimpleRNN)
_SILENT = (_LAYERS.Activation, _LAYERS.Dropout, _LAYERS.Flatten, _LAYERS.RepeatVector)
_KNOWN = frozenset((*_RECURRENT, *_SILENT, _LAYERS.Bidirectional, _LAYERS.Dense))
_FLOAT32 = ("float32", "float32")


def chain_of(model: Any) -> list[Any] | None:
    """Return the layers of a model that is a chain of layers known here, or None."""
    if type(model) is keras.Sequential:
        layers = model.layers if model._functional is not None else []
    elif type(model) is keras.src.models.functional.Functional:
        layers = _in_line(model)
    else:
        return None
    return layers if layers and all(map(_is_simple, layers)) else None


def _in_line(model: Any) -> list[Any]:
    """Return the layers of a functional model in the order of its one line, or nothing."""
    layers: list[Any] = []
    depths = sorted(model._nodes_by_depth, reverse=True)
    before: Any = None
    for depth in depths:
        nodes = model._nodes_by_depth[depth]
        if len(nodes) != 1 or len(nodes[0].outputs) != 1:
            return []
        node = nodes[0]
        if not node.is_input:
            asked = {k for k, v in node.arguments.kwargs.items() if v is not None}
            if [id(t) for t in node.input_tensors] != [id(before)] or asked - {"training"}:
                return []  # what the model is called with goes before a layer's own training=
            layers.append(node.operation)
        before = node.outputs[0]
    single = len(model.outputs) == 1 and model.outputs[0] is before
    return layers if single and not isinstance(model._outputs_struct, (list, tuple, dict)) else []


def _is_simple(layer: Any) -> bool:
    """Return whether calling a layer does nothing but `call`, now."""
    if type(layer) not in _KNOWN or not _is_bare(layer):
        return False
    if type(layer) is _LAYERS.Dense:
        return layer.quantization_mode is None and not layer.lora_enabled
    return not getattr(layer, "return_state", False)


def _is_bare(layer: Any) -> bool:
    """Return whether nothing is hung upon a layer: hooks, penalties, policies."""
    policy = layer.dtype_policy
    return bool(
        layer.built
        and layer.activity_regularizer is None
        and layer._remat_mode is None
        and (policy.compute_dtype, policy.variable_dtype) == _FLOAT32
        and not (layer._forward_hooks or layer._forward_pre_hooks or layer._backward_hooks)
        and not layer._losses
    )


def run_chain(layers: list[Any], x: Tensor, training: bool) -> Tensor:
    """Call one layer after the other on (B, ...) float32."""
    for layer in layers:
        kind = type(layer)
        if kind is _LAYERS.Dense:
            x = _dense(layer, x)
        elif kind in _RECURRENT:
            x = _recurrent(layer, x, training)
        elif layer._call_has_training_arg:
            x = layer.call(x, training=training)
        else:
            x = layer.call(x)
    return x


def _dense(layer: Any, x: Tensor) -> Tensor:
    x = torch.matmul(x, value_of(layer.kernel))
    if layer.bias is not None:
        x = torch.add(x, value_of(layer.bias))
    plain = layer.activation is None or layer.activation is keras.activations.linear
    return x if plain else cast(Tensor, layer.activation(x))


def _recurrent(layer: Any, x: Tensor, training: bool) -> Tensor:
    cell = layer.cell
    if not (layer.stateful or layer.unroll or cell.dropout or cell.recurrent_dropout):
        flipped = x.flip(1) if layer.go_backwards else x
        found = walk([cell], flipped, None, None, (None,), False)
        if not isinstance(found, str):
            return found.output if layer.return_sequences else found.hidden[0]
    return cast(Tensor, layer.call(x, training=training))
