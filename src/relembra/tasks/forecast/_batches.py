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

__all__ = ["Example", "RandomWindows", "prepare"]


@dataclass(frozen=True)
class Example:
    """A batch of windows, scaled."""

    scaled: Scaled
    covariates: Covariates
    target: Tensor  # (B, H) float64, scaled; anything where not observed
    observed: Tensor  # (B, H) bool
    relative: Tensor  # (B,) the seasonal-naive error as a share of the level


def prepare(batch: WindowBatch, plan: Plan, standardizer: Standardizer) -> Example:
    """Scale a batch of windows by their contexts."""
    values = batch.target.log() if plan.log else batch.target  # (B, L+H) float64
    context, future = values[:, : plan.context], values[:, plan.context :]
    seen = batch.observed & ~torch.isnan(values)
    scaled = scale_context(context, seen[:, : plan.context], plan)
    target = (future - scaled.level[:, None]) / scaled.scale[:, None]
    observed = seen[:, plan.context :]
    relative = scaled.scale
    if not plan.log:
        relative = scaled.scale / (scaled.level.abs() + scaled.scale)
    return Example(
        scaled,
        _covariates(batch, plan, standardizer),
        torch.where(observed, target, 0.0),
        observed,
        relative,
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

    Parameters
    ----------
    windows
        Where windows may lie.
    plan, standardizer
        How they are scaled.
    batch_size, seed
        B, and the seed of the draw.
    """

    carries_state = False

    def __init__(
        self,
        windows: Windows,
        plan: Plan,
        standardizer: Standardizer,
        *,
        batch_size: int,
        seed: int,
    ) -> None:
        self.windows, self.plan, self.standardizer = windows, plan, standardizer
        self.batch_size, self.seed = batch_size, seed

    def batches(self, epoch: int) -> int:
        """Return how many batches show each window once on average."""
        return max(1, len(self.windows) // self.batch_size)

    def starts_segment(self, epoch: int, index: int) -> bool:
        """Return True: windows have nothing to do with each other."""
        return True

    def batch(self, epoch: int, index: int) -> Example:
        """Return a batch; a pure function of (seed, epoch, index)."""
        draw = generator(self.seed, "windows", epoch, index)
        chosen: np.ndarray[Any, np.dtype[np.int64]] = draw.integers(
            len(self.windows), size=self.batch_size
        )
        return prepare(self.windows.batch(chosen), self.plan, self.standardizer)
