"""Inference over many rows: sorted by length, answered in the order given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import torch

from relembra.data import Encoded, Inputs

__all__ = ["in_order", "vectors_in_order"]

T = TypeVar("T")
Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]

_ROWS, _CELLS = 256, 1 << 16  # a batch has at most so many rows and, but for a lone row, steps


def in_order(encoded: Encoded, answer: Callable[[Inputs], Sequence[T]]) -> list[T]:
    """Return an answer for each row, from batches of rows of similar length.

    Parameters
    ----------
    encoded
        n rows.
    answer
        Takes a batch of B rows, without gradients, and returns a tensor (B, ...) or B answers.

    Returns
    -------
    list
        n answers, in the order of the rows.

    Examples
    --------
    >>> from relembra.data import Characters
    >>> rows = Characters.fit(["abc"]).encode(["ab", "abc", "a"])
    >>> [int(length) for length in in_order(rows, lambda inputs: inputs.lengths)]
    [2, 3, 1]
    """
    answers: dict[int, T] = {}
    with torch.no_grad():
        for rows in _batches(encoded.lengths):
            found = answer(encoded.batch(rows))
            answers.update(zip(rows.tolist(), found, strict=True))
    return [answers[row] for row in range(len(encoded.lengths))]


def vectors_in_order(
    encoded: Encoded, answer: Callable[[Inputs], torch.Tensor], width: int
) -> Floats:
    """Return an answer of so many numbers for each row, as `in_order` does: (n, width) float64.

    Examples
    --------
    >>> from relembra.data import Characters
    >>> rows = Characters.fit(["abc"]).encode(["ab", "abc"])
    >>> vectors_in_order(rows, lambda inputs: inputs.lengths[:, None], 1).tolist()
    [[2.0], [3.0]]
    """
    answers = np.empty((len(encoded.lengths), width))
    with torch.no_grad():
        for rows in _batches(encoded.lengths):
            answers[rows] = answer(encoded.batch(rows)).numpy()
    return answers


def _batches(lengths: Ints) -> list[Ints]:
    """Return numbers of rows, the longest first, within the limits."""
    order = np.argsort(-lengths, kind="stable")
    batches, begin = [], 0
    while begin < len(order):
        fitting = _CELLS // max(int(lengths[order[begin]]), 1)
        batches.append(order[begin : begin + max(1, min(_ROWS, fitting))])
        begin += len(batches[-1])
    return batches
