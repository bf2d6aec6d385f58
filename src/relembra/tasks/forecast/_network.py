"""The network: a trunk reads the context, a second one writes the horizon, a head gives quantiles.

The forecast is a learned mixture of simple forecasts (the bases) plus what the network adds; it
begins as the seasonal naive forecast. B rows, K patches, H horizon, Q quantiles.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from relembra._config import replace
from relembra.nn import Linear, QuantileHead, Trunk
from relembra.tasks.forecast._features import Scaled, base_count, base_names, statistic_count
from relembra.tasks.forecast._plan import Plan

__all__ = ["Covariates", "ForecastNetwork", "Sizes"]

_POSITION = 16  # features that tell the steps of the horizon apart


class Sizes(NamedTuple):
    """How many features of each kind the data brings."""

    calendar: int
    known: int
    past: int
    static: int
    categories: tuple[int, ...]  # of each static text column, the unknown one included


class Covariates(NamedTuple):
    """What is known besides the series, standardised; all may have zero features."""

    context: Tensor  # (B, L, known + past)
    future: Tensor  # (B, H, calendar + 2 * known): at the step, and one season before it
    static: Tensor  # (B, static)
    codes: Tensor  # (B, number of text columns) int64


def _squash(x: Tensor) -> Tensor:
    return torch.asinh(x)


class ForecastNetwork(nn.Module):
    """Map scaled contexts to the quantiles of the horizon.

    Parameters
    ----------
    trunk
        Cell, units and layers of the part that reads; the part that writes is one layer of it.
    plan
        Sizes of the windows.
    sizes
        Features that the data brings.
    levels
        Quantile levels, 0.5 among them.
    """

    def __init__(self, trunk: Trunk, plan: Plan, sizes: Sizes, levels: tuple[float, ...]) -> None:
        super().__init__()
        self.plan, self.sizes = plan, sizes
        bases, units = base_count(plan), trunk.units
        self.embeddings = nn.ModuleList(
            nn.Embedding(count, min(8, 1 + count // 2)) for count in sizes.categories
        )
        width = sum(min(8, 1 + count // 2) for count in sizes.categories)
        known = statistic_count(plan) + sizes.static + width
        self.reader = trunk.build(plan.patch * (3 + sizes.known + sizes.past) + known)
        writer = replace(trunk, layers=1, bidirectional=False)
        ahead = sizes.calendar + 2 * sizes.known
        self.writer = writer.build(2 * bases + 1 + _POSITION + ahead)
        self.position = nn.Parameter(0.1 * torch.randn(plan.horizon, _POSITION))
        self.summary = Linear(self.reader.output_size + known, units)
        self.states = {"lstm": 2, "feedforward": 0}.get(trunk.cell, 1)
        self.start = None
        if self.states:
            self.start = Linear(self.reader.output_size + known, self.states * units)
        self.hidden = Linear(2 * units + 2 * bases, units)
        self.dropout = nn.Dropout(trunk.dropout)
        self.mixture = Linear(units, bases)
        self.head = QuantileHead(units, levels)
        self._begin_at_seasonal_naive()

    def _begin_at_seasonal_naive(self) -> None:
        names = base_names(self.plan)
        first = f"season {self.plan.season}" if self.plan.season > 1 else "last value"
        for linear in (self.mixture, self.head.linear):
            nn.init.normal_(linear.weight, std=0.01)
            nn.init.zeros_(linear.bias)
        with torch.no_grad():
            self.mixture.bias[names.index(first)] = 1.0
            self.head.linear.bias.fill_(-0.5)
            self.head.linear.bias[self.head.middle] = 0.0

    def forward(self, scaled: Scaled, covariates: Covariates) -> Tensor:
        """Return quantiles (B, H, Q) in scaled units."""
        known = self._known(scaled, covariates)  # (B, S)
        read, _ = self.reader(self._patches(scaled, covariates, known))  # (B, K, units)
        seen = torch.cat([read[:, -1], known], 1)
        bases = scaled.bases  # (B, H, nb) float64
        middle = bases.median(2, keepdim=True).values
        shape = scaled.shape()[:, None, None]
        views = torch.cat([_squash(bases - middle), _squash(bases * shape)], 2).float()
        written = self._write(seen, views, _squash(middle * shape).float(), covariates.future)
        summary = torch.relu(self.summary(seen))[:, None].expand(-1, self.plan.horizon, -1)
        features = self.hidden(torch.cat([written, summary, views], 2))  # (B, H, units)
        features = self.dropout(functional.gelu(features))
        weights = torch.softmax(3.0 * self.mixture(features), 2)
        mixed = (weights.double() * bases).sum(2, keepdim=True)
        offsets: Tensor = self.head(features)
        return mixed + offsets

    def _known(self, scaled: Scaled, covariates: Covariates) -> Tensor:
        embedded = [e(covariates.codes[:, i]) for i, e in enumerate(self.embeddings)]
        return torch.cat([scaled.statistics, covariates.static, *embedded], 1)

    def _patches(self, scaled: Scaled, covariates: Covariates, known: Tensor) -> Tensor:
        """Return what the reader reads, (B, K, features): a patch of the context at a step."""
        plan, m = self.plan, self.plan.season
        values, seen = scaled.values, scaled.observed.double()
        shape = scaled.shape()[:, None]
        moves = functional.pad(values[:, m:] - values[:, :-m], (m, 0))
        series = torch.stack([_squash(values * shape), _squash(moves), seen], 2).float()
        steps = torch.cat([series, covariates.context], 2)  # (B, L, 3 + known + past)
        rows, length, features = steps.shape
        patches = steps.reshape(rows, length // plan.patch, plan.patch * features)
        return torch.cat([patches, known[:, None].expand(-1, patches.shape[1], -1)], 2)

    def _write(self, seen: Tensor, views: Tensor, middle: Tensor, future: Tensor) -> Tensor:
        """Return the writer's output, (B, H, units)."""
        position = self.position.expand(seen.shape[0], -1, -1)
        steps = torch.cat([views, middle, position, future], 2)
        state: tuple[Tensor, ...] = ()
        if self.start is not None:
            parts = torch.tanh(self.start(seen)).chunk(self.states, 1)
            state = tuple(part.unsqueeze(0).contiguous() for part in parts)  # (1, B, units)
        written: Tensor = self.writer(steps, state)[0]
        return written
