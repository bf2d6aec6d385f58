"""Rows in any order become series on a grid: sorting, duplicates, gaps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from relembra._errors import DataError
from relembra.data._frequency import Frequency
from relembra.data._infer import anchor, infer_frequency
from relembra.data._times import Times
from relembra.data._types import Bools, CellError, Codes, Floats, Ints

__all__ = ["Fail", "Grid", "Long", "lay_on_grid", "sort_rows", "unite_duplicates"]

Scalar = TypeVar("Scalar", bound=np.generic)
#: Makes the error for a row of the input; ``{other}`` in the message becomes the place of another.
Fail = Callable[..., DataError]

_SPARSEST = 200


@dataclass(frozen=True)
class Long:
    """Rows in long form.

    Parameters
    ----------
    codes
        ``(n,)`` series of each row.
    times
        ``(n,)`` moments or integers.
    rows
        ``(n,)`` position of each row in the input; None when they are in the order of the input.
    target
        ``(n,)``.
    covariates
        ``(n,)`` numbers by column name.
    statics
        ``(n,)`` codes by column name, to be the same in all rows of a series.
    """

    codes: Codes
    times: Ints
    rows: npt.NDArray[Any] | None
    target: Floats
    covariates: Mapping[str, Floats]
    statics: Mapping[str, Codes]

    def take(self, chosen: npt.NDArray[Any]) -> Long:
        """Return some of the rows: by positions, or by a mask."""
        return Long(
            self.codes[chosen],
            self.times[chosen],
            _positions(chosen) if self.rows is None else self.rows[chosen],
            self.target[chosen],
            {name: values[chosen] for name, values in self.covariates.items()},
            {name: values[chosen] for name, values in self.statics.items()},
        )

    def row(self, position: int) -> int:
        """Return where a row stood in the input."""
        return position if self.rows is None else int(self.rows[position])

    @property
    def same(self) -> Bools:
        """``(n - 1,)`` True where a row is of the same series as the one before."""
        return np.equal(self.codes[1:], self.codes[:-1])


def _positions(chosen: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the positions that a mask or an index chooses, in as few bytes as will do."""
    found = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
    return found.astype(np.int32) if len(chosen) < 1 << 31 else found


def sort_rows(long: Long) -> tuple[Long, int]:
    """Sort by series, then time; rows already in order are not copied.

    Returns
    -------
    tuple
        The sorted rows, and how many of them came before an earlier time of their own series.
    """
    order = None
    codes, times = long.codes, long.times
    if (codes[1:] < codes[:-1]).any():
        # numpy sorts 16-bit integers by radix, several times faster than wider ones
        narrow = codes.astype(np.uint16) if codes.max() < 1 << 16 else codes
        order = np.argsort(narrow, kind="stable")
        codes, times = codes[order], times[order]
    late = int(np.count_nonzero((codes[1:] == codes[:-1]) & (times[1:] < times[:-1])))
    if late:
        del codes, times, order
        order = np.lexsort((long.times, long.codes))
    return (long if order is None else long.take(order)), late


def _differs(values: npt.NDArray[Any], first: Ints, second: Ints) -> Bools:
    a, b = values[first], values[second]
    unequal: Bools = a != b
    return unequal & ~(np.isnan(a) & np.isnan(b)) if values.dtype.kind == "f" else unequal


def unite_duplicates(long: Long, times: Times, ids: list[str], fail: Fail) -> tuple[Long, int]:
    """Keep one of several identical rows, and refuse rows that contradict each other.

    Raises
    ------
    DataError
        Two rows of one series and time have different values.
    """
    second = np.flatnonzero(long.same & (long.times[1:] == long.times[:-1])) + 1
    if not len(second):
        return long, 0
    columns: list[npt.NDArray[Any]] = [long.target, *long.covariates.values()]
    for values in [*columns, *long.statics.values()]:
        differs = _differs(values, second - 1, second)
        if differs.any():
            at = int(second[np.argmax(differs)])
            name = ids[int(long.codes[at])]
            of = f" of series {name!r}" if name else ""
            rows = sorted((long.row(at), long.row(at - 1)))
            raise fail(
                f"this row has the same time{of} as {{other}}, but other values; remove one, "
                "or add up or average them first, or name the column that tells series apart",
                rows[1],
                other=rows[0],
            )
    keep = np.ones(len(long.codes), dtype=np.bool_)
    keep[second] = False
    return long.take(keep), len(second)


@dataclass(frozen=True)
class Grid:
    """Where sorted rows lie on a regular grid.

    Parameters
    ----------
    frequency
        The grid.
    starts
        ``(S,)`` first ordinal of each series.
    offsets
        ``(S + 1,)`` first flat row of each series.
    positions
        ``(n,)`` flat row of each input row; None when there are no gaps.
    """

    frequency: Frequency
    starts: Ints
    offsets: Ints
    positions: Ints | None

    @property
    def rows(self) -> int:
        """Number of flat rows."""
        return int(self.offsets[-1])

    def fill(self, values: npt.NDArray[Scalar], dtype: type[Scalar]) -> npt.NDArray[Scalar]:
        """Lay ``(n,)`` values on the ``(N,)`` grid, NaN in the gaps."""
        if self.positions is None:
            return values.astype(dtype, copy=False)
        full = np.full(self.rows, np.nan, dtype=dtype)
        full[self.positions] = values
        return full


def _find(long: Long, times: Times, wanted: Frequency | None, fail: Fail) -> Frequency:
    if wanted is not None and (wanted.unit == "int") != times.integer:
        kind = "integers" if times.integer else "dates"
        raise fail(f"the times are {kind}, which do not fit the frequency {wanted.name!r}", 0)
    try:
        if wanted is not None:
            return anchor(wanted, times, long.times)
        return infer_frequency(times, long.times, long.codes.astype(np.int64, copy=False))
    except CellError as bad:
        if bad.index < 0:
            raise fail(f"{bad.message}; give more rows, or the frequency", None) from None
        raise fail(
            "this time does not lie on the regular grid of the others; correct it, or give the "
            "frequency, or sum the values over regular periods first",
            long.row(bad.index),
        ) from None


def _ordinals(long: Long, frequency: Frequency, fail: Fail) -> Ints:
    ordinals, fits = frequency.ordinals(long.times)
    if not fits.all():
        at = int(np.argmin(fits))
        raise fail(
            f"this time is not on the {frequency.name} grid of the others; correct it, leave out "
            "the frequency if you gave one, or sum the values over regular periods first",
            long.row(at),
        )
    twice = long.same & (ordinals[1:] == ordinals[:-1])
    if twice.any():
        at = int(np.argmax(twice)) + 1
        raise fail(
            f"this time falls in the same step as {{other}} on the {frequency.name} grid",
            long.row(at),
            other=long.row(at - 1),
        )
    return ordinals


def lay_on_grid(long: Long, times: Times, wanted: Frequency | None, fail: Fail) -> Grid:
    """Find the grid of sorted, distinct rows and lay them on it.

    Raises
    ------
    DataError
        The times are on no common grid, or so sparse that nearly all of it would be empty.
    """
    frequency = _find(long, times, wanted, fail)
    ordinals = _ordinals(long, frequency, fail)
    first = np.concatenate([[True], ~long.same])
    begins = np.flatnonzero(first)
    ends = np.append(begins[1:], len(ordinals))
    lengths = ordinals[ends - 1] - ordinals[begins] + 1
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    if offsets[-1] > _SPARSEST * len(ordinals) + 10_000:
        gaps = np.where(first[1:], 0, np.diff(ordinals))
        at = int(np.argmax(gaps)) + 1
        raise fail(
            f"{int(gaps[at - 1]):,} {frequency.name} steps are missing before this row; correct "
            "the time, or give a coarser frequency",
            long.row(at),
        )
    starts = ordinals[begins]
    if offsets[-1] == len(ordinals):
        return Grid(frequency, starts, offsets, None)
    shifts = np.repeat(offsets[:-1] - starts, ends - begins)
    return Grid(frequency, starts, offsets, ordinals + shifts)
