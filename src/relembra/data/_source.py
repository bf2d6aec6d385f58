"""What every kind of input offers: its columns, a sample, the used values, and where they stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from relembra._errors import DataError
from relembra.data._types import Codes, Floats

__all__ = ["Key", "Rows", "Source", "unite_chunks"]


@dataclass(frozen=True)
class Key:
    """A column of repeated values: ``values[codes]``, values in order of first appearance.

    The values are distinct, but for times, of which nearly all may be anyhow.
    """

    codes: Codes  # (n,)
    values: Any  # (u,) Arrow array


@dataclass(frozen=True)
class Rows:
    """The used columns in memory; whoever has used one up takes it out."""

    count: int
    keys: dict[str, Key] = field(default_factory=dict)
    numbers: dict[str, Floats] = field(default_factory=dict)  # each (n,), NaN = missing


class Source(Protocol):
    """A table that can be looked at, then read.

    ``kinds`` says of each column, from a sample: ``number``, ``integer``, ``time``, ``text`` or
    ``empty``; ``varied`` names the text columns with more than one value in the sample.
    """

    @property
    def path(self) -> str | None: ...
    @property
    def columns(self) -> list[str]: ...
    @property
    def kinds(self) -> dict[str, str]: ...
    @property
    def notes(self) -> list[str]: ...

    def read(self, times: Sequence[str], keys: Sequence[str], numbers: Sequence[str]) -> Rows:
        """Read the named columns, and nothing else, into memory; times become keys too."""
        ...

    def texts(self, columns: Sequence[str]) -> Iterator[Any]:
        """Yield the named columns as text, in Arrow record batches."""
        ...

    def place(self, row: int) -> str:
        """Name the line or row, for the middle of a sentence: ``line 17``."""
        ...

    def error(self, message: str, row: int | None = None, column: str | None = None) -> DataError:
        """Make the error that names the place: the file, and the line of a row counted from 0."""
        ...


def unite_chunks(chunks: list[Any], distinct: bool) -> Key:
    """Unite dictionary arrays, each with values of its own.

    Parameters
    ----------
    chunks
        Arrow dictionary arrays; the list is emptied, so that memory is free early.
    distinct
        Whether equal values of several chunks must be made one. That takes a table of all values;
        False leaves it out where it would gain little.
    """
    import pyarrow as pa

    if not chunks:
        return Key(np.empty(0, dtype=np.int32), pa.array([], pa.string()))
    sizes = np.array([len(chunk.dictionary) for chunk in chunks])
    if distinct or 2 * sizes.sum() < sum(len(chunk) for chunk in chunks):
        whole = pa.chunked_array(chunks).unify_dictionaries()
        values, shifts = whole.chunk(len(chunks) - 1).dictionary, np.zeros_like(sizes)
        chunks[:] = whole.chunks
    else:
        values = pa.concat_arrays([chunk.dictionary for chunk in chunks])
        shifts = np.cumsum(sizes) - sizes
    pairs = zip(chunks, shifts.tolist(), strict=True)
    codes = [c.indices.to_numpy(zero_copy_only=False) + np.int32(shift) for c, shift in pairs]
    chunks.clear()
    return Key(np.concatenate(codes), values)
