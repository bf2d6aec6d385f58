"""Batches of encoded rows and their targets, for the training loop."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from relembra.data import Encoded, Inputs, LengthBuckets, Ragged

__all__ = ["SequenceBatch", "SequenceBatches", "fingerprint"]

_CHUNK = 512


class SequenceBatch(NamedTuple):
    """B rows.

    Attributes
    ----------
    inputs
        What the encoder takes, and the lengths.
    target
        (B,) one for each row, or (B, T) one for each step, padded with 0.
    """

    inputs: Inputs
    target: Tensor


class SequenceBatches:
    """Every chosen row once an epoch, rows of similar length together (`LengthBuckets`).

    Parameters
    ----------
    encoded
        The rows.
    targets
        (n, ...) one for each row, or a `Ragged` with one for each step of each row.
    rows
        Numbers of the rows to train on; all when None.
    batch_size, seed, padding
        As in `LengthBuckets`.

    Raises
    ------
    DataError
        There are no rows.
    """

    carries_state = False

    def __init__(
        self,
        encoded: Encoded,
        targets: Tensor | Ragged,
        *,
        rows: npt.ArrayLike | None = None,
        batch_size: int,
        seed: int,
        padding: float = 0.25,
    ) -> None:
        self.encoded, self.targets = encoded, targets
        every = np.arange(len(encoded.lengths)) if rows is None else rows
        self.rows = np.asarray(every, np.int64)
        self._buckets = LengthBuckets(encoded.lengths[self.rows], batch_size, seed, padding)

    def batches(self, epoch: int) -> int:
        """Return the number of batches of an epoch."""
        return self._buckets.batches(epoch)

    def starts_segment(self, epoch: int, index: int) -> bool:
        """Return True: rows have nothing to do with each other."""
        return True

    def batch(self, epoch: int, index: int) -> SequenceBatch:
        """Return a batch; a pure function of (seed, epoch, index)."""
        return self.take(self.rows[self._buckets.indices(epoch, index)])

    def take(self, indices: npt.ArrayLike) -> SequenceBatch:
        """Return some rows, by their numbers among all rows."""
        chosen = np.asarray(indices, np.int64)
        if isinstance(self.targets, Ragged):
            target = self.targets.padded(chosen)[0]
        else:
            target = self.targets[torch.from_numpy(chosen)]
        return SequenceBatch(self.encoded.batch(chosen), target)


def fingerprint(encoded: Encoded, *others: npt.ArrayLike) -> str:
    """Return a hash of the data, so that a checkpoint is not resumed with other data.

    Parameters
    ----------
    encoded
        The rows.
    others
        What else counts, such as targets and the numbers of the held-out rows.
    """
    digest = hashlib.blake2b(digest_size=16)
    count = len(encoded.lengths)
    digest.update(np.ascontiguousarray(encoded.lengths).tobytes())
    for begin in range(0, count, _CHUNK):
        inputs = encoded.batch(np.arange(begin, min(begin + _CHUNK, count)))
        for name, tensor in sorted(inputs.values.items()):
            digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    for other in others:
        digest.update(np.ascontiguousarray(other).tobytes())
    return digest.hexdigest()
