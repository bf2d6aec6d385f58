"""Metrics, baselines and rolling origins: what a score means."""

from relembra.evaluation._accumulate import METRICS as METRICS
from relembra.evaluation._baselines import drift as drift
from relembra.evaluation._baselines import drift_quantiles as drift_quantiles
from relembra.evaluation._baselines import random_walk as random_walk
from relembra.evaluation._baselines import random_walk_quantiles as random_walk_quantiles
from relembra.evaluation._baselines import seasonal_naive as seasonal_naive
from relembra.evaluation._baselines import seasonal_naive_quantiles as seasonal_naive_quantiles
from relembra.evaluation._classification import ClassificationScores as ClassificationScores
from relembra.evaluation._classification import ClassScore as ClassScore
from relembra.evaluation._classification import calibration_error as calibration_error
from relembra.evaluation._classification import classification_scores as classification_scores
from relembra.evaluation._classification import (
    expected_calibration_error as expected_calibration_error,
)
from relembra.evaluation._label_baselines import MostFrequentTag as MostFrequentTag
from relembra.evaluation._label_baselines import majority_class as majority_class
from relembra.evaluation._language import bits_per_character as bits_per_character
from relembra.evaluation._language import perplexity as perplexity
from relembra.evaluation._metrics import coverage as coverage
from relembra.evaluation._metrics import mae as mae
from relembra.evaluation._metrics import mase as mase
from relembra.evaluation._metrics import pinball as pinball
from relembra.evaluation._metrics import rmse as rmse
from relembra.evaluation._metrics import seasonal_scale as seasonal_scale
from relembra.evaluation._metrics import smape as smape
from relembra.evaluation._metrics import weighted_quantile_loss as weighted_quantile_loss
from relembra.evaluation._ngram import NGramModel as NGramModel
from relembra.evaluation._origins import RollingOrigin as RollingOrigin
from relembra.evaluation._origins import rolling_origins as rolling_origins
from relembra.evaluation._scores import ForecastScores as ForecastScores
from relembra.evaluation._scores import ModelScore as ModelScore
from relembra.evaluation._span_scores import SpanScores as SpanScores
from relembra.evaluation._span_scores import span_scores as span_scores
from relembra.evaluation._spans import Scheme as Scheme
from relembra.evaluation._spans import Span as Span
from relembra.evaluation._spans import allowed_transitions as allowed_transitions
from relembra.evaluation._spans import repair_tags as repair_tags
from relembra.evaluation._spans import spans as spans
from relembra.evaluation._spans import tags_of_spans as tags_of_spans

__all__ = [
    "METRICS",
    "ClassScore",
    "ClassificationScores",
    "ForecastScores",
    "ModelScore",
    "MostFrequentTag",
    "NGramModel",
    "RollingOrigin",
    "Scheme",
    "Span",
    "SpanScores",
    "allowed_transitions",
    "bits_per_character",
    "calibration_error",
    "classification_scores",
    "coverage",
    "drift",
    "drift_quantiles",
    "expected_calibration_error",
    "mae",
    "majority_class",
    "mase",
    "perplexity",
    "pinball",
    "random_walk",
    "random_walk_quantiles",
    "repair_tags",
    "rmse",
    "rolling_origins",
    "seasonal_naive",
    "seasonal_naive_quantiles",
    "seasonal_scale",
    "smape",
    "span_scores",
    "spans",
    "tags_of_spans",
    "weighted_quantile_loss",
]
