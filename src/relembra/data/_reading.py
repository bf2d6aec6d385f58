"""What was read and by which rules: nothing is changed in silence."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["ReadingReport"]

_RULES = {
    "unsorted": "{n} rows came after a later time of their series: sorted by time",
    "duplicates": "{n} rows repeated another row exactly: kept once",
    "gaps": "{n} steps had no row: filled in as missing",
    "missing": "{n} targets are missing (empty, NA, NaN, null, None, ? or -): left missing, "
    "not filled",
    "future": "{n} rows at the end have known covariates and no target: taken as the future",
    "flat": "{n} series never change: forecast all the same, but their MASE is undefined",
    "short": "{n} series are shorter than two seasons of {season} steps: their season is learnt "
    "from the others",
    "empty": "{n} series have no target at all: they cannot be forecast",
}


@dataclass(frozen=True)
class ReadingReport:
    """What was read, what was guessed, and what was done about irregular data.

    Parameters
    ----------
    path
        The file, or None for a frame.
    rows
        Rows of the input.
    series
        Number of series.
    columns
        The columns by the part they play.
    unused
        Columns that were not looked at.
    guessed
        Parts that nobody named.
    frequency
        What people call the frequency.
    season
        The main season in steps.
    first, last
        The earliest and latest time.
    notes
        How the file was understood: separator, header, time format.
    unsorted, duplicates, gaps, missing, future
        Rows to which each rule was applied.
    flat, short, empty
        Series that never change, are shorter than two seasons, or have no target.
    """

    path: str | None
    rows: int
    series: int
    columns: dict[str, list[str]]
    unused: tuple[str, ...]
    guessed: tuple[str, ...]
    frequency: str
    season: int
    first: str
    last: str
    notes: tuple[str, ...] = ()
    unsorted: int = 0
    duplicates: int = 0
    gaps: int = 0
    missing: int = 0
    future: int = 0
    flat: int = 0
    short: int = 0
    empty: int = 0

    def lines(self) -> list[str]:
        """Return the report as sentences for people; rules that were not needed are left out."""
        what = "1 series" if self.series == 1 else f"{self.series:,} series"
        lines = [f"{self.rows:,} rows, {what}, {self.frequency}, from {self.first} to {self.last}"]
        for part, names in self.columns.items():
            lines.append(f"{part}: {_list(names)}" + (" (guessed)" if part in self.guessed else ""))
        if self.unused:
            lines.append(f"not used: {_list(self.unused)}")
        lines.extend(self.notes)
        for name, rule in _RULES.items():
            count = getattr(self, name)
            if count:
                lines.append(_singular(rule.format(n=f"{count:,}", season=self.season), count))
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in dataclasses.asdict(self).items()
        }


def _list(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names[:8]) + (" ..." if names[8:] else "")


def _singular(text: str, count: int) -> str:
    if count != 1:
        return text
    for many, one in (
        ("1 rows repeated", "1 row repeated"),
        ("1 rows came", "1 row came"),
        ("their series", "its series"),
        ("1 rows at the end have", "1 row at the end has"),
        ("1 steps", "1 step"),
        ("1 targets are", "1 target is"),
        ("series never change:", "series never changes:"),
        ("their MASE", "its MASE"),
        ("series are shorter", "series is shorter"),
        ("their season", "its season"),
        ("series have no", "series has no"),
        ("they cannot", "it cannot"),
    ):
        text = text.replace(many, one)
    return text
