"""Forecasts of a trained network, back in the units of the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from relembra.data import WindowBatch
from relembra.nn import quantile_mean
from relembra.tasks.forecast._batches import prepare
from relembra.tasks.forecast._calibration import calibrate
from relembra.tasks.forecast._fitting import Fitted
from relembra.tasks.forecast._plan import Plan

__all__ = ["forecast_windows"]

Bools = np.ndarray[Any, np.dtype[np.bool_]]
Floats = np.ndarray[Any, np.dtype[np.float64]]


def forecast_windows(
    fitted: Fitted,
    batch: WindowBatch,
    plan: Plan,
    levels: tuple[float, ...],
    logs: Bools,
    floor: Floats,
) -> tuple[Floats, Floats]:
    """Return the quantiles (B, H, Q) and the mean (B, H) of a batch of windows.

    Parameters
    ----------
    fitted
        The network, its standardizer and its calibration.
    batch
        Windows; their horizons are not looked at but for known covariates.
    plan, levels
        As in training.
    logs, floor
        (B,) whether a row is forecast by its logarithms, and the lowest value that it can take.
    """
    fitted.network.eval()
    with torch.no_grad():
        example = prepare(batch, plan, fitted.standardizer, logs)
        scaled = fitted.network(example.scaled, example.covariates)
        quantiles = calibrate(scaled, fitted.factors, levels)
        values = example.scaled.to_units(quantiles)  # (B, H, Q) float64
    values = torch.maximum(values, torch.from_numpy(floor)[:, None, None])
    mean: Tensor = quantile_mean(values, torch.tensor(levels, dtype=torch.float64))
    return values.numpy(), mean.numpy()
