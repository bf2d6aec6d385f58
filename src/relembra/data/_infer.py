"""The frequency of times: the grid that all of them fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from relembra.data import _clock as clock
from relembra.data._frequency import Frequency
from relembra.data._times import Times
from relembra.data._types import Bools, CellError, Ints

__all__ = ["anchor", "infer_frequency"]

_FIXED = ("W", "D", "h", "m", "s", "ms", "us")


def _mode(values: Ints) -> int:
    """Return the most common value, the smallest of several."""
    distinct, counts = np.unique(values, return_counts=True)
    return int(distinct[np.argmax(counts)])


def _phase(values: Ints, step: int) -> int:
    return _mode(values % step)


def _grid(values: Ints, same: Bools, natural: tuple[int, ...]) -> tuple[int, int]:
    """Find step and phase of the grid that all values fit.

    Parameters
    ----------
    values
        ``(n,)`` distinct increasing numbers within each series.
    same
        ``(n - 1,)`` True where a value and its predecessor are of one series.
    natural
        Steps that are believed even if no two neighbours are so close.

    Raises
    ------
    CellError
        The values are on no regular grid; its index is that of the first to fall off.
    """
    gaps = np.diff(values)[same]
    usual = _mode(gaps)
    rest = values % usual
    if (rest == rest[0]).all():
        return usual, int(rest[0])
    phase = _mode(rest)
    off = rest != phase
    finest = int(np.gcd.reduce(np.concatenate([gaps, values - values[0]])))
    filled = (len(gaps) + 1) * finest / max(int(gaps.sum()), 1)
    believed = finest in natural or np.mean(gaps == finest) >= 0.25
    if believed and filled >= 0.2:
        return finest, _phase(values, finest)
    raise CellError(int(np.argmax(off)), "")


def _monthly_day(moments: Ints) -> int | None:
    """Return the day of the month that all moments share (31: the last), or None."""
    if len(moments) > 1000 and _monthly_day(moments[:1000]) is None:
        return None  # most series are told by their beginning, at no cost
    months, days, clocks = clock.to_months(moments)
    if (clocks != clocks[0]).any():
        return None
    latest = int(days.max())
    for day in (latest, 31, 1):
        if clock.is_anchor_day(months, days, day).all():
            return 31 if (days == clock.month_lengths(months)).all() and latest > 28 else day
    return None


def _from_months(times: Times, values: Ints, same: Bools, day: int) -> Frequency:
    months, _, clocks = clock.to_months(values)
    step, phase = _grid(months, same, (1, 3, 12))
    unit, multiple = ("Y", step // 12) if step % 12 == 0 else ("M", step)
    return Frequency(unit, multiple, phase, day, int(clocks[0]), times.form, times.zone)


def _is_business(values: Ints, same: Bools) -> bool:
    """Tell whether days skip every weekend, having met at least one."""
    _, workday, clocks = clock.to_business_days(values)
    jumps = np.diff(values)[same] >= 3 * clock.DAY
    return bool(workday.all() and jumps.any() and (clocks == clocks[0]).all())


def _from_fixed(times: Times, values: Ints, same: Bools) -> Frequency:
    natural = tuple(clock.MICROSECONDS[unit] for unit in _FIXED)
    step, phase = _grid(values, same, natural)
    if step == clock.DAY and _is_business(values, same):
        return Frequency("B", 1, 0, 1, phase, times.form, times.zone)
    unit = next(u for u in _FIXED if step % clock.MICROSECONDS[u] == 0)
    return Frequency(unit, step // clock.MICROSECONDS[unit], phase, 1, 0, times.form, times.zone)


def infer_frequency(times: Times, values: Ints, codes: Ints) -> Frequency:
    """Find the grid of times.

    Parameters
    ----------
    times
        Kind and form of the times.
    values
        ``(n,)`` times sorted and distinct within each series.
    codes
        ``(n,)`` series of each, sorted.

    Raises
    ------
    CellError
        No series has two times (index -1), or a time is off the grid of the others.
    """
    same = codes[1:] == codes[:-1]
    if not same.any():
        raise CellError(-1, "no series has two different times, so the frequency cannot be seen")
    if times.integer:
        step, phase = _grid(values, same, (1,))
        return Frequency("int", step, phase, form="int")
    day = _monthly_day(values)
    if day is not None and (np.diff(clock.to_months(values)[0])[same] > 0).all():
        return _from_months(times, values, same, day)
    return _from_fixed(times, values, same)


def anchor(frequency: Frequency, times: Times, values: Ints) -> Frequency:
    """Lay a frequency of known step over times: phase, day, clock and form are taken from them."""
    frequency = replace(frequency, form=times.form, zone=times.zone)
    if frequency.unit in ("Y", "M"):
        months, _, clocks = clock.to_months(values)
        day = _monthly_day(values) or frequency.day
        phase = _phase(months, frequency.step)
        return replace(frequency, phase=phase, day=day, clock=int(clocks[0]))
    if frequency.unit == "B":
        return replace(frequency, clock=_mode(values % clock.DAY))
    return replace(frequency, phase=_phase(values, frequency.step))
