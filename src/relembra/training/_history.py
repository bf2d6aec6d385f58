"""How a run went: one row for each evaluation."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["History", "HistoryRow"]


@dataclass(frozen=True)
class HistoryRow:
    """The state of a run at one evaluation.

    Attributes
    ----------
    step
        Optimiser steps done.
    epoch
        Passes over the data completed.
    train_loss
        Mean training loss since the row before.
    validation
        Validation error, lower is better; ``None`` without validation.
    learning_rate
        Learning rate of the last step.
    seconds
        Time spent so far, resumed parts added up. It alone differs between equal runs.
    """

    step: int
    epoch: int
    train_loss: float
    validation: float | None
    learning_rate: float
    seconds: float


@dataclass
class History(Sequence[HistoryRow]):
    """The rows of a run, and why it ended.

    Attributes
    ----------
    rows
        One row for each evaluation.
    reason
        ``"steps"``: the budget was used up. ``"patience"``: the validation no longer fell.
        ``None``: the run has not ended.

    Examples
    --------
    >>> history = History([HistoryRow(10, 0, 0.5, 0.7, 1e-3, 0.1)])
    >>> history.best.validation
    0.7
    >>> history.to_dict()["step"]
    [10]
    """

    rows: list[HistoryRow] = field(default_factory=list)
    reason: str | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[HistoryRow]:
        return iter(self.rows)

    def __getitem__(self, index: Any) -> Any:
        return self.rows[index]

    @property
    def best(self) -> HistoryRow | None:
        """The first row with the lowest validation; ``None`` without validation."""
        rated = [row for row in self.rows if row.validation is not None]
        return min(rated, key=lambda row: row.validation or 0.0, default=None)

    def to_dict(self) -> dict[str, list[Any]]:
        """Return the columns by name, ready for a data frame or JSON."""
        names = [f.name for f in dataclasses.fields(HistoryRow)]
        return {name: [getattr(row, name) for row in self.rows] for name in names}

    @classmethod
    def from_dict(cls, columns: Mapping[str, Sequence[Any]], reason: str | None = None) -> History:
        """Return the history whose columns :meth:`to_dict` gave."""
        names = [f.name for f in dataclasses.fields(HistoryRow)]
        rows = zip(*(columns[name] for name in names), strict=True)
        return cls([HistoryRow(*row) for row in rows], reason)
