"""What the network sees of a window, all of it from the context alone: nothing leaks.

Every row is centred on its last season and scaled by its own seasonal-naive error, so one network
serves series of any size. B rows, L context, H horizon, K = L / patch steps of the trunk.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from relembra.tasks.forecast._plan import Plan

__all__ = ["Scaled", "base_count", "base_names", "scale_context", "statistic_count"]

_TINY = 1e-5


@dataclass(frozen=True)
class Scaled:
    """A context in the units of its own level and scale."""

    logs: Tensor  # (B,) bool: values are logarithms
    level: Tensor  # (B,) float64: mean of the last season
    scale: Tensor  # (B,) float64: mean absolute seasonal difference
    spread: Tensor  # (B,) float64: root mean square around the level
    values: Tensor  # (B, L) float64, (value - level) / scale, gaps filled
    observed: Tensor  # (B, L) bool
    statistics: Tensor  # (B, ns) what the scaling took away, in logs
    bases: Tensor  # (B, H, nb) simple forecasts in the same units

    def to_units(self, x: Tensor) -> Tensor:
        """Bring scaled values (B, …) back to the units of the data."""
        shape = (-1,) + (1,) * (x.dim() - 1)
        values = x * self.scale.view(shape) + self.level.view(shape)
        return torch.where(self.logs.view(shape), values.exp(), values)

    def from_units(self, values: Tensor) -> Tensor:
        """Scale values (B, n) in the units of the data."""
        spaced = to_space(values, self.logs)
        return (spaced - self.level[:, None]) / self.scale[:, None]

    def shape(self) -> Tensor:
        """Return the seasonal-naive error in units of the spread, (B,); 1 for flat rows."""
        return self.scale / torch.maximum(
            self.spread, _least_scale(self.level, self.spread, self.logs)
        )

    def relative(self) -> Tensor:
        """Return the seasonal-naive error as a share of the level, (B,)."""
        return torch.where(self.logs, self.scale, self.scale / (self.level.abs() + self.scale))


def to_space(values: Tensor, logs: Tensor) -> Tensor:
    """Return values (B, n), as logarithms in the rows (B,) where so told; log of 0 is -inf."""
    rows = logs[:, None]
    return torch.where(rows, torch.where(rows, values, 1.0).clamp(min=0.0).log(), values)


def base_names(plan: Plan) -> list[str]:
    """Return the names of the simple forecasts that the network starts from."""
    names = ["last value", "drift"]
    for m in plan.seasons:
        if m > 1:
            names += [
                f"season {m}",
                f"season {m}, one before",
                f"season {m}, moved to today's level",
            ]
    return [*names, f"mean of seasons {plan.season}"] if plan.season > 1 else names


def base_count(plan: Plan) -> int:
    """Return nb."""
    return len(base_names(plan))


def statistic_count(plan: Plan) -> int:
    """Return ns."""
    return 4 + len(plan.seasons)


def scale_context(values: Tensor, observed: Tensor, logs: Tensor, plan: Plan) -> Scaled:
    """Scale contexts and lay out their simple forecasts.

    Parameters
    ----------
    values
        (B, L) float64 in the units of the data; anything where not observed.
    observed
        (B, L) bool.
    logs
        (B,) bool, whether a row is to be taken by its logarithms.
    plan
        The sizes.
    """
    values = torch.where(observed, to_space(torch.where(observed, values, 1.0), logs), 0.0)
    level = _level(values, observed, plan.season)
    centred = torch.where(observed, values - level[:, None], 0.0)  # (B, L)
    spread = _mean(centred.square(), observed).sqrt()
    moves = [_seasonal_move(centred, observed, m) for m in plan.seasons]  # (B,) each
    step = _seasonal_move(centred, observed, 1)
    scale = torch.maximum(moves[0], _least_scale(level, spread, logs))
    filled = _fill(centred, observed, plan.season) / scale[:, None]
    statistics = torch.stack(
        [
            torch.where(logs, scale, scale / (level.abs() + scale)).clamp(min=_TINY).log(),
            logs.double(),
            _ratio(spread, scale),
            _ratio(step, scale),
            *[_ratio(move, scale) for move in moves[1:]],
            observed.double().mean(1),
        ],
        1,
    )  # (B, ns)
    bases = _bases(filled, plan)
    return Scaled(logs, level, scale, spread, filled, observed, statistics.float(), bases)


def _least_scale(level: Tensor, spread: Tensor, logs: Tensor) -> Tensor:
    """Return the scale below which a series counts as flat, (B,)."""
    size = torch.where(logs, 1.0, level.abs())
    return _TINY * torch.where((size + spread) > 0, size + spread, 1.0)


def _mean(x: Tensor, keep: Tensor) -> Tensor:
    return (x * keep).sum(1) / keep.sum(1).clamp(min=1)


def _level(values: Tensor, observed: Tensor, season: int) -> Tensor:
    """Return the mean of the last season that has a value in it, (B,)."""
    latest = observed & (_last_index(observed)[:, None] - _steps(observed) < season)
    return _mean(values, latest)


def _steps(like: Tensor) -> Tensor:
    return torch.arange(like.shape[1])


def _last_index(observed: Tensor) -> Tensor:
    """Return the index of the last observed step, (B,); -1 when there is none."""
    return torch.where(observed, _steps(observed), -1).amax(1)


def _seasonal_move(centred: Tensor, observed: Tensor, m: int) -> Tensor:
    """Return the mean absolute difference at lag m, (B,)."""
    both = observed[:, m:] & observed[:, :-m]
    return _mean((centred[:, m:] - centred[:, :-m]).abs(), both)


def _ratio(a: Tensor, b: Tensor) -> Tensor:
    return ((a + _TINY * b) / b).log().clamp(-4.0, 4.0)


def _fill(centred: Tensor, observed: Tensor, season: int) -> Tensor:
    """Fill gaps with the season before, else with the value before, else with the season after."""
    rows, length = centred.shape
    whole = -(-length // season)
    pad = whole * season - length
    x = torch.nn.functional.pad(centred, (pad, 0)).view(rows, whole, season)
    seen = torch.nn.functional.pad(observed, (pad, 0)).view(rows, whole, season)
    x, seen = _carry(x, seen, range(1, whole), -1)
    x, seen = _carry(x, seen, range(whole - 2, -1, -1), 1)
    flat, known = x.reshape(rows, -1)[:, pad:], seen.reshape(rows, -1)[:, pad:]
    return torch.where(known, flat, 0.0)  # a phase never seen: the level


def _carry(x: Tensor, seen: Tensor, order: range, back: int) -> tuple[Tensor, Tensor]:
    xs, known = list(x.unbind(1)), list(seen.unbind(1))
    for k in order:
        xs[k] = torch.where(known[k], xs[k], xs[k + back])
        known[k] = known[k] | known[k + back]
    return torch.stack(xs, 1), torch.stack(known, 1)


def _bases(filled: Tensor, plan: Plan) -> Tensor:
    """Return the simple forecasts, (B, H, nb), in the order of `base_names`."""
    length, ahead = filled.shape[1], torch.arange(plan.horizon)
    last, main = filled[:, -1:], plan.season
    slope = (last - filled[:, :1]) / max(1, length - 1)
    bases = [last.expand(-1, plan.horizon), last + slope * (ahead + 1)]
    for m in plan.seasons:
        if m > 1:
            latest = _lag(filled, ahead, m, 0)
            change = _mean_at(filled, length, main) - _mean_at(filled, length - m, main)
            times = (ahead // m + 1) if m == main else 1
            bases += [latest, _lag(filled, ahead, m, 1), latest + change * times]
    if main > 1:
        lags = [_lag(filled, ahead, main, k) for k in range(max(1, min(5, length // main)))]
        bases.append(torch.stack(lags).mean(0))
    return torch.stack(bases, 2)


def _lag(filled: Tensor, ahead: Tensor, m: int, before: int) -> Tensor:
    """Return the values one season ago, or `before` seasons earlier, at each step ahead, (B, H).

    Where the context does not reach back so far, the earliest season that it has stands in.
    """
    index = filled.shape[1] + ahead - m * (ahead // m + 1 + before)
    return filled[:, torch.where(index < 0, index % m, index)]


def _mean_at(filled: Tensor, stop: int, width: int) -> Tensor:
    """Return the mean of the season that ends at a step, (B, 1); of the earliest if none does."""
    stop = max(stop, min(width, filled.shape[1]))
    return filled[:, max(0, stop - width) : stop].mean(1, keepdim=True)
