"""What Keras does around a step and between steps, left out where it comes to nothing."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import torch
from keras.src.trainers.data_adapters import array_data_adapter, array_slicing
from torch import Tensor

__all__ = ["batch_end", "batches", "track_variables"]

_NAMES = ("on_batch_end", "on_train_batch_end", "on_test_batch_end", "on_predict_batch_end")


def batch_end(own_way: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of Keras' list of callbacks that does nothing where none of them listens.

    Keras hands the end of each batch to a thread of its own, for callbacks that are all empty too.
    """

    @functools.wraps(own_way)
    def method(self: Any, batch: Any, logs: Any = None) -> Any:
        if any(map(_listens, self.callbacks)):
            own_way(self, batch, logs)

    return method


def _listens(callback: Any) -> bool:
    return not all(keras.src.utils.is_default(getattr(callback, name)) for name in _NAMES)


def track_variables(own_way: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that registers a model's variables with torch where any is new.

    Keras registers all of them again at each `train_on_batch` and `test_on_batch`.
    """

    @functools.wraps(own_way)
    def method(self: Any) -> Any:
        held = self._modules.get("_torch_params")
        if held is None or not _are(held, self.variables):
            own_way(self)

    return method


def _are(held: Any, variables: list[Any]) -> bool:
    return len(held) == len(variables) and all(
        v.path in held and held[v.path] is v.value for v in variables
    )


def batches(own_way: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that slices whole arrays without what surrounds the slicing."""

    @functools.wraps(own_way)
    def method(self: Any) -> Any:
        held = self.__dict__.get(_HELD)
        if held is not None and held.adapter is self.data_adapter:
            return held
        loader = own_way(self)
        found = _batches_of(self.data_adapter, loader)
        if found is None:
            return loader
        given = _flat(found.adapter._inputs)
        if all(p is None or p.array is g for p, g in zip(found.parts, given, strict=True)):
            self.__dict__[_HELD] = found  # where nothing was copied, which could be out of date
        return found

    return method


def _batches_of(adapter: Any, loader: Any) -> _Batches | None:
    if type(adapter) is not array_data_adapter.ArrayDataAdapter or not _is_cpu():
        return None
    found = _Batches(adapter, loader)
    return found if all(map(_can_be_sliced, found.parts)) else None


def _flat(arrays: Any) -> tuple[Any, ...]:
    return arrays if isinstance(arrays, tuple) else (arrays,)


def _is_cpu() -> bool:
    return bool(keras.src.backend.torch.core.get_device() == "cpu")


def _can_be_sliced(part: Any) -> bool:
    if type(part) is array_slicing.NumpySliceable:
        return type(part.array) is np.ndarray and part.array.dtype.name in _NUMBERS
    return part is None or (
        type(part) is array_slicing.TorchSliceable and part.array.device.type == "cpu"
    )


_NUMBERS = ("float32", "float64", "int32", "int64", "uint8", "bool")
_HELD = "_relembra_batches"


class _Batches:
    """The batches of a loader in its order, drawing the random numbers that it draws."""

    def __init__(self, adapter: Any, loader: Any) -> None:
        self.adapter, self.loader = adapter, loader
        self.parts = _flat(loader.dataset.array)  # inputs, targets and weights

    def __iter__(self) -> Iterator[Any]:
        iter(self.loader)  # draws a seed for workers, though there are none
        return self._walk()

    def _walk(self) -> Iterator[Any]:
        alone = not isinstance(self.loader.dataset.array, tuple)
        for rows in self.loader.batch_sampler:
            batch = tuple(_slice(part, rows) for part in self.parts)
            yield batch[0] if alone else batch

    def __len__(self) -> int:
        return len(self.loader)


def _slice(part: Any, rows: list[int]) -> Tensor | None:
    return None if part is None else torch.as_tensor(part.array[rows])
