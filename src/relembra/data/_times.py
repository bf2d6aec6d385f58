"""Time columns: text, dates and integers as moments on one time line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np

from relembra.data import _clock as clock
from relembra.data._types import CellError, Ints

__all__ = ["Times", "looks_like_time", "parse_parts", "parse_times"]

_CLOCK = (
    r"(?:[ T]+(?P<H>\d{1,2})(?::(?P<M>\d{2})(?::(?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?)?)?)?"
    r" ?(?P<z>Z|UTC|[+-]\d{2}:?\d{2})?"
)
_PATTERNS = {
    "int": r"[+-]?\d{1,18}",
    "iso": r"(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})" + _CLOCK,
    "numeric": r"(?P<a>\d{1,2})[-/.](?P<b>\d{1,2})[-/.](?P<y>\d{4})" + _CLOCK,
    "month": r"(?P<y>\d{1,4})-(?P<m>\d{1,2})",
    "month/": r"(?P<y>\d{4})[/.Mm](?P<m>\d{1,2})",
    "/year": r"(?P<m>\d{1,2})[-/.](?P<y>\d{4})",
    "quarter": r"(?P<y>\d{4})[- ]?[Qq](?P<q>[1-4])",
}
_NAMED_FORMATS = (
    "%b %Y", "%b-%Y", "%B %Y", "%b-%y", "%d %b %Y", "%d-%b-%Y", "%d %B %Y", "%b %d, %Y",
    "%B %d, %Y", "%d-%b-%y", "%d/%b/%Y",
)  # fmt: skip
_YEAR_NAMES = {"year", "years", "ano", "anos", "año", "jahr", "annee", "année", "yr", "anno"}
_COUNTERS = {"t", "step", "index", "n", "no", "i", "x", "idx", "period", "#"}


@dataclass(frozen=True)
class Times:
    """Parsed times.

    Parameters
    ----------
    values
        ``(n,)`` microseconds since 1970 of the wall clock, or plain integers.
    integer
        True where the times are plain integers and not dates.
    form
        How they were written, as :func:`relembra.data._labels.labels` understands it.
    zone
        The one suffix of all of them, such as ``"Z"``.
    note
        What a person should know about how they were read; may be empty.
    """

    values: Ints
    integer: bool
    form: str
    zone: str = ""
    note: str = ""


def looks_like_time(cell: str) -> bool:
    """Tell whether a cell is written as a date (a plain integer is not counted)."""
    word = cell.strip()
    if any(re.fullmatch(p, word) for name, p in _PATTERNS.items() if name != "int"):
        return True
    return bool(re.search(r"[A-Za-z]", word)) and _named_format([word]) is not None


def _named_format(words: list[str]) -> str | None:
    for form in _NAMED_FORMATS:
        try:
            for word in words:
                datetime.strptime(word, form).replace(tzinfo=UTC)
        except ValueError:
            continue
        return form
    return None


def _micros(stamp: datetime) -> int:
    delta = stamp.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * clock.SECOND + delta.microseconds


def _by_format(words: list[str], form: str) -> Times:
    values = np.empty(len(words), dtype=np.int64)
    zones = set()
    for i, word in enumerate(words):
        try:
            stamp = datetime.strptime(word, form)  # noqa: DTZ007
        except ValueError:
            raise CellError(i, f"{word!r} is not a time of the form {form!r}") from None
        zones.add(stamp.strftime("%z"))
        if len(zones) > 1:
            raise CellError(i, _mixed(word, zones))
        values[i] = _micros(stamp)
    if "%y" in form:
        note = f"two-digit years read as {datetime.strptime(words[0], form).year}"  # noqa: DTZ007
        return Times(values, False, form, note=note)
    return Times(values, False, form.replace("%z", "").rstrip(), next(iter(zones), ""))


def _mixed(word: str, zones: set[str]) -> str:
    shown = ", ".join(repr(z) if z else "none" for z in sorted(zones))
    return (
        f"the times mix several offsets from UTC ({shown}; here {word!r}), perhaps by daylight "
        "saving time; convert them all to UTC, or write wall times without an offset"
    )


def _fields(words: Any, pattern: str) -> dict[str, Any]:
    import pyarrow.compute as pc

    struct = pc.extract_regex(words, f"^(?:{pattern})$")
    return {f.name: pc.struct_field(struct, f.name) for f in struct.type}


def _number(fields: dict[str, Any], name: str, default: int) -> Ints:
    import pyarrow as pa
    import pyarrow.compute as pc

    if name not in fields:
        return np.full(1, default, dtype=np.int64)
    text = pc.if_else(pc.equal(fields[name], ""), pa.scalar(str(default)), fields[name])
    return cast(Ints, pc.cast(text, pa.int64()).to_numpy(zero_copy_only=False))


def _day_first(a: Ints, b: Ints, words: Any) -> bool:
    if a.max() > 12 and b.max() > 12:
        row = int(np.argmax((a > 12) if np.argmax(a > 12) > np.argmax(b > 12) else (b > 12)))
        raise CellError(row, f"{words[row].as_py()!r} does not fit the order of the others")
    if a.max() <= 12 and b.max() <= 12:
        raise CellError(
            0,
            f"{words[0].as_py()!r} may be day/month or month/day, and no other row decides; give "
            "the time format: '%d/%m/%Y' (day first) or '%m/%d/%Y' (month first)",
        )
    return bool(a.max() > 12)


def compose(parts: dict[str, Ints], words: Any) -> Ints:
    """Turn years, months, days and clocks into moments.

    Raises
    ------
    CellError
        There is no such date or time of day.
    """
    year, month, day, hour, minute, second, micro = np.broadcast_arrays(
        parts["y"], parts["m"], parts["d"], parts["H"], parts["M"], parts["S"], parts["f"]
    )
    months = (year - 1970) * 12 + np.clip(month, 1, 12) - 1
    bad = (month < 1) | (month > 12) | (day < 1) | (day > clock.month_lengths(months))
    bad |= (hour > 23) | (minute > 59) | (second > 59)
    if bad.any():
        row = int(np.argmax(bad))
        raise CellError(row, f"{words[row].as_py()!r} is not a date and time that exists")
    days = clock.from_months(months, 1) + (day - 1) * clock.DAY
    return cast(Ints, days + ((hour * 60 + minute) * 60 + second) * clock.SECOND + micro)


def _clock_form(fields: dict[str, Any], words: Any) -> str:
    import pyarrow.compute as pc

    if not pc.any(pc.not_equal(fields["H"], "")).as_py():
        return ""
    separator = "T" if "T" in words[0].as_py() else " "
    if pc.any(pc.not_equal(fields["f"], "")).as_py():
        return separator + "%H:%M:%S.%f"
    return separator + ("%H:%M:%S" if pc.any(pc.not_equal(fields["S"], "")).as_py() else "%H:%M")


def _zone(fields: dict[str, Any], words: Any) -> str:
    zones = fields["z"].dictionary_encode()
    if len(zones.dictionary) > 1:
        codes = zones.indices.to_numpy(zero_copy_only=False)
        row = int(np.argmax(codes != codes[0]))
        raise CellError(row, _mixed(words[row].as_py(), set(zones.dictionary.to_pylist())))
    return cast(str, zones.dictionary[0].as_py())


def _micro_field(fields: dict[str, Any], words: Any) -> Ints:
    import pyarrow.compute as pc

    if "f" not in fields or not pc.any(pc.not_equal(fields["f"], "")).as_py():
        return np.zeros(1, dtype=np.int64)
    padded = pc.utf8_rpad(fields["f"], 9, "0")
    nanos = _number({"f": padded}, "f", 0)
    if (nanos % 1000).any():
        row = int(np.argmax(nanos % 1000 != 0))
        raise CellError(row, f"{words[row].as_py()!r} is finer than a microsecond; round it")
    return nanos // 1000


def _dates(words: Any, kind: str) -> Times:
    fields = _fields(words, _PATTERNS[kind])
    parts = {name: _number(fields, name, 0) for name in ("y", "H", "M", "S")}
    parts |= {name: _number(fields, name, 1) for name in ("m", "d")}
    parts["f"] = _micro_field(fields, words)
    tail = _clock_form(fields, words) if "H" in fields else ""
    zone = _zone(fields, words) if "z" in fields else ""
    separator = re.sub(r"[0-9]", "", words[0].as_py()[:5])[:1]
    note = ""
    if kind == "numeric":
        a, b = _number(fields, "a", 1), _number(fields, "b", 1)
        first = _day_first(a, b, words)
        parts["d"], parts["m"] = (a, b) if first else (b, a)
        form = (separator.join(("%d", "%m", "%Y") if first else ("%m", "%d", "%Y"))) + tail
        note = f"dates read as {'day' if first else 'month'} first"
    elif kind == "quarter":
        parts["m"] = _number(fields, "q", 1) * 3 - 2
        form = "quarter"
    elif kind == "iso":
        form = separator.join(("%Y", "%m", "%d")) + tail
    elif kind == "month" and int(parts["y"].max()) < 1000:
        form, note = "year-month", "times read as year-month, with small year numbers"
    else:
        form = {"month": "%Y-%m", "/year": "%m/%Y"}.get(kind, "%Y/%m")
    return Times(compose(parts, words), False, form, zone, note)


def _iso_fast(words: Any) -> Times | None:
    """Let Arrow read plain ISO times, ten times faster than by parts; None if they are not."""
    import pyarrow as pa
    import pyarrow.compute as pc

    lengths = pc.unique(pc.utf8_length(words)).to_pylist()
    if len(lengths) != 1 or lengths[0] not in (10, 16, 19):
        return None
    try:
        values = pc.cast(words, pa.timestamp("us")).cast(pa.int64())
    except pa.ArrowInvalid:
        return None
    head = {10: "", 16: "%H:%M", 19: "%H:%M:%S"}[lengths[0]]
    form = "%Y-%m-%d" + (words[0].as_py()[10] + head if head else "")
    return Times(values.to_numpy(zero_copy_only=False), False, form)


def _integers(values: Ints, name: str) -> Times:
    low, high = int(values.min()), int(values.max())
    word = name.strip().lower()
    if word in _COUNTERS or not word:
        return Times(values, True, "int")
    if 1000 <= low and high < 3000 and (word in _YEAR_NAMES or 1500 <= low and high <= 2200):
        return Times(clock.from_months((values - 1970) * 12, 1), False, "%Y")
    months_exist = ((values % 100 >= 1) & (values % 100 <= 12)).all()
    if 150_001 <= low and high <= 220_012 and months_exist:
        months = (values // 100 - 1970) * 12 + values % 100 - 1
        return Times(clock.from_months(months, 1), False, "%Y%m", note="times read as yyyymm")
    if 15_000_101 <= low and high <= 22_001_231:
        return _compact_days(values)
    if 3e8 <= low and high < 5e9:
        return Times(values * clock.SECOND, False, "epoch", note="times read as Unix seconds")
    if 3e11 <= low and high < 5e12:
        return Times(values * 1000, False, "epoch-ms", note="times read as Unix milliseconds")
    return Times(values, True, "int")


def _compact_days(values: Ints) -> Times:
    import pyarrow as pa

    parts = {"y": values // 10_000, "m": values // 100 % 100, "d": values % 100}
    parts |= {name: np.zeros(1, dtype=np.int64) for name in ("H", "M", "S", "f")}
    moments = compose(parts, pa.array(values))
    return Times(moments, False, "%Y%m%d", note="times read as yyyymmdd")


def _text(words: Any, time_format: str | None, name: str) -> Times:
    import pyarrow as pa
    import pyarrow.compute as pc

    words = pc.utf8_trim_whitespace(words)
    if bool(pc.any(pc.equal(words, "")).as_py()):
        row = int(np.argmax(pc.equal(words, "").to_numpy(zero_copy_only=False)))
        raise CellError(row, "the time is missing; give it or remove the row")
    if time_format is not None:
        return _by_format(words.to_pylist(), time_format)
    fast = _iso_fast(words)
    if fast is not None:
        return fast
    fits = {k: pc.match_substring_regex(words, f"^(?:{p})$") for k, p in _PATTERNS.items()}
    counts = {k: int(pc.sum(f).as_py() or 0) for k, f in fits.items()}
    kind = max(counts, key=lambda k: counts[k])
    if counts[kind] == 0:
        return _named(words.to_pylist())
    if counts[kind] < len(words):
        fit = fits[kind].to_numpy(zero_copy_only=False)
        bad, good = int(np.argmin(fit)), int(np.argmax(fit))
        raise CellError(
            bad,
            f"{words[bad].as_py()!r} is not a time like the others ({words[good].as_py()!r})",
        )
    if kind == "int":
        return _integers(pc.cast(words, pa.int64()).to_numpy(zero_copy_only=False), name)
    return _dates(words, kind)


def _named(words: list[str]) -> Times:
    form = _named_format(words[:1])
    if form is None:
        raise CellError(
            0,
            f"{words[0]!r} is not a time; expected one like 2024-01-31, 2024-01-31 13:00, 2024-01, "
            "2024Q1, 31/01/2024 or an integer, or give the time format",
        )
    return _by_format(words, form)


def _stamps(values: Any) -> Times:
    import pyarrow as pa
    import pyarrow.compute as pc

    note = ""
    if pa.types.is_timestamp(values.type) and values.type.tz is not None:
        wall = pc.local_timestamp(values)
        shift = _int64(wall) - _int64(values.cast(pa.timestamp(values.type.unit)))
        note = f"times kept as wall time in {values.type.tz}"
        sub_daily = (_int64(wall.cast(pa.timestamp("us"), safe=False)) % clock.DAY).any()
        if sub_daily and len(shift) and (shift != shift[0]).any():
            row = int(np.argmax(shift != shift[0]))
            raise CellError(
                row,
                f"the offset of {values.type.tz} from UTC changes here ({values[row].as_py()}); "
                "convert the times to UTC",
            )
        values = wall
    try:
        moments = _int64(values.cast(pa.timestamp("us")))
    except pa.ArrowInvalid:
        raise CellError(0, "times are finer than a microsecond; round them") from None
    return Times(moments, False, "", note=note)


def _int64(values: Any) -> Ints:
    import pyarrow as pa

    return cast(Ints, values.cast(pa.int64()).to_numpy(zero_copy_only=False))


def parse_times(values: Any, time_format: str | None = None, name: str = "") -> Times:
    """Parse distinct times in order of first appearance.

    Parameters
    ----------
    values
        ``(n,)`` Arrow array of strings, dates, timestamps or whole numbers.
    time_format
        A ``strptime`` format for text; guessed when None.
    name
        The column's name; a column called ``year`` holds years.

    Raises
    ------
    CellError
        A value is missing, is no time, or differs in kind from the others.
    """
    import pyarrow as pa

    if values.null_count:
        row = int(np.argmax(values.is_null().to_numpy(zero_copy_only=False)))
        raise CellError(row, "the time is missing; give it or remove the row")
    kind = values.type
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return _stamps(values)
    if pa.types.is_integer(kind) and time_format is None:
        return _integers(_int64(values), name)
    if pa.types.is_floating(kind):
        whole = values.to_numpy(zero_copy_only=False)
        if not np.array_equal(whole, np.round(whole)):
            row = int(np.argmax(whole != np.round(whole)))
            raise CellError(row, f"{whole[row]:g} is not a time; expected dates or whole numbers")
        return _integers(whole.astype(np.int64), name)
    return _text(values.cast(pa.string()), time_format, name)


def parse_parts(columns: dict[str, Any]) -> Times:
    """Put times together from columns named year, month, and perhaps day, hour, minute.

    Parameters
    ----------
    columns
        ``(n,)`` float64 arrays by part name.
    """
    import pyarrow as pa

    keys = {"year": "y", "month": "m", "day": "d", "hour": "H", "minute": "M", "second": "S"}
    parts = {key: np.full(1, int(key in "ymd"), dtype=np.int64) for key in "ymdHMSf"}
    for name, values in columns.items():
        if not np.isfinite(values).all():
            raise CellError(int(np.argmin(np.isfinite(values))), f"{name} is missing")
        parts[keys[name]] = values.astype(np.int64)
    moments = compose(parts, pa.array(next(iter(columns.values()))))
    form = "%Y-%m-%d %H:%M" if "hour" in columns else "%Y-%m-%d" if "day" in columns else "%Y-%m"
    return Times(moments, False, form, note="times put together from " + ", ".join(columns))
