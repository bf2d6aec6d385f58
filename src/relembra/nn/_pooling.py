"""From the steps of a sequence to one vector."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from relembra._errors import ConfigError, DataError
from relembra.nn._linear import Linear

__all__ = ["Pooling", "PoolingKind", "sum_over_steps"]

PoolingKind = Literal["last", "mean", "max", "attention"]


class Pooling(nn.Module):
    """Make one vector of a sequence's steps.

    In inference a row's result has the same bits in any batch and padding (``attention``: it is the
    same within 1e-6, for the exponential has other bits at another place in memory).

    Parameters
    ----------
    kind
        ``last``, the output of the last step; ``mean`` and ``max`` of each feature over the steps;
        ``attention``, a mean with learned weights (Yang et al. 2016, equations 5 to 7: a step's
        weight is the softmax of u·tanh(W h + b)).
    size
        F, the features of a step and of the result.
    bidirectional
        Whether the second half of the features was made by a walk from the end to the beginning:
        its ``last`` is at step 0.

    Raises
    ------
    ConfigError
        The kind is unknown.

    Examples
    --------
    >>> x = torch.tensor([[[1.0], [5.0], [0.0]], [[2.0], [4.0], [9.0]]])
    >>> lengths = torch.tensor([2, 3])
    >>> {kind: Pooling(kind, 1)(x, lengths).flatten().tolist() for kind in ("last", "mean", "max")}
    {'last': [5.0, 9.0], 'mean': [3.0, 5.0], 'max': [5.0, 9.0]}
    """

    def __init__(self, kind: PoolingKind, size: int, *, bidirectional: bool = False) -> None:
        super().__init__()
        if kind not in get_args(PoolingKind):
            known = ", ".join(get_args(PoolingKind))
            raise ConfigError(f"unknown pooling {kind!r}; known: {known}")
        self.kind: PoolingKind = kind
        self.size = size
        self.bidirectional = bidirectional
        if kind == "attention":
            self.hidden = Linear(size, size)
            self.score = Linear(size, 1, bias=False)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Pool the steps of each row.

        Parameters
        ----------
        x
            (B, T, F); what stands beyond a row's length does not matter.
        lengths
            (B,); all steps when None.

        Returns
        -------
        Tensor
            (B, F); zero for a row of length 0.

        Raises
        ------
        DataError
            The input is not (B, T, F).
        """
        if x.dim() != 3 or x.shape[2] != self.size:
            raise DataError(f"input has shape {tuple(x.shape)}, expected (B, T, {self.size})")
        rows, steps = x.shape[:2]
        if not steps:
            return x.new_zeros(rows, self.size)
        if lengths is None:
            lengths = torch.full((rows,), steps, device=x.device)
        lengths = lengths.to(x.device)
        if self.kind == "last":
            return self._last(x, lengths)
        outside = (torch.arange(steps, device=x.device) >= lengths[:, None])[..., None]  # (B, T, 1)
        if self.kind == "max":
            highest = x.masked_fill(outside, -torch.inf).amax(1)
            return torch.where(lengths[:, None] > 0, highest, 0.0)
        x = x.masked_fill(outside, 0.0)
        if self.kind == "mean":
            return sum_over_steps(x) / lengths[:, None].clamp(min=1)
        weights = self._weights(x, outside)  # (B, T, 1)
        return sum_over_steps(weights * x)

    def _last(self, x: Tensor, lengths: Tensor) -> Tensor:
        at = (lengths - 1).clamp(min=0)
        last = x[torch.arange(len(x), device=x.device), at]  # (B, F)
        if self.bidirectional:
            half = self.size // 2
            last = torch.cat([last[:, :half], x[:, 0, half:]], 1)
        return torch.where(lengths[:, None] > 0, last, 0.0)

    def _weights(self, x: Tensor, outside: Tensor) -> Tensor:
        scores = self.score(torch.tanh(self.hidden(x))).masked_fill(outside, -torch.inf)
        highest = scores.detach().amax(1, keepdim=True)
        parts = (scores - highest.clamp(min=torch.finfo(x.dtype).min)).exp()
        total = sum_over_steps(parts)[:, None]  # (B, 1, 1), 0 for a row without steps
        weights: Tensor = parts / torch.where(total > 0, total, 1.0)
        return weights

    def extra_repr(self) -> str:
        """Return the settings."""
        both = ", bidirectional=True" if self.bidirectional else ""
        return f"{self.kind}, {self.size}{both}"


def sum_over_steps(x: Tensor) -> Tensor:
    """Return the sum over T of (B, T, F), whose bits do not depend on zeros at the end.

    Neighbours are added, then neighbouring sums, and so on: a tree in which more padding only adds
    zeros. `torch.sum` adds in another order for another T.

    Examples
    --------
    >>> sum_over_steps(torch.tensor([[[1.0], [2.0], [4.0]]]))
    tensor([[7.]])
    """
    while x.shape[1] > 1:
        pairs = x.shape[1] // 2 * 2
        sums = x[:, 0:pairs:2] + x[:, 1:pairs:2]
        x = sums if pairs == x.shape[1] else torch.cat([sums, x[:, pairs:]], 1)
    return x[:, 0] + 0.0  # a lone -0.0 would become 0.0 if a zero were added to it
