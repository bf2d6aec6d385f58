"""From windows of the data to what the network takes; and random batches by number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relembra._random import generator
from relembra.data import Standardizer, WindowBatch, Windows
from relembra.tasks.forecast._features import Scaled, scale_context
from relembra.tasks.forecast._network import Covariates
from relembra.tasks.forecast._plan import Plan
from relembra.tasks.forecast._prior import join_batches, prior_windows

Bools = np.ndarray[Any, np.dtype[np.bool_]]

__all__ = ["Example", "RandomWindows", "prepare"]


@dataclass(frozen=True)
class Example:
    """A batch of windows, scaled."""

    scaled: Scaled
    covariates: Covariates
    target: Tensor  # (B, H) float64, scaled; anything where not observed
    observed: Tensor  # (B, H) bool


def prepare(batch: WindowBatch, plan: Plan, standardizer: Standardizer, logs: Bools) -> Example:
    """Scale a batch of windows by their contexts; `logs` (B,) says which by their logarithms."""
    context, future = batch.target[:, : plan.context], batch.target[:, plan.context :]
    seen, ahead = batch.observed[:, : plan.context], batch.observed[:, plan.context :]
    scaled = scale_context(context, seen, torch.from_numpy(logs), plan)
    target = scaled.from_units(torch.where(ahead, future, 1.0))
    return Example(
        scaled,
        _covariates(batch, plan, standardizer),
        torch.where(ahead, target, 0.0),
        ahead,
    )


def _covariates(batch: WindowBatch, plan: Plan, standardizer: Standardizer) -> Covariates:
    scaled = standardizer.apply(batch)
    known, past = scaled.known, scaled.past  # (B, L+H, K), (B, L+H, P)
    length, season = plan.context, plan.season
    ahead = torch.arange(plan.horizon)
    source = length + ahead - season * (ahead // season + 1)  # the step one season before
    before = known[:, source.clamp(min=0)]
    return Covariates(
        context=torch.cat([known[:, :length], past[:, :length]], 2),
        future=torch.cat([batch.calendar[:, length:], known[:, length:], before], 2),
        static=scaled.static,
        codes=batch.static_codes,
    )


class RandomWindows:
    """Windows drawn at random, with replacement: batch i of epoch e is always the same.

    A series is drawn by the number of its windows, and of these the later ones more often.

    Parameters
    ----------
    windows
        Where windows may lie.
    plan, standardizer
        How they are scaled.
    logs
        (S,) bool, the series taken by their logarithms.
    batch_size, seed
        B, and the seed of the draw.
    made_up
        Part of a batch that is drawn from the prior; see `prior_windows`.
    """

    carries_state = False

    def __init__(
        self,
        windows: Windows,
        plan: Plan,
        standardizer: Standardizer,
        logs: Bools,
        *,
        batch_size: int,
        seed: int,
        made_up: float = 0.0,
    ) -> None:
        self.windows, self.plan, self.standardizer, self.logs = windows, plan, standardizer, logs
        self.seed = seed
        self._made_up = min(round(made_up * batch_size), batch_size - 1)
        self.batch_size = batch_size - self._made_up  # of real windows
        self._ends = np.cumsum(np.bincount(windows.series, minlength=len(windows.panel)))

    def batches(self, epoch: int) -> int:
        """Return how many batches show each window once on average."""
        return max(1, len(self.windows) // self.batch_size)

    def starts_segment(self, epoch: int, index: int) -> bool:
        """Return True: windows have nothing to do with each other."""
        return True

    def batch(self, epoch: int, index: int) -> Example:
        """Return a batch; a pure function of (seed, epoch, index)."""
        draw = generator(self.seed, "windows", epoch, index)
        some = draw.integers(len(self.windows), size=self.batch_size)
        series = np.searchsorted(self._ends, some, side="right")
        begin = np.where(series > 0, self._ends[series - 1], 0)
        count = self._ends[series] - begin
        # The square root of a uniform number lies near 1: the density rises towards the present.
        late = np.sqrt(draw.random(self.batch_size))
        chosen = begin + np.minimum((late * count).astype(np.int64), count - 1)
        batch, logs = self.windows.batch(chosen), self.logs[series]
        if self._made_up:
            prior = prior_windows(batch, self.plan, self._made_up, draw)
            batch = join_batches(batch, prior)
            positive = np.fmin.reduce(prior.target.numpy(), axis=1) > 0
            logs = np.concatenate([logs, positive & (self.plan.space != "linear")])
        return prepare(batch, self.plan, self.standardizer, logs)
