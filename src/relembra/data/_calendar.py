"""Where in the day, week and year a step lies, as smooth numbers."""

from __future__ import annotations

from typing import cast

import numpy as np

from relembra.data._clock import DAY, MICROSECONDS, to_months
from relembra.data._types import Floats, Floats32, Ints

__all__ = ["calendar_features"]

_PARTS = {
    "M": ("month",),
    "W": ("year",),
    "D": ("week", "year"),
    "B": ("week", "year"),
    "h": ("day", "week", "year"),
    "m": ("day", "week", "year"),
    "s": ("hour", "day", "week"),
    "ms": ("hour", "day", "week"),
    "us": ("hour", "day", "week"),
}


def _phase(part: str, moments: Ints) -> Floats:
    """Return how much of the cycle ``part`` has passed, in [0, 1)."""
    if part == "hour":
        return (moments % MICROSECONDS["h"]) / MICROSECONDS["h"]
    if part == "day":
        return (moments % DAY) / DAY
    if part == "week":
        return ((moments // DAY + 3) % 7) / 7
    if part == "month":
        return (to_months(moments)[0] % 12) / 12
    days = (moments // DAY).astype("datetime64[D]")
    new_year = days.astype("datetime64[Y]").astype("datetime64[D]")
    return cast(Floats, (days - new_year).astype(np.int64) / 366)


def calendar_features(unit: str, moments: Ints) -> Floats32:
    """Return ``(n, 2 * parts)`` sine and cosine of each cycle that the unit deserves."""
    parts = _PARTS.get(unit, ())
    features = np.empty((len(moments), 2 * len(parts)), dtype=np.float32)
    for i, part in enumerate(parts):
        angle = 2 * np.pi * _phase(part, moments)
        features[:, 2 * i] = np.sin(angle)
        features[:, 2 * i + 1] = np.cos(angle)
    return features
