"""Which column is the time, the target, the series: as told, or guessed and said so."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from relembra._errors import DataError
from relembra.data._source import Source

__all__ = ["Columns", "choose_columns"]

_TIME = (
    "ds date datetime timestamp time month year quarter week day hour data mes mês ano tempo fecha "
    "datum period unique_time t step"
).split()
_TARGET = (
    "y target value values sales demand quantity qty units amount count vendas valor total "
    "passengers"
).split()
_SERIES = (
    "unique_id series_id series item_id item id ts_id store store_id sku product symbol serie "
    "série ticker"
).split()
_PARTS = ("year", "month", "day", "hour", "minute", "second")


@dataclass(frozen=True)
class Columns:
    """The part that each column plays.

    Parameters
    ----------
    time
        One column, several to be put together (year, month, ...), or none: rows are in order.
    target
        One column, or several, each then a series of its own.
    series
        Columns that name the series together; none for a single series.
    guessed
        Parts that nobody named, for the report.
    """

    time: tuple[str, ...]
    target: tuple[str, ...]
    series: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    guessed: tuple[str, ...] = ()

    @property
    def named_series(self) -> bool:
        """True where the series column was given, or has a name that says it."""
        return "series" not in self.guessed or self.series[0].lower() in _SERIES


def _missing(source: Source, name: str) -> DataError:
    near = difflib.get_close_matches(name, source.columns, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return source.error(f"there is no column {name!r}; {hint}the columns are {_list(source)}")


def _list(source: Source, names: Sequence[str] | None = None) -> str:
    shown = list(source.columns if names is None else names)
    more = f" and {len(shown) - 12} more" if len(shown) > 12 else ""
    return ", ".join(repr(name) for name in shown[:12]) + more


def _named(free: Sequence[str], words: Sequence[str]) -> list[str]:
    lower = {name.lower(): name for name in free}
    return [lower[word] for word in words if word in lower]


def _guess_parts(source: Source, free: list[str]) -> tuple[str, ...]:
    lower = {name.lower(): name for name in free if source.kinds[name] in ("number", "integer")}
    if not {"year", "month"} <= set(lower):
        return ()
    return tuple(lower[part] for part in _PARTS if part in lower)


def _may_be_time(name: str, kind: str, dated: list[str]) -> bool:
    """Tell whether a column named like a time is one; ``date`` also if its text is no time."""
    if dated:
        return name in dated
    return kind == "integer" or (kind == "text" and name.lower() in _TIME[:5])


def _guess_time(source: Source, free: list[str], target_given: bool) -> tuple[str, ...]:
    kinds = source.kinds
    dated = [name for name in free if kinds[name] == "time"]
    if not dated and (parts := _guess_parts(source, free)):
        return parts
    named = [n for n in _named(free, _TIME) if _may_be_time(n, kinds[n], dated)]
    if named:
        return (named[0],)
    if len(dated) == 1 or (dated and dated[0] == source.columns[0]):
        return (dated[0],)
    if dated:
        raise source.error(f"several columns hold times ({_list(source, dated)}); name one as time")
    numeric = [name for name in free if kinds[name] in ("number", "integer")]
    counts = numeric and kinds[numeric[0]] == "integer" and numeric[0] == free[0]
    if counts and not target_given and len(numeric) == 2:
        return (numeric[0],)
    texts = [name for name in free if kinds[name] == "text"]
    if len(free) == 2 and len(texts) == 1 and texts[0] == free[0]:
        return (texts[0],)
    return ()


def _guess_series(source: Source, free: list[str], targets: tuple[str, ...]) -> tuple[str, ...]:
    usable = [name for name in free if source.kinds[name] in ("text", "integer")]
    named = _named(usable, _SERIES)
    if named:
        return (named[0],)
    others = [n for n in free if source.kinds[n] in ("number", "integer")]
    texts = [n for n in free if source.kinds[n] == "text" and n.lower() not in _TARGET]
    if not others and len(texts) == 1 and not targets:
        return ()  # then it is the target, and its first text will be named as the error
    if len(texts) > 1:
        raise source.error(
            f"several text columns could name the series ({_list(source, texts)}); say which is "
            "the series, or name the target and time of a single series and remove the others"
        )
    return tuple(texts)


def _guess_target(source: Source, free: list[str]) -> tuple[str, ...]:
    numeric = [name for name in free if source.kinds[name] in ("number", "integer")]
    named = _named([n for n in free if source.kinds[n] != "time"], _TARGET)
    if len(numeric) == 1:
        return (numeric[0],)
    if named:
        return (named[0],)
    if not numeric and len(free) == 1:
        return (free[0],)
    if not numeric:
        raise source.error(f"no column holds numbers to forecast; the columns are {_list(source)}")
    raise source.error(
        f"several columns hold numbers ({_list(source, numeric)}); name the target, or give "
        "several targets to forecast each as a series of its own"
    )


def choose_columns(
    source: Source,
    *,
    time: str | Sequence[str] | None,
    target: str | Sequence[str] | None,
    series: str | Sequence[str] | None,
    known: Sequence[str],
    past: Sequence[str],
    static: Sequence[str],
) -> Columns:
    """Check the columns that were named, and guess the others.

    Raises
    ------
    DataError
        A named column does not exist, plays two parts, or a guess would be ambiguous.
    """
    times, targets, named = _tuple(time), _tuple(target), _tuple(series)
    given = [*times, *targets, *named, *known, *past, *static]
    for name in given:
        if name not in source.columns:
            raise _missing(source, name)
    twice = next((name for name in given if given.count(name) > 1), None)
    if twice is not None:
        raise source.error("this column is given two parts; give it one", None, twice)
    guessed = [part for part, has in (("time", times), ("target", targets)) if not has]
    free = [name for name in source.columns if name not in given and source.kinds[name] != "empty"]
    if time is None:
        times = _guess_time(source, free, bool(targets))
    free = [name for name in free if name not in times]
    if series is None:
        named = _guess_series(source, free, targets)
        guessed += ["series"] if named else []
    free = [name for name in free if name not in named]
    empty = [n for n in source.columns if source.kinds[n] == "empty" and n not in given]
    targets = targets or _guess_target(source, free or empty)
    return Columns(times, targets, named, tuple(known), tuple(past), tuple(static), tuple(guessed))


def _tuple(names: str | Sequence[str] | None) -> tuple[str, ...]:
    return () if names is None else (names,) if isinstance(names, str) else tuple(names)
