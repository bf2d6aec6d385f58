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
        loader = own_way(self)
        if type(self.data_adapter) is not array_data_adapter.ArrayDataAdapter:
            return loader
        arrays = getattr(loader.dataset, "array", None)
        flat = isinstance(arrays, tuple) and all(map(_can_be_sliced, arrays))
        return _Batches(loader, arrays) if flat and _is_on_the_cpu() else loader

    return method


def _is_on_the_cpu() -> bool:
    return bool(keras.src.backend.torch.core.get_device() == "cpu")


def _can_be_sliced(part: Any) -> bool:
    if type(part) is array_slicing.NumpySliceable:
        return type(part.array) is np.ndarray and part.array.dtype.name in _NUMBERS
    return part is None or (
        type(part) is array_slicing.TorchSliceable and part.array.device.type == "cpu"
    )


_NUMBERS = ("float32", "float64", "int32", "int64", "uint8", "bool")


class _Batches:
    """The batches of a loader in its order, drawing the random numbers that it draws."""

    def __init__(self, loader: Any, arrays: tuple[Any, ...]) -> None:
        self.loader, self.arrays = loader, arrays

    def __iter__(self) -> Iterator[tuple[Tensor | None, ...]]:
        iter(self.loader)  # draws a seed for workers, though there are none
        return self._walk()

    def _walk(self) -> Iterator[tuple[Tensor | None, ...]]:
        for rows in self.loader.batch_sampler:
            yield tuple(_slice(part, rows) for part in self.arrays)

    def __len__(self) -> int:
        return len(self.loader)


def _slice(part: Any, rows: list[int]) -> Tensor | None:
    return None if part is None else torch.as_tensor(part.array[rows])
