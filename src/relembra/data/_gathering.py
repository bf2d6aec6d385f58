"""Rows one behind the other: in memory, or in an unnamed file on disk where they are many."""

from __future__ import annotations

import contextlib
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator, Sized
from types import TracebackType
from typing import IO, Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from relembra._errors import DataError
from relembra.data._ragged import Ragged, offsets_of

__all__ = ["TEXT_MEMORY", "Gathering", "blocks", "gather", "gather_ids"]

Row = TypeVar("Row", bound=Sized)

TEXT_MEMORY = 1 << 28
"""Bytes of texts, or of their ids, that are held in memory rather than on disk."""

_MEMORY = 1 << 30
_OVERHEAD = 128  # bytes that an array takes beside its values
_BLOCK = 1 << 16


class Gathering:
    """Rows that come some at a time, to be laid one behind the other.

    Parameters
    ----------
    shape, dtype
        Of an element.
    memory
        Rows of more bytes in all are held in a temporary file that is mapped into memory; it has
        no name, and is gone with the rows.

    Examples
    --------
    >>> with Gathering((), np.uint8) as rows:
    ...     rows.add(np.array([5, 6, 7]), [2, 1])
    ...     rows.add(np.array([8]), [0, 1])
    ...     rows.finish().lengths.tolist()
    [2, 1, 0, 1]
    """

    def __init__(
        self, shape: tuple[int, ...], dtype: npt.DTypeLike, *, memory: int = _MEMORY
    ) -> None:
        self._shape, self._dtype, self._memory = shape, np.dtype(dtype), memory
        self._held: list[npt.NDArray[Any]] = []
        self._waiting = 0
        self._lengths = array("q")
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):  # what cannot be written was told already
                self._file.close()

    def add(self, values: npt.NDArray[Any], lengths: Iterable[int]) -> None:
        """Take rows that lie one behind the other.

        Parameters
        ----------
        values
            ``(N, *shape)`` the elements of these rows.
        lengths
            How many each row has, N in all.

        Raises
        ------
        DataError
            There is no room on disk.
        """
        self._held.append(values.astype(self._dtype, copy=False))
        self._lengths.extend(lengths)
        self._waiting += self._held[-1].nbytes + _OVERHEAD
        if self._waiting > self._memory:
            self._write()

    def finish(self) -> Ragged:
        """Return all rows.

        Raises
        ------
        DataError
            There is no room on disk.
        """
        offsets = offsets_of(np.frombuffer(self._lengths, np.int64) if self._lengths else [])
        if self._file is None or not offsets[-1]:  # an empty file cannot be mapped
            self._held.insert(0, np.empty((0, *self._shape), self._dtype))
            return Ragged(np.concatenate(self._held), offsets)
        self._write()
        shape = (int(offsets[-1]), *self._shape)
        mapped = np.memmap(self._file, self._dtype, "r", shape=shape)
        # joblib would send its processes the name of a mapped file, and this one has none: as a
        # plain array over the same memory the values themselves are sent.
        return Ragged(np.asarray(mapped.data), offsets)

    def _write(self) -> None:
        """Move what is held to the file."""
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="relembra-")
            for values in self._held:
                self._file.write(np.ascontiguousarray(values).data)
            self._file.flush()
        except OSError as error:
            raise DataError(
                f"the data does not fit into temporary files here ({error.strerror}); set TMPDIR "
                "to a folder with more room",
                path=tempfile.gettempdir(),
            ) from error
        self._held, self._waiting = [], 0


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
    shape, dtype, memory
        As in :class:`Gathering`.

    Returns
    -------
    Ragged

    Raises
    ------
    DataError
        There is no room on disk.

    Examples
    --------
    >>> rows = gather((np.full(n, n) for n in (1, 3)), (), np.int64, memory=0)
    >>> rows.values.tolist(), rows.lengths.tolist()
    ([1, 3, 3, 3], [1, 3])
    """
    with Gathering(shape, dtype, memory=memory) as gathering:
        for row in rows:
            gathering.add(row, [len(row)])
        return gathering.finish()


def gather_ids(
    rows: Iterable[Row], ids: Callable[[list[Row]], npt.NDArray[Any]], size: int
) -> Ragged:
    """Lay the ids of rows of symbols one behind the other, in the smallest type that holds them.

    Parameters
    ----------
    rows
        Such as texts, or lists of words.
    ids
        Gives the ids of some rows, one for each symbol, one row behind the other.
    size
        How many different ids there are.

    Returns
    -------
    Ragged

    Raises
    ------
    DataError
        There is no room on disk.

    Examples
    --------
    >>> rows = gather_ids([b"ab", b"b"], lambda some: np.frombuffer(b"".join(some), "u1"), 256)
    >>> rows.values, rows.lengths.tolist()
    (array([97, 98, 98], dtype=uint8), [2, 1])
    """
    kind = np.min_scalar_type(max(size - 1, 0))
    with Gathering((), kind, memory=TEXT_MEMORY) as gathering:
        for some in blocks(rows):
            gathering.add(ids(some), map(len, some))
        return gathering.finish()


def blocks(rows: Iterable[Row], most: int | None = None) -> Iterator[list[Row]]:
    """Yield rows in lists that have about so many elements together, 65,536 when None.

    Examples
    --------
    >>> list(blocks(["ab", "", "c", "def", "g"], 2))
    [['ab'], ['', 'c'], ['def'], ['g']]
    """
    some: list[Row] = []
    elements = 0
    for row in rows:
        some.append(row)
        elements += len(row) + 1
        if elements > (_BLOCK if most is None else most):
            yield some
            some, elements = [], 0
    if some:
        yield some
