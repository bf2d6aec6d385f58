"""The loss of a forecast: pinball over all quantiles, in units that suit MASE and sMAPE alike."""

from __future__ import annotations

import torch
from torch import Tensor

from relembra.nn import pinball_loss
from relembra.tasks.forecast._batches import Example
from relembra.tasks.forecast._network import ForecastNetwork

__all__ = ["ForecastObjective", "forecast_loss"]

# Weight of the relative error (as in sMAPE) beside the error in seasonal-naive units (as in MASE).
_RELATIVE = 20.0


def forecast_loss(quantiles: Tensor, example: Example, levels: Tensor) -> Tensor:
    """Return the mean loss of quantiles (B, H, Q) over the observed steps, one number."""
    loss = 2.0 * pinball_loss(example.target, quantiles, levels).mean(2)  # (B, H)
    weight = (1.0 + _RELATIVE * example.scaled.relative())[:, None] * example.observed
    return (loss * weight).sum() / example.observed.sum().clamp(min=1)


class ForecastObjective:
    """The network and its loss, as `relembra.training.fit` wants them."""

    def __init__(self, network: ForecastNetwork, levels: tuple[float, ...]) -> None:
        self.module = network
        self.levels = torch.tensor(levels, dtype=torch.float64)

    def loss(self, batch: Example, state: None) -> tuple[Tensor, None]:
        """Return the loss of a batch; nothing is carried to the next."""
        quantiles = self.module(batch.scaled, batch.covariates)
        return forecast_loss(quantiles, batch, self.levels), None
