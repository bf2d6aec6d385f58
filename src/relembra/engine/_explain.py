"""`explain`: which path a layer takes for an input, and why."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from relembra.engine._choice import Choice

__all__ = ["explain"]


class _Explainable(Protocol):
    def choose_path(
        self,
        input: Tensor | PackedSequence,
        *,
        lengths: Tensor | None = None,
        mask: Tensor | None = None,
        reset: Tensor | None = None,
        trace: bool = False,
    ) -> Choice: ...


def explain(
    layer: _Explainable,
    input: Tensor | PackedSequence,
    *,
    lengths: Tensor | None = None,
    mask: Tensor | None = None,
    reset: Tensor | None = None,
    trace: bool = False,
) -> Choice:
    """Say which path a recurrent layer takes for this input, and why; nothing is computed.

    Parameters
    ----------
    layer
        A `relembra.nn.RNN`, `LSTM` or `GRU`.
    input, lengths, mask, reset, trace
        As in the layer's call.

    Examples
    --------
    >>> import torch
    >>> from relembra import nn
    >>> print(explain(nn.LSTM(3, 4, peepholes=True), torch.zeros(5, 2, 3)))
    native: our own kernels can compute it
    """
    return layer.choose_path(input, lengths=lengths, mask=mask, reset=reset, trace=trace)
