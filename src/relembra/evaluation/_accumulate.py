"""Sums that forecasts are reduced to, so that the forecasts need not be kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from relembra.evaluation._metrics import covered_terms, quantile_terms, smape_terms

__all__ = ["METRICS", "Kept", "Ratio", "columns", "terms"]

Floats = NDArray[np.float64]

METRICS: dict[str, str] = {
    "mase": "MASE",
    "smape": "sMAPE",
    "wql": "WQL",
    "coverage_80": "coverage_80",
    "coverage_95": "coverage_95",
    "rmse": "RMSE",
    "mae": "MAE",
}
"""The metrics kept by :class:`ForecastScores`, and the name by which each is usually known."""

_INTERVALS = {"coverage_80": (0.1, 0.9), "coverage_95": (0.025, 0.975)}


@dataclass
class Ratio:
    """A sum over a sum: of each window, and of each step of the horizon."""

    above: list[Floats] = field(default_factory=list)  # each (W,)
    below: list[Floats] = field(default_factory=list)
    step_above: Floats | float = 0.0  # (H,)
    step_below: Floats | float = 0.0

    def add(self, above: Floats, below: Floats, seen: NDArray[np.bool_]) -> None:
        """Take in terms (W, H); a NaN where a value was seen makes its window undefined."""
        self.above.append(np.where(seen, above, 0.0).sum(axis=1))
        self.below.append(np.where(seen, below, 0.0).sum(axis=1))
        good = seen & ~np.isnan(above)
        self.step_above = self.step_above + np.where(good, above, 0.0).sum(axis=0)
        self.step_below = self.step_below + np.where(good, below, 0.0).sum(axis=0)

    def windows(self) -> tuple[Floats, Floats]:
        """Return both sums (W,) of every window, NaN above where undefined."""
        return np.concatenate(self.above), np.concatenate(self.below)


@dataclass
class Kept:
    """What is kept of one model: a few numbers a window, and sums by step."""

    seen: set[tuple[str, int]] = field(default_factory=set)
    series: list[int] = field(default_factory=list)
    pending: list[tuple[Floats, Floats, Floats | None, float]] = field(default_factory=list)
    ratios: dict[str, Ratio] = field(default_factory=lambda: {m: Ratio() for m in METRICS})


def columns(levels: Sequence[float], wanted: Sequence[float]) -> list[int]:
    """Return where the wanted levels stand; those that are not there are left out."""
    return [i for w in wanted for i, own in enumerate(levels) if math.isclose(own, w)]


def terms(
    truth: Floats,
    guess: Floats,
    spread: Floats,
    scale: Floats,
    levels: Sequence[float],
    wql: Sequence[int],
) -> dict[str, tuple[Floats, Floats]]:
    """Return, for each metric, what is summed above and below the line (W, H).

    Parameters
    ----------
    truth, guess
        (W, H) actual values and point forecasts.
    spread, levels
        (W, H, Q) forecast quantiles, NaN where there are none, and their Q levels.
    scale
        (W, 1) MASE's denominator.
    wql
        Columns of ``spread`` that the weighted quantile loss looks at.
    """
    error, one = np.abs(truth - guess), np.ones_like(truth)
    with np.errstate(over="ignore"):  # a scale just above zero makes an infinite MASE: so be it
        scaled = error / np.where(scale > 0, scale, np.nan)
    loss = np.full_like(truth, np.nan)
    if wql:
        loss = quantile_terms(truth, spread[..., wql], np.array(levels)[list(wql)])
    inside = {metric: _inside(truth, spread, levels, metric) for metric in _INTERVALS}
    return {
        "mase": (scaled, one),
        "smape": (smape_terms(truth, guess), one),
        "wql": (loss, np.abs(truth)),
        "coverage_80": (inside["coverage_80"], one),
        "coverage_95": (inside["coverage_95"], one),
        "rmse": (error**2, one),
        "mae": (error, one),
    }


def _inside(truth: Floats, spread: Floats, levels: Sequence[float], metric: str) -> Floats:
    ends = columns(levels, _INTERVALS[metric])
    if len(ends) < 2:
        return np.full_like(truth, np.nan)
    return covered_terms(truth, spread[..., ends[0]], spread[..., ends[1]])
