"""Some of the rows of something encoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from relembra.data import Encoded, Inputs, row_numbers

__all__ = ["SomeRows"]

Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, eq=False)
class SomeRows:
    """Some of the rows of something encoded; nothing is copied.

    Attributes
    ----------
    encoded
        All rows.
    chosen
        (n,) numbers of those that are meant, in this order.

    Examples
    --------
    >>> from relembra.data import Characters
    >>> rows = Characters.fit(["abc"]).encode(["ab", "abc", "a"])
    >>> some = SomeRows(rows, np.array([2, 1]))
    >>> some.lengths.tolist(), some.batch([1]).values["ids"].tolist()
    ([1, 3], [[2, 3, 4]])
    """

    encoded: Encoded
    chosen: Ints

    @property
    def lengths(self) -> Ints:
        """(n,) int64: the steps of each row."""
        lengths: Ints = self.encoded.lengths[self.chosen]
        return lengths

    def batch(self, indices: npt.ArrayLike) -> Inputs:
        """Return some rows, by their numbers among the chosen ones."""
        return self.encoded.batch(self.chosen[row_numbers(indices, len(self.chosen))])
