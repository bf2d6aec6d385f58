"""One step of Keras' `fit` and `predict` for chains of simple layers."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any

import keras
import torch
from keras.src.backend.torch.core import get_device
from torch import Tensor

from relembra.keras._chain import chain_of, run_chain
from relembra.keras._layers import in_trace
from relembra.keras._optimizer import apply_gradients

__all__ = ["predict_step", "train_step"]

# What went Keras' own way once: shapes and types of inputs and targets, by model.
_SEEN: weakref.WeakKeyDictionary[Any, set[Any]] = weakref.WeakKeyDictionary()


def train_step(own_way: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that takes the step with fewer operations around it, where it can."""

    @functools.wraps(own_way)
    def step(self: Any, data: Any) -> Any:
        layers = _known_chain(self, data, 2) if _is_plain(self) else None
        variables = _trainable(layers) if layers else []
        if not layers or not variables:
            return own_way(self, data)
        return _train(self, layers, variables, data[0], data[1])

    return step


def predict_step(own_way: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that calls the layers with fewer operations around them, where it can."""

    @functools.wraps(own_way)
    def step(self: Any, data: Any) -> Any:
        parts = data if isinstance(data, tuple) else (data,)
        layers = _known_chain(self, parts, 1)
        if layers is None:
            return own_way(self, data)
        return run_chain(layers, _float32(parts[0]), training=False)

    return step


def _known_chain(model: Any, data: Any, wanted: int) -> list[Any] | None:
    """Return the layers to call, where this model has seen data of this form before."""
    if in_trace() or torch.compiler.is_compiling() or not isinstance(data, tuple):
        return None
    arrays = data[:wanted]
    if len(arrays) < wanted or any(part is not None for part in data[wanted:]):
        return None
    form = (wanted, *(_form(a) for a in arrays), _identity(model))
    if None in form:
        return None
    seen = _SEEN.setdefault(model, set())
    if form not in seen:
        seen.clear()
        seen.add(form)
        return None
    if keras.distribution.distribution() is not None or get_device() != "cpu":
        return None
    return chain_of(model)


def _form(array: Any) -> Any:
    """Return what Keras would look at; None for what is no array of numbers on the CPU."""
    if isinstance(array, Tensor):
        plain = array.device.type == "cpu" and not hasattr(array, "_keras_mask")
        return (array.dtype, array.shape[1:]) if plain and array.dtype in _REAL else None
    known = type(array).__module__ == "numpy" and array.dtype.name in ("float32", "float64")
    return (array.dtype.name, array.shape[1:]) if known else None


# "mse" becomes the one, MeanSquaredError() is the other.
_WRAPPED = (keras.losses.MeanSquaredError, keras.src.losses.losses.LossFunctionWrapper)
_REAL = (torch.float32, torch.float64)


def _identity(model: Any) -> Any:
    """Return what changes when layers are added or the model is compiled again."""
    return id(getattr(model, "_functional", None)), id(getattr(model, "_compile_loss", None))


def _float32(array: Any) -> Tensor:
    return torch.as_tensor(array, dtype=torch.float32)


def _is_plain(model: Any) -> bool:
    """Return whether the loss is one function of one output, and the model adds none."""
    loss = getattr(model, "_compile_loss", None)
    return bool(
        loss is not None
        and loss.built
        and len(loss._flat_losses) == 1
        and not loss._flat_losses[0].path
        and loss._flat_losses[0].loss_weights is None
        and not model._metrics
        and not model._losses
        and loss.dtype == "float32"
        and isinstance(model.optimizer, keras.optimizers.Optimizer)
    )


def _trainable(layers: list[Any]) -> list[Any]:
    """Return the variables that are trained, or none where any of them has a penalty."""
    variables = [v for layer in layers for v in layer.trainable_variables]
    return [] if any(v.regularizer is not None for v in variables) else variables


def _train(model: Any, layers: list[Any], variables: list[Any], inputs: Any, targets: Any) -> Any:
    x, y = _float32(inputs), _float32(targets)
    y_pred = run_chain(layers, x, training=True)
    held = [variable.value for variable in variables]
    for tensor in held:
        tensor.grad = None
    loss = _loss(model._compile_loss._flat_losses[0].loss, y, y_pred)
    _count(model._loss_tracker, loss, x.shape[0])
    model.optimizer.scale_loss(loss).backward()
    with torch.no_grad():
        apply_gradients(model.optimizer, [tensor.grad for tensor in held], variables)
        return _results(model, inputs, targets, y_pred)


def _loss(function: Any, y: Tensor, y_pred: Tensor) -> Tensor:
    """Return the loss as a number, by the operations of Keras."""
    plain = (
        type(function) in _WRAPPED
        and function.fn is keras.losses.mean_squared_error
        and not function._fn_kwargs
        and function.reduction == "sum_over_batch_size"
        and function.dtype == "float32"
    )
    if not plain or y.shape != y_pred.shape or y.dim() < 2:
        return torch.as_tensor(function(y, y_pred, None))
    squares = torch.mean(torch.square(y - y_pred), -1)
    return torch.sum(squares) / squares.numel()


def _count(tracker: Any, loss: Tensor, rows: int) -> None:
    """Do what the tracker's `update_state` does with a number that stands for many rows."""
    with torch.no_grad():
        tracker.total.value.add_(loss.detach() * rows)
        tracker.count.value.add_(rows)


def _results(model: Any, x: Any, y: Any, y_pred: Tensor) -> dict[str, Any]:
    if model._compile_metrics is not None:
        result: dict[str, Any] = model.compute_metrics(x, y, y_pred, sample_weight=None)
        return result
    tracker = model._loss_tracker
    return {tracker.name: tracker.total.value / tracker.count.value}
