"""Tables of scores, and the sentence that says what they mean."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from relembra._errors import DataError

__all__ = ["Best", "Picture", "Table", "format_number", "score_table", "verdict"]


class Best(str):
    """The text of a cell that holds the best value of its column: shown bold, and said to be."""

    __slots__ = ()


class Picture(str):
    """The text of a cell that shows a picture above it.

    Parameters
    ----------
    text
        What it shows.
    png
        The bytes of a PNG file.
    """

    png: bytes

    def __new__(cls, text: str, png: bytes) -> Self:
        """Make the text, and keep the picture."""
        cell = super().__new__(cls, text)
        cell.png = png
        return cell


@dataclass(frozen=True)
class Table:
    """A table for :meth:`Report.add_table`.

    Parameters
    ----------
    header
        Column titles.
    rows
        Cells as text; :class:`Best` marks the best of a column, :class:`Picture` shows one.
    note
        What to say below the table.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass(frozen=True)
class _Column:
    """How a score is shown, and which value of it is the best."""

    title: str
    key: str
    target: float | None  # None: the lower the better; else: the nearer the better
    percent: bool = False


_COLUMNS = (
    _Column("MASE", "mase", None),
    _Column("sMAPE (%)", "smape", None),
    _Column("WQL", "wql", None),
    _Column("80 % coverage", "coverage_80", 0.8, percent=True),
    _Column("95 % coverage", "coverage_95", 0.95, percent=True),
    _Column("RMSE", "rmse", None),
    _Column("MAE", "mae", None),
)


def format_number(value: float | int | None) -> str:
    """Return a number for people, with 4 significant digits and a dash where undefined.

    Examples
    --------
    >>> [format_number(v) for v in (0.123456, 12.3456, 1234567.0, float("nan"), 7)]
    ['0.1235', '12.35', '1,234,567', '–', '7']
    """
    if value is None or not math.isfinite(value):
        return "\N{EN DASH}"
    if isinstance(value, int) or value == 0:
        return f"{value:,.0f}"
    size = math.floor(math.log10(abs(value)))
    if -4 <= size < 15:
        return f"{value:,.{max(0, 3 - size)}f}"
    return f"{value:.3e}"


def _number(row: Mapping[str, object], key: str) -> float:
    value = row.get(key)
    return float(value) if isinstance(value, int | float) else math.nan


def score_table(rows: Sequence[Mapping[str, object]]) -> Table:
    """Lay out scores with the best of each column marked.

    Parameters
    ----------
    rows
        One for each model: ``model`` and any of ``mase``, ``smape``, ``wql``, ``coverage_80``,
        ``coverage_95``, ``rmse``, ``mae``, ``n_windows``, ``n_undefined``, as
        ``ForecastScores.table()`` returns them. A column without any number is left out.

    Returns
    -------
    Table
        With a note that says what the columns mean.

    Examples
    --------
    >>> score_table([{"model": "LSTM", "mase": 0.9}, {"model": "naive", "mase": 1.2}]).rows
    [['LSTM', '0.9000'], ['naive', '1.200']]
    """
    shown = [c for c in _COLUMNS if any(math.isfinite(_number(row, c.key)) for row in rows)]
    cells = [[str(row.get("model", ""))] for row in rows]
    for column in shown:
        for line, text in zip(cells, _cells(column, rows), strict=True):
            line.append(text)
    header = ["Model", *(column.title for column in shown)]
    if any("n_windows" in row for row in rows):
        header.append("Windows")
        for line, row in zip(cells, rows, strict=True):
            line.append(_count(_number(row, "n_windows")))
    return Table(header, cells, _explain(shown, rows))


def _count(value: float) -> str:
    return format_number(int(value) if math.isfinite(value) else None)


def _cells(column: _Column, rows: Sequence[Mapping[str, object]]) -> list[str]:
    values = [_number(row, column.key) for row in rows]
    miss = [abs(v - column.target) if column.target is not None else v for v in values]
    best = min((m for m in miss if math.isfinite(m)), default=math.nan)
    texts = [
        f"{100 * v:.1f} %" if column.percent and math.isfinite(v) else format_number(v)
        for v in values
    ]
    # Of one model alone, none is the best; and a tie is shown as a tie.
    several = sum(math.isfinite(m) for m in miss) > 1
    return [Best(t) if several and m == best else t for t, m in zip(texts, miss, strict=True)]


_MEANING = {
    "mase": "MASE: error relative to repeating the last season within the history, so that below 1 "
    "is better than that.",
    "smape": "sMAPE: symmetric percentage error.",
    "wql": "WQL: weighted quantile loss, which judges the whole fan.",
    "coverage_80": "Coverage: how many of the actual values fell inside the interval; the nearer "
    "to its name the better.",
    "rmse": "RMSE and MAE are in the data's own unit.",
}


def _explain(shown: Sequence[_Column], rows: Sequence[Mapping[str, object]]) -> str:
    parts = ["The best of each column is bold."] if len(rows) > 1 else []
    parts += [_MEANING[column.key] for column in shown if column.key in _MEANING]
    if len({_number(row, "n_windows") for row in rows if "n_windows" in row}) > 1:
        parts.append("The models were not scored on the same number of windows: compare with care.")
    undefined = max((_number(row, "n_undefined") for row in rows), default=0.0)
    if undefined > 0:
        parts.append(
            f"MASE is undefined in {undefined:,.0f} of the windows, because nothing was observed "
            "there or the history repeats exactly (as a flat one does); its mean leaves them out."
        )
    return " ".join(parts)


def verdict(
    rows: Sequence[Mapping[str, object]],
    model: str,
    baseline: str,
    *,
    metric: str = "mase",
    metric_name: str = "MASE",
) -> str:
    """Say in one honest sentence whether the model beats the baseline.

    Parameters
    ----------
    rows
        As for :func:`score_table`; the lower the metric the better.
    model, baseline
        Names of two rows.
    metric, metric_name
        The key to compare by, and its name for people.

    Returns
    -------
    str
        Differences below 1 % are called a tie.

    Raises
    ------
    DataError
        No row has one of the names.

    Examples
    --------
    >>> rows = [{"model": "LSTM", "mase": 0.77}, {"model": "seasonal naive", "mase": 1.0}]
    >>> verdict(rows, "LSTM", "seasonal naive")
    'LSTM beats seasonal naive: its MASE is 23 % lower (0.7700 against 1.000).'
    >>> verdict(rows, "seasonal naive", "LSTM").split(": ")[0]
    'LSTM is better here'
    """
    by_name = {str(row.get("model")): _number(row, metric) for row in rows}
    for name in (model, baseline):
        if name not in by_name:
            raise DataError(f"no row for {name!r}; rows: {', '.join(by_name)}")
    ours, theirs = by_name[model], by_name[baseline]
    if not (math.isfinite(ours) and math.isfinite(theirs)):
        return f"{model} and {baseline} cannot be compared: {metric_name} is undefined here."
    figures = f"({format_number(ours)} against {format_number(theirs)})"
    change = (ours - theirs) / theirs if theirs else (math.inf if ours else 0.0)
    if abs(change) < 0.01:
        return (
            f"{model} and {baseline} are equally good here: "
            f"{metric_name} differs by less than 1 % {figures}."
        )
    if change < 0:
        share = _percent(-change)
        return f"{model} beats {baseline}: its {metric_name} is {share} lower {figures}."
    more = f"{_percent(change)} higher" if math.isfinite(change) else "higher"
    return (
        f"{baseline} is better here: the {metric_name} of {model} is {more} {figures}. "
        f"Use {baseline}."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.0995 else f"{100 * share:.1f} %"
