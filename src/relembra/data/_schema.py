"""How a table was read, so that new data can be read the same way."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from relembra.data._frequency import Frequency

__all__ = ["PanelSchema"]


@dataclass(frozen=True)
class PanelSchema:
    """Names, frequency and categories of the data that a model was fitted on.

    Parameters
    ----------
    frequency
        The grid of the times.
    time
        Time columns: one, several that are put together, or none when rows are simply in order.
    target
        Target columns; several are each a series of their own.
    series
        Columns that name the series together; none for a single series.
    known, past
        Covariates whose future is known, and those known only up to now.
    static
        Numbers that stay the same within a series.
    categorical
        Names that stay the same within a series.
    categories
        For each of ``categorical`` its values; value i has the code i + 1, and 0 is unknown.
    time_format
        The ``strptime`` format that the user gave, or None.
    """

    frequency: Frequency
    time: tuple[str, ...] = ("time",)
    target: tuple[str, ...] = ("target",)
    series: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    categories: tuple[tuple[str, ...], ...] = ()
    time_format: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        return dataclasses.asdict(self) | {"frequency": self.frequency.to_json()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> PanelSchema:
        """Rebuild what :meth:`to_json` wrote, also after a turn through JSON text."""
        fields: dict[str, Any] = {
            key: tuple(v) if isinstance(v, list) else v for key, v in data.items()
        }
        fields["frequency"] = Frequency.from_json(data["frequency"])
        fields["categories"] = tuple(tuple(names) for names in data["categories"])
        return cls(**fields)
