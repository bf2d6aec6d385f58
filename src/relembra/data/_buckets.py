"""Batches of rows of similar length: shuffled, with a bound on the padding."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from relembra._errors import ConfigError, DataError
from relembra._random import generator
from relembra.data._types import Ints

__all__ = ["LengthBuckets"]


class LengthBuckets:
    """Batches of every row once an epoch, rows of similar length together, in random order.

    Rows are sorted by length times a random number in ``[1 - padding, 1)``, which mixes lengths as
    far as the bound allows, and cut into batches; the batches are shuffled. A batch that would
    break the bound is closed early, so there may be smaller ones, and more or fewer of them from
    epoch to epoch.

    Parameters
    ----------
    lengths
        ``(n,)`` lengths of the rows, 0 allowed.
    batch_size
        Rows in a batch, at most.
    seed
        Every order is a function of seed, epoch and index.
    padding
        In every batch at most this part of its B × T cells is padding, from 0 up to 1.

    Raises
    ------
    DataError
        There are no rows, or a length is negative.
    ConfigError
        ``batch_size`` or ``padding`` makes no sense.

    Examples
    --------
    >>> buckets = LengthBuckets([9, 2, 8, 2], batch_size=2, seed=0)
    >>> sorted(sorted(buckets.indices(0, i).tolist()) for i in range(buckets.batches(0)))
    [[0, 2], [1, 3]]
    """

    def __init__(
        self, lengths: npt.ArrayLike, batch_size: int, seed: int, padding: float = 0.25
    ) -> None:
        self.lengths = np.asarray(lengths, np.int64)
        self.batch_size, self.seed, self.padding = batch_size, seed, padding
        if self.lengths.ndim != 1 or not len(self.lengths) or self.lengths.min() < 0:
            raise DataError(
                f"got lengths of shape {self.lengths.shape}; expected one or more rows, "
                "none of them of negative length"
            )
        if batch_size < 1:
            raise ConfigError(f"batch_size is {batch_size}; expected 1 or more")
        if not 0 <= padding <= 1:
            raise ConfigError(f"padding is {padding}; expected a part of 1, such as 0.25")
        self._last: tuple[int, list[Ints]] | None = None

    def batches(self, epoch: int) -> int:
        """Return the number of batches of an epoch."""
        return len(self._epoch(epoch))

    def indices(self, epoch: int, index: int) -> Ints:
        """Return the rows of a batch, ``(B,)`` int64; a pure function of its arguments."""
        return self._epoch(epoch)[index]

    def _epoch(self, epoch: int) -> list[Ints]:
        """Return the batches of an epoch; the last epoch asked for is kept."""
        last = self._last
        if last is None or last[0] != epoch:
            last = self._last = (epoch, self._cut(epoch))
        return last[1]

    def _cut(self, epoch: int) -> list[Ints]:
        draw = generator(self.seed, "buckets", epoch)
        noise = draw.uniform(1 - self.padding, 1, len(self.lengths))
        shuffled = draw.permutation(len(self.lengths))
        order = shuffled[np.argsort((self.lengths * noise)[shuffled], kind="stable")]
        batches, begin = [], 0
        while begin < len(order):
            batch = order[begin : begin + self.batch_size]
            batches.append(batch[: self._fitting(self.lengths[batch])])
            begin += len(batches[-1])
        return [batches[i] for i in draw.permutation(len(batches))]

    def _fitting(self, lengths: Ints) -> int:
        """Return how many of these rows, from the first on, make a batch within the bound."""
        cells = np.maximum.accumulate(lengths) * np.arange(1, len(lengths) + 1)
        broken = cells - np.cumsum(lengths) > self.padding * cells
        return int(np.argmax(broken)) if broken.any() else len(lengths)
