"""`start` and `step`: a recurrent layer taken step by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from relembra._errors import ConfigError, DataError
from relembra.engine import Choice, LayerWeights, Request, StackSpec, StreamState, start_stream
from relembra.nn._hidden import Hidden

__all__ = ["Streaming"]


class _Layer(Protocol):
    """What streams ask of a layer."""

    spec: StackSpec

    def layer_weights(self) -> list[LayerWeights]: ...

    def _choose(self, request: Request, frames: int) -> Choice: ...

    def _begin(self, rows: int, hidden: Tensor | None, cell: Tensor | None) -> StreamState: ...


class Streaming:
    """What `RNN`, `LSTM` and `GRU` know of streams."""

    def start(
        self: _Layer,
        batch_size: int = 1,
        *,
        hx: Hidden | None = None,
        tensors: Mapping[str, Tensor] | None = None,
    ) -> StreamState:
        """Start streams that `step` takes on, a step of all of them at a time.

        The weights are packed now, once: later changes of the layer do not reach a stream that
        was started. Dropout and other noise are off, as in evaluation.

        Parameters
        ----------
        batch_size
            B, how many streams move together.
        hx
            The state to begin with, as the layer's call takes and gives it: h (L, B, P), or (h, c)
            with c (L, B, H) for the LSTM. Zeros when None. B is the state's.
        tensors
            Or what `StreamState.tensors` gave, to go on with streams that were saved.

        Returns
        -------
        StreamState

        Raises
        ------
        ConfigError
            The layer is bidirectional, or both `hx` and `tensors` are given.
        DataError
            The state does not fit the layer.

        Examples
        --------
        >>> from relembra import nn
        >>> layer = nn.GRU(3, 4)
        >>> x = torch.randn(7, 1, 3)
        >>> state = layer.start()
        >>> for step in x:
        ...     y, state = layer.step(step, state)
        >>> torch.equal(y, layer(x)[0][-1])
        True
        """
        hx = _given(hx, tensors, self.spec)
        first = hx[0] if isinstance(hx, tuple) else hx
        if first is not None:
            if first.dim() != 3:
                raise DataError(f"the state has {first.dim()} dimensions, expected 3: (L, B, P)")
            batch_size = first.shape[1]
        if type(batch_size) is not int or batch_size < 1:
            raise ConfigError(
                f"batch_size must be a whole number of at least 1, got {batch_size!r}"
            )
        return self._begin(batch_size, *(hx if isinstance(hx, tuple) else (hx, None)))

    def _begin(self: _Layer, rows: int, hidden: Tensor | None, cell: Tensor | None) -> StreamState:
        """Start so many streams; the caller of `start` is two frames away."""
        with torch.no_grad():
            weights = self.layer_weights()
        x = weights[0].weight_ih.new_zeros(rows, 1, self.spec.input_size)
        request = Request(spec=self.spec, weights=weights, x=x, hidden=hidden, cell=cell)
        request.check()
        return start_stream(request, self._choose(request, 4))

    def step(
        self: _Layer, x: Tensor, state: StreamState, *, out: Tensor | None = None
    ) -> tuple[Tensor, StreamState]:
        """Take one step of streams that `start` made.

        Step by step gives the same bits as the whole sequence at once on the native path. The
        weights are those of the time when the streams started. No gradients are recorded.

        Parameters
        ----------
        x
            (B, I), this step's input of each stream.
        state
            It is changed in place, and returned; `StreamState.copy` keeps a moment.
        out
            (B, P), where to write the output instead of a fresh tensor.

        Returns
        -------
        output
            (B, P) of the last layer.
        state
            The state that was given.

        Raises
        ------
        DataError
            The input's shape or type is not the stream's, or a gradient is asked for.
        ConfigError
            The state is of another kind of layer.
        """
        try:
            spec = state.spec
        except AttributeError:
            got = type(state).__name__
            raise ConfigError(f"step takes a state that was made by start, got {got}") from None
        if spec is not self.spec and spec != self.spec:
            raise ConfigError(
                f"the state was started by another kind of layer: {spec}, expected {self.spec}"
            )
        return state.step(x, out), state


def _given(
    hx: Hidden | None, tensors: Mapping[str, Tensor] | None, spec: StackSpec
) -> Hidden | None:
    """Return the initial state, however it was given."""
    has_cell = spec.cell.has_cell_state
    if tensors is not None:
        if hx is not None:
            raise ConfigError("a stream begins with hx or with tensors, got both")
        expected = {"hidden", "cell"} if has_cell else {"hidden"}
        if set(tensors) != expected:
            raise DataError(
                f"the saved state has the tensors {sorted(tensors)}, expected {sorted(expected)}"
            )
        return (tensors["hidden"], tensors["cell"]) if has_cell else tensors["hidden"]
    if hx is not None and isinstance(hx, tuple) != has_cell:
        wanted = "a pair (h, c)" if has_cell else "a tensor h"
        raise DataError(f"hx must be {wanted}, got a {type(hx).__name__}")
    return hx
