"""Made-up windows that teach what series in general do, for data too small to teach it.

A network that has seen one short series knows nothing of how seasons last, levels wander and noise
hides both. So a part of each batch is drawn from a simple structural model (level, trend, seasons,
noise, as in Harvey 1989), the larger the fewer real windows there are. Learning from generated
series before or beside the real ones is what general forecasting models live on (Dooley et al.
2023, ForecastPFN; Ansari et al. 2024, Chronos).
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch

from relembra.data import WindowBatch
from relembra.tasks.forecast._plan import Plan

__all__ = ["join_batches", "prior_share", "prior_windows"]

Floats = np.ndarray[Any, np.dtype[np.float64]]
Generator = np.random.Generator

_SHARE_MOST = 0.85
_HALF = 300.0  # independent windows at which half of a batch would be made up


def prior_share(observed: int, plan: Plan) -> float:
    """Return the part of a batch to make up, given the number of observed values.

    Examples
    --------
    >>> plan = Plan(72, 12, (12,), 12, "auto")
    >>> round(prior_share(120, plan), 2), round(prior_share(350_000, plan), 2)
    (0.85, 0.01)
    """
    independent = observed / plan.horizon
    return min(_SHARE_MOST, _HALF / (_HALF + independent))


def prior_windows(like: WindowBatch, plan: Plan, count: int, draw: Generator) -> WindowBatch:
    """Draw made-up windows with the features of a real batch, its covariates missing.

    Parameters
    ----------
    like
        A batch of the data, for the number of its covariates.
    plan
        Sizes and seasons.
    count
        Windows to draw.
    draw
        Source of randomness.
    """
    steps = plan.context + plan.horizon
    values = _level(count, steps, draw) + _seasons(count, steps, plan, draw)
    noise = _noise(count, steps, draw)
    values += noise * _loguniform(draw, 0.03, 1.0, count)
    values = _in_units(values, count, draw)
    # A third of the windows begin late, as short series do.
    begin = np.where(draw.random(count) < 0.35, draw.integers(0, plan.context, count), 0)
    begin = np.minimum(begin, plan.context - min(plan.context, 2 * plan.season))
    seen = np.arange(steps) >= begin[:, None]
    values[~seen] = np.nan

    def missing(field: torch.Tensor, *shape: int) -> torch.Tensor:
        return torch.full((count, *shape, field.shape[-1]), torch.nan, dtype=field.dtype)

    return WindowBatch(
        context=plan.context,
        target=torch.from_numpy(values),
        observed=torch.from_numpy(seen),
        inside=torch.from_numpy(seen),
        calendar=torch.zeros(count, steps, like.calendar.shape[2]),
        known=missing(like.known, steps),
        past=missing(like.past, steps),
        static=missing(like.static),
        static_codes=torch.zeros(count, like.static_codes.shape[1], dtype=torch.int64),
        series=torch.full((count,), -1),
        origin=torch.full((count,), plan.context),
        ids=[""] * count,
    )


def join_batches(a: WindowBatch, b: WindowBatch) -> WindowBatch:
    """Return the windows of both batches, those of `a` first."""
    joined: dict[str, Any] = {
        field.name: torch.cat([getattr(a, field.name), getattr(b, field.name)])
        for field in dataclasses.fields(a)
        if isinstance(getattr(a, field.name), torch.Tensor)
    }
    return dataclasses.replace(a, **joined, ids=a.ids + b.ids)


def _loguniform(draw: Generator, low: float, high: float, count: int) -> Floats:
    """Return scales (B, 1), uniform in their logarithm."""
    scales: Floats = np.exp(draw.uniform(np.log(low), np.log(high), (count, 1)))
    return scales


def _sometimes(draw: Generator, chance: float, count: int) -> Floats:
    """Return 1 with that chance and else 0, (B, 1)."""
    chosen: Floats = (draw.random((count, 1)) < chance).astype(np.float64)
    return chosen


def _level(count: int, steps: int, draw: Generator) -> Floats:
    """Return levels (B, T): a trend that may bend, a random walk, a jump now and then."""
    time = np.linspace(-1.0, 1.0, steps)
    slope = draw.normal(0.0, 1.0, (count, 1)) * _sometimes(draw, 0.6, count)
    bend = 0.5 * draw.normal(0.0, 1.0, (count, 1)) * _sometimes(draw, 0.2, count)
    walk = np.cumsum(draw.normal(0.0, 1.0, (count, steps)), 1) / np.sqrt(steps)
    walk *= _loguniform(draw, 0.05, 3.0, count) * _sometimes(draw, 0.7, count)
    jump = (time > draw.uniform(-1.0, 1.0, (count, 1))) * draw.normal(0.0, 1.0, (count, 1))
    level: Floats = slope * time + bend * time**2 + walk + jump * _sometimes(draw, 0.1, count)
    return level


def _seasons(count: int, steps: int, plan: Plan, draw: Generator) -> Floats:
    """Return the sum of the seasonal patterns (B, T), each drifting from cycle to cycle."""
    total = np.zeros((count, steps))
    growth = 1.0 + 0.4 * draw.normal(0.0, 1.0, (count, 1)) * np.linspace(-1.0, 1.0, steps)
    for order, season in enumerate(m for m in plan.seasons if m > 1):
        cycles = -(-steps // season) + 1
        phase = np.arange(season) / season
        waves = np.zeros((count, season))
        for k in range(1, min(4, season // 2) + 1):
            angle = 2 * np.pi * (k * phase + draw.random((count, 1)))
            waves += draw.normal(0.0, 1.0, (count, 1)) / k * np.sin(angle)
        rough = draw.normal(0.0, 1.0, (count, season)) * draw.random((count, 1))
        drift = np.cumsum(draw.normal(0.0, 1.0, (count, cycles, season)), 1)
        drift *= (_loguniform(draw, 0.01, 0.3, count) * _sometimes(draw, 0.5, count))[:, None]
        pattern = ((waves + rough)[:, None] + drift).reshape(count, -1)[:, :steps]
        scale = _loguniform(draw, 0.1, 3.0, count) * _sometimes(draw, 0.5 if order else 0.85, count)
        total += scale * growth * pattern
    return total


def _noise(count: int, steps: int, draw: Generator) -> Floats:
    """Return noise (B, T) of variance about 1: white or autocorrelated, some of it heavy-tailed."""
    shocks = draw.normal(0.0, 1.0, (count, steps))
    heavy = draw.standard_t(3.0, (count, steps)) / np.sqrt(3.0)
    shocks = np.where(draw.random((count, 1)) < 0.25, heavy, shocks)
    memory = draw.uniform(-0.2, 0.9, count) * (draw.random(count) < 0.5)
    noise: Floats = shocks.copy()
    for t in range(1, steps):
        noise[:, t] = memory * noise[:, t - 1] + shocks[:, t]
    scaled: Floats = noise * np.sqrt(1.0 - memory**2)[:, None]
    return scaled


def _in_units(values: Floats, count: int, draw: Generator) -> Floats:
    """Give the series a size: some positive and relative, some around any level."""
    centred = values - values.mean(1, keepdims=True)
    unit = centred / (centred.std(1, keepdims=True) + 1e-9)
    positive = np.exp(unit * _loguniform(draw, 0.02, 0.6, count))
    offset = draw.normal(0.0, 5.0, (count, 1))
    sized: Floats = np.where(draw.random((count, 1)) < 0.7, positive, unit + offset)
    return sized
