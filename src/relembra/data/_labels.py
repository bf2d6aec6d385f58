"""Times as text, in the form in which they came."""

from __future__ import annotations

import numpy as np

from relembra.data._types import Ints

__all__ = ["labels"]

_ISO_UNITS = {
    "%Y": "Y",
    "%Y-%m": "M",
    "%Y-%m-%d": "D",
    "%Y-%m-%d %H:%M": "m",
    "%Y-%m-%dT%H:%M": "m",
    "%Y-%m-%d %H:%M:%S": "s",
    "%Y-%m-%dT%H:%M:%S": "s",
    "%Y-%m-%d %H:%M:%S.%f": "us",
    "%Y-%m-%dT%H:%M:%S.%f": "us",
}


def _special(moments: Ints, form: str) -> list[str]:
    months = moments.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
    pairs = [(1970 + int(m) // 12, int(m) % 12) for m in months]
    if form == "quarter":
        return [f"{year}Q{month // 3 + 1}" for year, month in pairs]
    return [f"{year}-{month + 1:02d}" for year, month in pairs]


def labels(moments: Ints, form: str, zone: str = "") -> list[str]:
    """Write moments (microseconds since 1970) as text.

    Parameters
    ----------
    moments
        ``(n,)`` times; for the form ``int`` the integers themselves.
    form
        A ``strftime`` format, or ``int``, ``epoch`` (seconds), ``epoch-ms``, ``quarter`` (2024Q1),
        ``year-month`` (years of any length: 1-01).
    zone
        Text put behind each time.
    """
    moments = np.atleast_1d(np.asarray(moments, dtype=np.int64))
    if form in ("int", "epoch", "epoch-ms"):
        divisor = {"int": 1, "epoch": 1_000_000, "epoch-ms": 1000}[form]
        return [str(value) for value in (moments // divisor).tolist()]
    if form in ("quarter", "year-month"):
        return _special(moments, form)
    stamps = moments.astype("datetime64[us]")
    if form in _ISO_UNITS:
        text = np.datetime_as_string(stamps.astype(f"datetime64[{_ISO_UNITS[form]}]"))
        words = text.tolist()
        return (
            [w.replace("T", " ") + zone for w in words]
            if " " in form
            else [w + zone for w in words]
        )
    return [stamp.strftime(form) + zone for stamp in stamps.tolist()]
