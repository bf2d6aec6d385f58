"""Metrics, baselines and rolling origins: what a forecast's score means."""

from relembra.evaluation._accumulate import METRICS as METRICS
from relembra.evaluation._baselines import drift as drift
from relembra.evaluation._baselines import drift_quantiles as drift_quantiles
from relembra.evaluation._baselines import random_walk as random_walk
from relembra.evaluation._baselines import random_walk_quantiles as random_walk_quantiles
from relembra.evaluation._baselines import seasonal_naive as seasonal_naive
from relembra.evaluation._baselines import seasonal_naive_quantiles as seasonal_naive_quantiles
from relembra.evaluation._metrics import coverage as coverage
from relembra.evaluation._metrics import mae as mae
from relembra.evaluation._metrics import mase as mase
from relembra.evaluation._metrics import pinball as pinball
from relembra.evaluation._metrics import rmse as rmse
from relembra.evaluation._metrics import seasonal_scale as seasonal_scale
from relembra.evaluation._metrics import smape as smape
from relembra.evaluation._metrics import weighted_quantile_loss as weighted_quantile_loss
from relembra.evaluation._origins import RollingOrigin as RollingOrigin
from relembra.evaluation._origins import rolling_origins as rolling_origins
from relembra.evaluation._scores import ForecastScores as ForecastScores
from relembra.evaluation._scores import ModelScore as ModelScore

__all__ = [
    "METRICS",
    "ForecastScores",
    "ModelScore",
    "RollingOrigin",
    "coverage",
    "drift",
    "drift_quantiles",
    "mae",
    "mase",
    "pinball",
    "random_walk",
    "random_walk_quantiles",
    "rmse",
    "rolling_origins",
    "seasonal_naive",
    "seasonal_naive_quantiles",
    "seasonal_scale",
    "smape",
    "weighted_quantile_loss",
]
