"""One step of Keras' `fit`, `evaluate` and `predict` for chains of simple layers."""

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
from relembra.keras._values import value_of

__all__ = ["predict_step", "test_step", "train_step"]

# What went Keras' own way once, by model: what changes when layers are added or the model is
# compiled again, and under that the step with shapes and types of inputs and targets.
_SEEN: weakref.WeakKeyDictionary[Any, tuple[Any, set[Any]]] = weakref.WeakKeyDictionary()
_MOST_FORMS = 256


def train_step(own_way: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that takes the step with fewer operations around it, where it can."""

    @functools.wraps(own_way)
    def step(self: Any, data: Any) -> Any:
        layers = _known_chain(self, data, "train") if _is_plain(self) else None
        variables = _trainable(layers) if layers else []
        if not layers or not variables or _has_penalty(variables):
            return own_way(self, data)
        return _train(self, layers, variables, data[0], data[1])

    return step


def test_step(own_way: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that takes the step with fewer operations around it, where it can."""

    @functools.wraps(own_way)
    def step(self: Any, data: Any) -> Any:
        layers = _known_chain(self, data, "test") if _is_plain(self) else None
        if layers is None or _has_penalty(_trainable(layers)):
            return own_way(self, data)
        return _test(self, layers, data[0], data[1])

    return step


def predict_step(own_way: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that calls the layers with fewer operations around them, where it can."""

    @functools.wraps(own_way)
    def step(self: Any, data: Any) -> Any:
        parts = data if isinstance(data, tuple) else (data,)
        layers = _known_chain(self, parts, "predict")
        if layers is None:
            return own_way(self, data)
        return run_chain(layers, _float32(parts[0]), training=False)

    return step


def _known_chain(model: Any, data: Any, step: str) -> list[Any] | None:
    """Return the layers to call, where this step of a model has seen data of this form before."""
    if in_trace() or torch.compiler.is_compiling() or not isinstance(data, tuple):
        return None
    wanted = 1 if step == "predict" else 2
    arrays = data[:wanted]
    if len(arrays) < wanted or any(part is not None for part in data[wanted:]):
        return None
    form = (step, *map(_form, arrays))
    if None in form or not _was_seen(model, form):
        return None
    if keras.distribution.distribution() is not None or get_device() != "cpu":
        return None
    return chain_of(model)


def _was_seen(model: Any, form: Any) -> bool:
    identity = _identity(model)
    held, forms = _SEEN.get(model, (None, set()))
    if held == identity and form in forms:
        return True
    if held != identity or len(forms) >= _MOST_FORMS:
        forms = set()
    forms.add(form)
    _SEEN[model] = identity, forms
    return False


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
    return [v for layer in layers for v in layer.trainable_variables]


def _has_penalty(variables: list[Any]) -> bool:
    return any(v.regularizer is not None for v in variables)


def _train(model: Any, layers: list[Any], variables: list[Any], inputs: Any, targets: Any) -> Any:
    x, y = _float32(inputs), _float32(targets)
    y_pred = run_chain(layers, x, training=True)
    held = [value_of(variable) for variable in variables]
    for tensor in held:
        tensor.grad = None
    loss = _loss(model._compile_loss._flat_losses[0].loss, y, y_pred)
    _count(model._loss_tracker, loss, x.shape[0])
    model.optimizer.scale_loss(loss).backward()
    with torch.no_grad():
        apply_gradients(model.optimizer, [tensor.grad for tensor in held], variables)
        return _results(model, inputs, targets, y_pred)


def _test(model: Any, layers: list[Any], inputs: Any, targets: Any) -> Any:
    x, y = _float32(inputs), _float32(targets)
    y_pred = run_chain(layers, x, training=False)
    _count(model._loss_tracker, _loss(model._compile_loss._flat_losses[0].loss, y, y_pred), len(x))
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
        value_of(tracker.total).add_(loss.detach() * rows)
        value_of(tracker.count).add_(rows)


def _results(model: Any, x: Any, y: Any, y_pred: Tensor) -> dict[str, Any]:
    if model._compile_metrics is not None:
        result: dict[str, Any] = model.compute_metrics(x, y, y_pred, sample_weight=None)
        return result
    tracker = model._loss_tracker
    return {tracker.name: value_of(tracker.total) / value_of(tracker.count)}
