"""Penalties on what a trunk puts out."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["activation_penalty", "temporal_penalty"]


def activation_penalty(output: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Return the mean square of a trunk's output (activation regularisation).

    Added to the loss, times a factor of about 2, it keeps states small. Source: Merity, McCann &
    Socher, "Revisiting activation regularization for language RNNs" (2017), equation 1. They take
    the output after dropout.

    Parameters
    ----------
    output
        (B, T, F)
    lengths
        (B,), steps of each row that count; all when None.

    Returns
    -------
    Tensor
        A scalar; zero when there is no step.

    Examples
    --------
    >>> activation_penalty(torch.tensor([[[1.0], [3.0], [9.0]]]), torch.tensor([2]))
    tensor(5.)
    """
    return _mean(output.square(), lengths)


def temporal_penalty(output: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Return the mean square of the change from step to step (temporal regularisation).

    Added to the loss, times a factor of about 1, it keeps states slow. Source: Merity, McCann &
    Socher (2017), equation 2. They take the output before dropout.

    Parameters
    ----------
    output
        (B, T, F)
    lengths
        (B,), steps of each row that count; all when None.

    Returns
    -------
    Tensor
        A scalar; zero when no row has two steps.

    Examples
    --------
    >>> temporal_penalty(torch.tensor([[[1.0], [3.0], [9.0]]]), torch.tensor([2]))
    tensor(4.)
    """
    pairs = None if lengths is None else (lengths - 1).clamp(min=0)
    return _mean((output[:, 1:] - output[:, :-1]).square(), pairs)


def _mean(squares: Tensor, lengths: Tensor | None) -> Tensor:
    """Return the mean over (B, T, F) within the lengths."""
    rows, steps, features = squares.shape
    if lengths is None:
        return squares.sum() / max(squares.numel(), 1)
    lengths = lengths.to(squares.device)
    inside = torch.arange(steps, device=squares.device) < lengths[:, None]  # (B, T)
    total = torch.where(inside[..., None], squares, 0.0).sum()
    return total / (lengths.sum() * features).clamp(min=1)
