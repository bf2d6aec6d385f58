"""Step by step: the state of streams, and the snapshot of the weights that moves it on.

The weights are copied when a stream starts: what happens to the layer afterwards does not reach
it. No gradients are recorded.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from relembra import _native
from relembra._errors import ConfigError, DataError
from relembra.engine._choice import Choice, run
from relembra.engine._native_path import pack_weights
from relembra.engine._request import Request
from relembra.engine._spec import LayerWeights, StackSpec

__all__ = ["StreamState", "start_stream"]


class StreamState(ABC):
    """What B streams remember, and the weights as they were when the streams started.

    Made by the ``start`` of a recurrent layer. `step` changes it in place; keep a `copy` to come
    back to a moment. It belongs to one thread at a time.
    """

    spec: StackSpec
    path: str
    """The engine's path that computes the steps."""

    def __init__(self, spec: StackSpec, hidden: Tensor, cell: Tensor | None) -> None:
        self.spec = spec
        self._hidden = hidden  # (L, B, P)
        self._cell = cell  # (L, B, H)
        self._input_shape = (hidden.shape[1], spec.input_size)
        self._output_shape = (hidden.shape[1], spec.state_size)
        self._dtype = hidden.dtype
        self._device = hidden.device

    @property
    def batch_size(self) -> int:
        """B."""
        return self._input_shape[0]

    @property
    def dtype(self) -> torch.dtype:
        """Of input, state and output."""
        return self._dtype

    @abstractmethod
    def step(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        """Take one step.

        Parameters
        ----------
        x
            (B, I), this step's input of each stream.
        out
            (B, P), where to write the output instead of a fresh tensor.

        Returns
        -------
        Tensor
            (B, P), the output of the last layer; `out` where that was given.

        Raises
        ------
        DataError
            Shape, type or device differ from what the stream was started with, or a gradient is
            asked for.
        """

    def hx(self) -> Tensor | tuple[Tensor, Tensor]:
        """Return a copy of the state as layers take it: h (L, B, P), or (h, c) with c (L, B, H)."""
        hidden = self._hidden.clone()
        return hidden if self._cell is None else (hidden, self._cell.clone())

    def tensors(self) -> dict[str, Tensor]:
        """Return a copy of the state as named tensors, to be saved; ``start`` takes them back."""
        tensors = {"hidden": self._hidden.clone()}
        if self._cell is not None:
            tensors["cell"] = self._cell.clone()
        return tensors

    @abstractmethod
    def copy(self) -> StreamState:
        """Return streams in the same state, with the same weights, that go their own way."""

    def __copy__(self) -> StreamState:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> StreamState:
        return self.copy()

    def _copied(self) -> tuple[Tensor, Tensor | None]:
        return self._hidden.clone(), None if self._cell is None else self._cell.clone()

    def __repr__(self) -> str:
        cell = self.spec.cell.kind
        return f"StreamState({cell}, batch_size={self.batch_size}, {self._where()})"

    def _where(self) -> str:
        return f"path={self.path!r}"

    def _check(self, x: Tensor, out: Tensor | None) -> None:
        """Raise for what does not fit."""
        for name, value, shape in (
            ("input of a step", x, self._input_shape),
            ("out", out, self._output_shape),
        ):
            if value is None:
                continue
            if not isinstance(value, Tensor):
                raise DataError(f"{name} must be a tensor, got {type(value).__name__}")
            if tuple(value.shape) != shape:
                raise DataError(f"{name} has shape {tuple(value.shape)}, expected {shape}")
            if value.dtype != self._dtype or value.device != self._device:
                raise DataError(
                    f"{name} is {value.dtype} on {value.device}, but the stream was started in "
                    f"{self._dtype} on {self._device}"
                )
            if value.requires_grad:
                raise DataError(
                    f"{name} requires a gradient, but steps record none: compute it under "
                    "torch.no_grad(), or give it .detach()ed"
                )
        if out is not None and not out.is_contiguous():
            raise DataError(f"out must be contiguous, got strides {out.stride()}")


class _NativeState(StreamState):
    """Steps by the native core."""

    path = "native"

    def __init__(
        self, spec: StackSpec, hidden: Tensor, cell: Tensor | None, packed: Any, threads: int
    ) -> None:
        super().__init__(spec, hidden, cell)
        self._packed = packed
        self._threads = threads
        self._template = torch.empty(self._output_shape, dtype=self._dtype)
        address = 0 if cell is None else cell.data_ptr()
        native = _native.Stream(packed, hidden.shape[1], hidden.data_ptr(), address, threads)
        self._native_step = native.step

    def step(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        # Every tenth of a microsecond counts here: what does not fit is explained by _check.
        if (
            out is not None
            or x.shape != self._input_shape
            or x.dtype is not self._dtype
            or x.requires_grad
            or not x.is_cpu
        ):
            self._check(x, out)
        if not x.is_contiguous():
            x = x.contiguous()
        if out is None:
            out = torch.empty_like(self._template)
        self._native_step(x.data_ptr(), out.data_ptr())
        return out

    def _where(self) -> str:
        storage = self._packed.storage.name
        return super()._where() + ("" if storage == "whole" else f", storage={storage!r}")

    def copy(self) -> StreamState:
        return _NativeState(self.spec, *self._copied(), self._packed, self._threads)


class _PathState(StreamState):
    """Steps by another path of the engine, each as a sequence of one step."""

    def __init__(self, request: Request, path: str, hidden: Tensor, cell: Tensor | None) -> None:
        super().__init__(request.spec, hidden, cell)
        self.path = path
        self._request = request

    @torch.no_grad()
    def step(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        self._check(x, out)
        request = replace(self._request, x=x.unsqueeze(1), hidden=self._hidden, cell=self._cell)
        result = run(request, self.path)
        self._hidden, self._cell = result.hidden, result.cell
        output = result.output.squeeze(1)
        return output if out is None else out.copy_(output)

    def copy(self) -> StreamState:
        return _PathState(self._request, self.path, *self._copied())


@torch.no_grad()
def start_stream(request: Request, choice: Choice, packed: Any | None = None) -> StreamState:
    """Start streams.

    Parameters
    ----------
    request
        Weights and initial states; `x` is (B, 1, I) of any values, which tells B, type and device.
        Checked.
    choice
        Which path takes the steps.
    packed
        For the native path: the weights packed already, instead of the request's.

    Raises
    ------
    ConfigError
        The stack is bidirectional: its output would depend on what is yet to come.
    """
    spec = request.spec
    if spec.bidirectional:
        raise ConfigError(
            "a bidirectional layer cannot be streamed: its reverse direction begins at the end of "
            "the sequence. Use bidirectional=False, or give it whole sequences"
        )
    first_hidden, first_cell = request.initial()
    # Memory of our own, which steps change in place.
    hidden = torch.clone(first_hidden, memory_format=torch.contiguous_format)
    cell = None
    if first_cell is not None:
        cell = torch.clone(first_cell, memory_format=torch.contiguous_format)
    if choice.path == "native":
        if packed is None:
            packed = pack_weights(spec, request.weights)
        return _NativeState(spec, hidden, cell, packed, torch.get_num_threads())
    snapshot = [
        LayerWeights(*(None if t is None else t.clone() for t in w))  # type: ignore[arg-type]
        for w in request.weights
    ]
    held = replace(request, weights=snapshot, hidden=None, cell=None, noise=None)
    return _PathState(held, choice.path, hidden, cell)
