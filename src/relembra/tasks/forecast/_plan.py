"""What is fixed before training: sizes and seasons of the windows, and the space of values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from relembra._errors import ConfigError, DataError
from relembra.data import Panel
from relembra.tasks.forecast._space import Space

__all__ = ["Plan", "make_plan"]

_CONTEXT_SEASONS = 14  # seasons of context that a forecast looks back over
_LEAST_CONTEXT, _MOST_CONTEXT = 24, 512
_MOST_PATCH = 60  # steps that the trunk reads at once


@dataclass(frozen=True)
class Plan:
    """Sizes of a forecast, all in steps.

    Parameters
    ----------
    context, horizon
        How far a window looks back, and how far ahead.
    seasons
        Seasonal periods that fit into the context, the main one first; (1,) when there is none.
    patch
        How many steps of the context the trunk reads at once: a season, or one.
    space
        ``log`` forecasts logarithms, so that errors are relative; ``auto`` does so for series that
        are always positive; ``linear`` never.
    """

    context: int
    horizon: int
    seasons: tuple[int, ...]
    patch: int
    space: Space

    @property
    def season(self) -> int:
        """The main seasonal period."""
        return self.seasons[0]

    def to_json(self) -> dict[str, Any]:
        """Return the plan as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Plan:
        """Return the plan that `to_json` described."""
        return cls(**{**values, "seasons": tuple(values["seasons"])})


def make_plan(
    panel: Panel,
    lengths: np.ndarray[Any, np.dtype[np.int64]],
    *,
    horizon: int | None,
    context: int | None,
    seasons: tuple[int, ...] | None,
    space: Space,
) -> Plan:
    """Choose what was left open, from the frequency and the lengths of the series.

    Parameters
    ----------
    panel
        The series.
    lengths
        (S,) steps of each series that may be used.
    horizon, context, seasons, space
        What the user asked for; None and ``auto`` leave it open.

    Raises
    ------
    DataError
        The horizon leaves no series long enough to learn from.
    ConfigError
        An option is out of range.
    """
    longest = int(lengths.max(initial=0))
    if seasons is not None and not isinstance(seasons, (tuple, list)):
        raise ConfigError(f"seasons must be a tuple of periods, as (24, 168), got {seasons!r}")
    cycles = panel.frequency.seasons if seasons is None else seasons
    cycles = tuple(_steps("a season", m, 1) for m in cycles)
    if horizon is None:
        horizon = min(panel.frequency.horizon, max(1, longest // 6))
    horizon = _steps("the horizon", horizon, 1)
    if longest < horizon + 2:
        raise DataError(
            f"a horizon of {horizon} steps needs a series of at least {horizon + 2} steps to learn "
            f"from; the longest has {longest}. Give a shorter horizon or more data"
        )
    if context is None:
        context = _context(cycles, longest, horizon)
    context = _steps("the context", context, 2)
    fitting = tuple(m for m in cycles if 1 < m < context) or (1,)
    patch = fitting[0] if 1 < fitting[0] <= _MOST_PATCH else 1
    whole = -(-context // patch) * patch
    return Plan(whole, horizon, fitting, patch, space)


def _steps(name: str, value: Any, least: int) -> int:
    if not isinstance(value, (int, np.integer)) or value < least:
        raise ConfigError(
            f"{name} must be a whole number of at least {least} step{'s' * (least > 1)}, "
            f"got {value!r}"
        )
    return int(value)


def _context(cycles: tuple[int, ...], longest: int, horizon: int) -> int:
    """Return how far to look back: many seasons, but leave windows to learn from."""
    main = cycles[0] if cycles else 1
    wanted = min(max(_CONTEXT_SEASONS * main, _LEAST_CONTEXT), _MOST_CONTEXT)
    left = longest - horizon
    return min(wanted, max(left // 2, min(left, 2 * main + 1), 2))
