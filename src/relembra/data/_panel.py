"""Many series on one regular grid, in flat arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import numpy.typing as npt

from relembra._errors import DataError
from relembra.data._frequency import Frequency
from relembra.data._schema import PanelSchema
from relembra.data._types import Floats, Floats32, Ints

__all__ = ["Panel"]


@dataclass(frozen=True, eq=False)
class Panel:
    """Many series on one regular grid.

    Rows of series ``s`` are ``offsets[s]:offsets[s + 1]``, one for each step of the grid. Rows at
    the end of a series without a target but with known covariates are its future.

    Parameters
    ----------
    schema
        Names of the columns, frequency and categories.
    ids
        ``(S,)`` names of the series, in natural order; ``""`` for a single unnamed one.
    starts
        ``(S,)`` ordinal of each series' first step.
    offsets
        ``(S + 1,)`` first row of each series, and N.
    target
        ``(N,)`` NaN where missing.
    known, past
        ``(N, K)`` and ``(N, P)`` covariates, NaN where missing.
    static
        ``(S, Q)`` numbers, NaN where missing.
    static_codes
        ``(S, R)`` category codes from 1; 0 is unknown or missing.

    Examples
    --------
    >>> panel = Panel.from_series({"a": [1.0, 2.0, 3.0]}, "monthly", start="2024-01")
    >>> panel.target_of(0).tolist(), panel.labels(0, 0, 2)
    ([1.0, 2.0, 3.0], ['2024-01-01', '2024-02-01'])
    """

    schema: PanelSchema
    ids: list[str]
    starts: Ints
    offsets: Ints
    target: Floats
    known: Floats32
    past: Floats32
    static: Floats32
    static_codes: Ints

    @classmethod
    def from_series(
        cls,
        series: Mapping[str, npt.ArrayLike],
        frequency: Frequency | str,
        start: int | str = 0,
    ) -> Panel:
        """Build a panel without covariates from one array per series.

        Parameters
        ----------
        series
            Values by the series' name, each ``(T_s,)``, NaN where missing.
        frequency
            A frequency or its name.
        start
            The first time of all series: an ordinal, or a date such as ``"2024-01-05"``.
        """
        grid = Frequency.parse(frequency) if isinstance(frequency, str) else frequency
        first = int(grid.ordinals_of([start])[0]) if isinstance(start, str) else start
        values = [np.asarray(v, dtype=np.float64) for v in series.values()]
        if not values or any(v.ndim != 1 or len(v) == 0 for v in values):
            raise DataError("expected at least one series, each a list of one or more numbers")
        count, offsets = len(values), np.cumsum([0, *(len(v) for v in values)], dtype=np.int64)
        rows = int(offsets[-1])
        return cls(
            PanelSchema(grid, series=("series",) if count > 1 else ()),
            list(series),
            np.full(count, first, dtype=np.int64),
            offsets,
            np.concatenate(values),
            np.empty((rows, 0), np.float32),
            np.empty((rows, 0), np.float32),
            np.empty((count, 0), np.float32),
            np.empty((count, 0), np.int64),
        )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def frequency(self) -> Frequency:
        """The grid of the times."""
        return self.schema.frequency

    @property
    def target_name(self) -> str:
        """Name of the target column, or of all of them."""
        return ", ".join(self.schema.target)

    @property
    def known_names(self) -> list[str]:
        """Names of the covariates whose future is known."""
        return list(self.schema.known)

    @property
    def past_names(self) -> list[str]:
        """Names of the covariates known only up to now."""
        return list(self.schema.past)

    @property
    def static_names(self) -> list[str]:
        """Names of the static numbers."""
        return list(self.schema.static)

    @property
    def static_categories(self) -> list[list[str]]:
        """Values of each static category; value i has the code i + 1."""
        return [list(names) for names in self.schema.categories]

    @property
    def lengths(self) -> Ints:
        """``(S,)`` rows of each series, its future included."""
        return np.diff(self.offsets)

    @property
    def observed_lengths(self) -> Ints:
        """``(S,)`` rows of each series up to its last observed target; 0 where there is none."""
        seen = np.where(np.isnan(self.target), -1, np.arange(len(self.target)))
        last = np.maximum.reduceat(seen, self.offsets[:-1])
        return cast(Ints, np.maximum(last + 1 - self.offsets[:-1], 0))

    def target_of(self, series: int) -> Floats:
        """Return the ``(T,)`` targets of one series, a view."""
        return self.target[self.offsets[series] : self.offsets[series + 1]]

    def times(self, series: int) -> npt.NDArray[np.generic]:
        """Return the ``(T,)`` times of one series: ``datetime64[us]``, or int64."""
        return self.frequency.times(int(self.starts[series]), int(self.lengths[series]))

    def labels(self, series: int, first: int, count: int) -> list[str]:
        """Return the times of steps ``first : first + count`` of one series as text.

        Steps beyond its end continue the grid.
        """
        begin = int(self.starts[series]) + first
        return self.frequency.labels(np.arange(begin, begin + count))

    def select(self, series: Sequence[int]) -> Panel:
        """Return a panel of some of the series, copied, in the order given."""
        chosen = np.asarray(series, dtype=np.int64)
        rows = np.concatenate(
            [np.arange(self.offsets[s], self.offsets[s + 1]) for s in chosen]
            or [np.empty(0, np.int64)]
        )
        return replace(
            self,
            ids=[self.ids[s] for s in chosen],
            starts=self.starts[chosen],
            offsets=np.concatenate([[0], np.cumsum(self.lengths[chosen])]),
            target=self.target[rows],
            known=self.known[rows],
            past=self.past[rows],
            static=self.static[chosen],
            static_codes=self.static_codes[chosen],
        )
