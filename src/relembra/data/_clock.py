"""Arithmetic of the calendar on microseconds since 1970, vectorised."""

from __future__ import annotations

from typing import cast

import numpy as np

from relembra.data._types import Bools, Ints

__all__ = [
    "DAY",
    "MICROSECONDS",
    "from_business_days",
    "from_months",
    "is_anchor_day",
    "month_lengths",
    "to_business_days",
    "to_months",
]

SECOND = 1_000_000
DAY = 86_400 * SECOND
MICROSECONDS = {
    "W": 7 * DAY,
    "D": DAY,
    "h": 3600 * SECOND,
    "m": 60 * SECOND,
    "s": SECOND,
    "ms": 1000,
    "us": 1,
}
_MONDAY = 3  # 1970-01-01 was a Thursday: day -3 was a Monday


def _first_days(months: Ints) -> Ints:
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def month_lengths(months: Ints) -> Ints:
    """Return how many days each month (numbered from 1970-01) has."""
    return cast(Ints, _first_days(months + 1) - _first_days(months))


def from_months(months: Ints, day: int) -> Ints:
    """Return the moment of ``day`` in each month, or of its last day where it is shorter."""
    days = np.minimum(day, month_lengths(months)) - 1
    return cast(Ints, (_first_days(months) + days) * DAY)


def to_months(moments: Ints) -> tuple[Ints, Ints, Ints]:
    """Split moments into the month since 1970-01, the day of the month from 1, and the clock."""
    days, clocks = np.divmod(moments, DAY)
    months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return months, days - _first_days(months) + 1, clocks


def is_anchor_day(months: Ints, days: Ints, anchor: int) -> Bools:
    """Tell which days stand for their month.

    The last (first) business day stands for the month's end (begin): 31 (1) takes days from the
    26th (to the 4th).
    """
    exact = days == np.minimum(anchor, month_lengths(months))
    if anchor == 31:
        return cast(Bools, exact | (days >= 26))
    return cast(Bools, exact | (days <= 4) if anchor == 1 else exact)


def to_business_days(moments: Ints) -> tuple[Ints, Bools, Ints]:
    """Count the days from Monday to Friday; also tell which are such days, and the clock."""
    days, clocks = np.divmod(moments, DAY)
    weeks, weekdays = np.divmod(days + _MONDAY, 7)
    return weeks * 5 + np.minimum(weekdays, 4), weekdays < 5, clocks


def from_business_days(numbers: Ints) -> Ints:
    """Return the moments of business days, the inverse of :func:`to_business_days`."""
    weeks, weekdays = np.divmod(numbers, 5)
    return cast(Ints, (weeks * 7 + weekdays - _MONDAY) * DAY)
