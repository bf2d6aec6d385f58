"""Regular calendar grids: how far apart the steps of a series are, and where they fall."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from relembra._errors import DataError
from relembra.data import _clock as clock
from relembra.data._calendar import calendar_features
from relembra.data._labels import labels
from relembra.data._types import Bools, Floats32, Ints

__all__ = ["Frequency"]

_NAMES = {
    ("Y", 1): "yearly",
    ("M", 3): "quarterly",
    ("M", 1): "monthly",
    ("W", 1): "weekly",
    ("D", 1): "daily",
    ("B", 1): "business days",
    ("h", 1): "hourly",
    ("int", 1): "integer steps",
}
_PLURALS = {
    "Y": "years", "M": "months", "W": "weeks", "D": "days", "B": "business days", "h": "hours",
    "m": "minutes", "s": "seconds", "ms": "milliseconds", "us": "microseconds",
}  # fmt: skip
_ALIASES = {
    "y": "Y", "ys": "Y", "ye": "Y", "a": "Y", "as": "Y", "year": "Y", "yearly": "Y", "annual": "Y",
    "q": "3M", "qs": "3M", "qe": "3M", "quarter": "3M", "quarterly": "3M",
    "M": "M", "ms": "M", "me": "M", "month": "M", "monthly": "M", "mo": "M",
    "w": "W", "week": "W", "weekly": "W",
    "d": "D", "day": "D", "daily": "D",
    "b": "B", "bd": "B", "business": "B", "business days": "B",
    "h": "h", "hour": "h", "hourly": "h",
    "m": "m", "min": "m", "t": "m", "minute": "m", "minutes": "m",
    "s": "s", "sec": "s", "second": "s", "seconds": "s",
    "int": "int", "integer": "int", "step": "int",
    "millisecond": "ms", "milliseconds": "ms", "l": "ms", "us": "us", "microseconds": "us",
}  # fmt: skip
_CYCLES = {  # seasonal cycles in units, main one first
    "Y": (1,), "M": (12,), "W": (52,), "D": (7, 365), "B": (5, 261), "h": (24, 168),
    "m": (1440, 10080), "s": (60, 3600), "ms": (1000, 60000), "us": (1000, 1000000), "int": (1,),
}  # fmt: skip
_HORIZONS = {"Y": 6, "M": 12, "W": 13, "D": 14, "B": 10, "h": 48, "int": 12}


@dataclass(frozen=True)
class Frequency:
    """A regular grid of times: ``multiple`` units apart, numbered by integers (ordinals).

    Parameters
    ----------
    unit
        ``"Y"``, ``"M"``, ``"W"``, ``"D"``, ``"B"`` (Monday to Friday), ``"h"``, ``"m"`` (minute),
        ``"s"``, ``"ms"``, ``"us"``, or ``"int"`` for times that are plain integers.
    multiple
        Units from one step to the next; a quarter is three months.
    phase
        Where in its step the grid lies: months for ``Y`` and ``M``, microseconds for units of fixed
        length (so it also holds the weekday of weeks), integers for ``int``.
    day
        Day of the month of yearly and monthly times; 31 is the month's end.
    clock
        Time of day in microseconds, for yearly, monthly and business-day times.
    form
        How times are written (see :meth:`labels`); empty for the usual form of the unit.
    zone
        Suffix of written times, such as ``"Z"`` or ``"-03:00"``.

    Examples
    --------
    >>> monthly = Frequency("M", form="%Y-%m")
    >>> monthly.name, monthly.seasons, monthly.horizon
    ('monthly', (12,), 12)
    >>> monthly.labels(monthly.ordinals_of(["1949-01-01", "1949-02-01"]))
    ['1949-01', '1949-02']
    """

    unit: str
    multiple: int = 1
    phase: int = 0
    day: int = 1
    clock: int = 0
    form: str = ""
    zone: str = ""

    def __post_init__(self) -> None:
        if self.unit not in _CYCLES:
            raise DataError(f"no time unit {self.unit!r}; known: {', '.join(_CYCLES)}")
        if self.multiple < 1 or (self.unit == "B" and self.multiple != 1):
            raise DataError(f"a step of {self.multiple} x {self.unit!r} makes no sense")

    @classmethod
    def parse(cls, text: str) -> Frequency:
        """Read a frequency as people write it: ``"D"``, ``"monthly"``, ``"15min"``, ``"4h"``.

        Raises
        ------
        DataError
            The text names no frequency.
        """
        match = re.fullmatch(r"\s*(\d*)\s*([A-Za-z ]+?)(?:-[A-Za-z]{3})?\s*", text)
        word = match[2] if match else ""
        unit = _ALIASES.get(word) or _ALIASES.get(word.lower())
        if match is None or unit is None:
            raise DataError(
                f"{text!r} is no frequency; expected one like 'Y', 'Q', 'M', 'W', 'D', 'B', 'h', "
                "'15min', 's' or 'int'"
            )
        base = 3 if unit == "3M" else 1
        return cls(unit[-1] if unit == "3M" else unit, base * int(match[1] or 1))

    @property
    def name(self) -> str:
        """What people call it: ``"monthly"``, ``"15 minutes"``."""
        if (self.unit, self.multiple) in _NAMES:
            return _NAMES[self.unit, self.multiple]
        if self.unit == "int":
            return f"integer steps of {self.multiple}"
        plural = _PLURALS[self.unit]
        return f"every {plural[:-1]}" if self.multiple == 1 else f"{self.multiple} {plural}"

    @property
    def step(self) -> int:
        """Distance of two steps: months, microseconds, business days or integers."""
        if self.unit in ("Y", "M"):
            return self.multiple * (12 if self.unit == "Y" else 1)
        return self.multiple * clock.MICROSECONDS.get(self.unit, 1)

    @property
    def seasons(self) -> tuple[int, ...]:
        """Seasonal periods in steps, the main one first; ``(1,)`` when there is none."""
        cycles = _CYCLES[self.unit]
        fits = tuple(c // self.multiple for c in cycles if c % self.multiple == 0)
        return tuple(c for c in fits if c > 1) or (1,)

    @property
    def horizon(self) -> int:
        """How many steps are forecast when nobody says."""
        if (self.unit, self.multiple) == ("M", 3):
            return 8
        if self.unit == "m":
            return 60 if self.multiple < 5 else max(1440 // self.multiple, 12)
        if self.unit == "h":
            return max(48 // self.multiple, 7)
        return _HORIZONS.get(self.unit, 60)

    def moments(self, ordinals: npt.ArrayLike) -> Ints:
        """Return the times of ordinals as integers: microseconds since 1970, or the integers."""
        steps = np.asarray(ordinals, dtype=np.int64)
        if self.unit in ("Y", "M"):
            return clock.from_months(steps * self.step + self.phase, self.day) + self.clock
        if self.unit == "B":
            return clock.from_business_days(steps) + self.clock
        return steps * self.step + self.phase

    def ordinals(self, moments: Ints) -> tuple[Ints, Bools]:
        """Return the steps of times, and say which of them lie on the grid.

        Parameters
        ----------
        moments
            ``(n,)`` microseconds since 1970, or integers for ``int``.

        Returns
        -------
        tuple
            ``(n,)`` ordinals, and ``(n,)`` True where a time lies exactly on the grid.
        """
        if self.unit in ("Y", "M"):
            months, days, clocks = clock.to_months(moments)
            steps, rest = np.divmod(months - self.phase, self.step)
            on_day = clock.is_anchor_day(months, days, self.day)
            return steps, (rest == 0) & on_day & (clocks == self.clock)
        if self.unit == "B":
            steps, workday, clocks = clock.to_business_days(moments)
            return steps, workday & (clocks == self.clock)
        steps, rest = np.divmod(moments - self.phase, self.step)
        return steps, rest == 0

    def ordinals_of(self, times: npt.ArrayLike) -> Ints:
        """Return the steps of dates (anything ``numpy.datetime64`` reads) or integers.

        Raises
        ------
        DataError
            A time does not lie on the grid.
        """
        dtype = "int64" if self.unit == "int" else "datetime64[us]"
        moments = np.asarray(times, dtype=dtype).astype(np.int64)
        ordinals, fits = self.ordinals(np.atleast_1d(moments))
        if not fits.all():
            bad = np.atleast_1d(np.asarray(times))[np.argmin(fits)]
            raise DataError(f"{bad} is not a step of a {self.name} grid")
        return ordinals

    def times(self, start: int, n: int) -> npt.NDArray[Any]:
        """Return ``n`` times from ordinal ``start``: ``datetime64[us]``, or int64 for ``int``."""
        moments = self.moments(np.arange(start, start + n, dtype=np.int64))
        return moments if self.unit == "int" else moments.astype("datetime64[us]")

    def labels(self, ordinals: npt.ArrayLike) -> list[str]:
        """Write times as text, in the form of the input (``2024-01``, ``2024-01-05 13:00``, 17)."""
        return labels(self.moments(ordinals), self.form or self._usual_form(), self.zone)

    def _usual_form(self) -> str:
        if self.unit == "int":
            return "int"
        if self.unit in ("ms", "us"):
            return "%Y-%m-%d %H:%M:%S.%f"
        offset = self.clock if self.unit in ("Y", "M", "B") else self.phase % clock.DAY
        if self.unit in ("Y", "M", "W", "D", "B") and offset == 0:
            return "%Y-%m-%d"
        whole = self.unit != "s" and offset % clock.MICROSECONDS["m"] == 0
        return "%Y-%m-%d %H:%M" if whole else "%Y-%m-%d %H:%M:%S"

    def calendar(self, ordinals: npt.ArrayLike) -> Floats32:
        """Return sine and cosine pairs of the hour, weekday and season, ``(n, C)`` in [-1, 1].

        ``C`` depends on the unit alone; it is 0 where the calendar says nothing (``Y``, ``int``).
        """
        return calendar_features(self.unit, self.moments(ordinals))

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Frequency:
        """Rebuild what :meth:`to_json` wrote."""
        return cls(**data)
