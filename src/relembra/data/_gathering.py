"""Rows one behind the other: in memory, or in an unnamed file on disk where they are many."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from relembra.data._ragged import Ragged, offsets_of

__all__ = ["gather"]

_MEMORY = 1 << 30


def gather(
    rows: Iterable[npt.NDArray[Any]],
    shape: tuple[int, ...],
    dtype: npt.DTypeLike,
    *,
    memory: int = _MEMORY,
) -> Ragged:
    """Lay rows one behind the other, one at a time.

    Parameters
    ----------
    rows
        ``(T_i, *shape)`` of the type ``dtype``.
    shape, dtype
        Of an element.
    memory
        Rows of more bytes in all are held in a temporary file that is mapped into memory; it has
        no name, and is gone with the result.

    Returns
    -------
    Ragged

    Examples
    --------
    >>> rows = gather((np.full(n, n) for n in (1, 3)), (), np.int64, memory=0)
    >>> rows.values.tolist(), rows.lengths.tolist()
    ([1, 3, 3, 3], [1, 3])
    """
    held: list[npt.NDArray[Any]] = [np.empty((0, *shape), dtype)]
    lengths: list[int] = []
    waiting = 0
    with tempfile.TemporaryFile(prefix="relembra-") as file:
        for row in rows:
            held.append(row)
            lengths.append(len(row))
            waiting += row.nbytes
            if waiting > memory:
                file.writelines(one.tobytes() for one in held)
                held, waiting = held[:1], 0
        if not file.tell():
            return Ragged(np.concatenate(held), offsets_of(lengths))
        file.writelines(one.tobytes() for one in held)
        file.flush()
        whole = (sum(lengths), *shape)
        return Ragged(np.memmap(file, dtype, "r", shape=whole), offsets_of(lengths))
