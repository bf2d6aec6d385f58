"""Scores over models, series and origins: the same numbers as the metrics one by one."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from relembra import ConfigError, DataError
from relembra.evaluation import (
    METRICS,
    ForecastScores,
    coverage,
    mae,
    mase,
    smape,
    weighted_quantile_loss,
)

LEVELS = [0.025, 0.1, 0.5, 0.9, 0.975]
NAN = math.nan


def made(n_series=5, n_origins=3, horizon=4, seed=0):
    """Return windows (series, origin, actual, point, quantiles, history) with gaps in them."""
    rng = np.random.default_rng(seed)
    windows = []
    for series in range(n_series):
        values = rng.normal(size=60).cumsum() + 10 * series
        values[rng.random(60) < 0.1] = np.nan
        for origin in range(40, 40 + horizon * (n_origins - series % 2), horizon):
            point = rng.normal(size=horizon) + 10 * series
            quantiles = np.sort(point[:, None] + rng.normal(size=(horizon, 5)), axis=1)
            actual = values[origin : origin + horizon]
            windows.append((f"s{series}", origin, actual, point, quantiles, values[:origin]))
    return windows


def gathered(windows, **options):
    scores = ForecastScores(LEVELS, **options)
    for series, origin, actual, point, quantiles, history in windows:
        scores.add("model", series, origin, actual, point, quantiles, history, 7)
    return scores


def by_hand(windows, metric):
    """Average over the origins of each series, then over the series."""
    groups = {}
    for series, _, actual, point, quantiles, history in windows:
        value = metric(actual, point, quantiles, history)
        groups.setdefault(series, []).append(value)
    return np.mean([np.mean(values) for values in groups.values()])


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("mase", lambda a, p, q, h: mase(a, p, h, 7)),
        ("smape", lambda a, p, q, h: smape(a, p)),
        ("mae", lambda a, p, q, h: mae(a, p)),
        ("coverage_80", lambda a, p, q, h: coverage(a, q[:, 1], q[:, 3])),
        ("coverage_95", lambda a, p, q, h: coverage(a, q[:, 0], q[:, 4])),
    ],
)
def test_mean_over_origins_then_over_series(name, metric):
    windows = made()
    assert gathered(windows).table()[0][name] == pytest.approx(by_hand(windows, metric))


def test_weighted_quantile_loss_is_one_ratio_over_everything():
    windows = made()
    actual = np.concatenate([w[2] for w in windows])
    quantiles = np.concatenate([w[4] for w in windows])
    expected = weighted_quantile_loss(actual, quantiles, LEVELS)
    assert gathered(windows).table()[0]["wql"] == pytest.approx(expected)
    median = gathered(windows, wql_levels=[0.5]).table()[0]["wql"]
    assert median == pytest.approx(weighted_quantile_loss(actual, quantiles[:, 2:3], [0.5]))


def test_rmse_takes_the_root_for_each_series():
    scores = ForecastScores()
    for origin, error in [(4, 3.0), (6, 4.0)]:
        scores.add("m", "a", origin, [0.0, 0.0], [error, error], None, [1.0, 2.0], 1)
    scores.add("m", "b", 4, [0.0, 0.0], [1.0, 1.0], None, [1.0, 2.0], 1)
    assert scores.table()[0]["rmse"] == pytest.approx((math.sqrt(12.5) + 1.0) / 2)


def test_many_windows_pass_through_several_chunks():
    windows = made(n_series=700, n_origins=4)
    row = gathered(windows).table()[0]
    assert row["n_windows"] == len(windows) > 2048
    assert row["mase"] == pytest.approx(by_hand(windows, lambda a, p, q, h: mase(a, p, h, 7)))


def test_error_by_step_of_the_horizon():
    scores = ForecastScores([0.5])
    scores.add("m", "a", 2, [1.0, NAN, 3.0], [2.0, 9.0, 3.0], [[2.0], [9.0], [3.0]], [1.0, 3.0], 1)
    scores.add("m", "b", 2, [1.0, 2.0, NAN], [4.0, 2.0, 9.0], [[4.0], [2.0], [9.0]], [1.0, 2.0], 1)
    assert scores.by_horizon("mae")["m"].tolist() == [2.0, 0.0, 0.0]
    assert scores.by_horizon("mase")["m"].tolist() == [1.75, 0.0, 0.0]
    assert scores.by_horizon("rmse")["m"].tolist() == [math.sqrt(5.0), 0.0, 0.0]
    assert scores.by_horizon("wql")["m"].tolist() == [2.0, 0.0, 0.0]


def test_by_series_has_every_series_of_every_model():
    scores = ForecastScores()
    scores.add("m", "a", 2, [1.0], [2.0], None, [1.0, 3.0], 1)
    scores.add("n", "b", 2, [1.0], [4.0], None, [1.0, 3.0], 1)
    result = scores.by_series("mae")
    assert result["m"]["a"] == 1.0
    assert result["n"]["b"] == 3.0
    assert math.isnan(result["m"]["b"])
    assert scores.models == ["m", "n"]
    assert scores.series == ["a", "b"]


def test_a_flat_series_counts_as_undefined_and_not_in_the_mean():
    scores = ForecastScores()
    scores.add("m", "flat", 2, [5.0], [6.0], None, [5.0, 5.0], 1)
    scores.add("m", "a", 2, [5.0], [6.0], None, [5.0, 7.0], 1)
    row = scores.table()[0]
    assert (row["mase"], row["mae"]) == (0.5, 1.0)
    assert (row["n_windows"], row["n_undefined"]) == (2, 1)


def test_nothing_observed_is_undefined_throughout():
    scores = ForecastScores(LEVELS)
    scores.add("m", "a", 2, [NAN], [6.0], [[1.0, 2, 3, 4, 5]], [5.0, 7.0], 1)
    row = scores.table()[0]
    assert all(math.isnan(row[metric]) for metric in METRICS)
    assert row["n_undefined"] == 1


def test_a_missing_forecast_makes_its_window_undefined():
    scores = ForecastScores()
    scores.add("m", "a", 2, [1.0, 1.0], [1.0, NAN], None, [5.0, 7.0], 1)
    scores.add("m", "a", 4, [1.0, 1.0], [3.0, 3.0], None, [5.0, 7.0], 1)
    assert scores.table()[0]["mae"] == 2.0
    assert scores.table()[0]["n_undefined"] == 1


def test_scores_can_be_asked_for_between_additions():
    scores = ForecastScores()
    scores.add("m", "a", 2, [1.0], [2.0], None, [5.0, 7.0], 1)
    assert scores.table()[0]["mae"] == 1.0
    scores.add("m", "a", 3, [1.0], [4.0], None, [5.0, 7.0], 1)
    assert scores.table()[0]["mae"] == 2.0


def test_the_callers_arrays_may_be_used_again():
    scores, actual = ForecastScores(), np.array([1.0])
    scores.add("m", "a", 2, actual, actual, None, [5.0, 7.0], 1)
    actual[0] = 9.0
    assert scores.by_horizon("mae")["m"].tolist() == [0.0]


def test_to_dict_is_json_with_the_usual_names():
    scores = ForecastScores()
    scores.add("m", "a", 2, [1.0], [2.0], None, [5.0, 7.0], 1)
    values = json.loads(json.dumps(scores.to_dict(), allow_nan=False))["m"]
    assert values == {
        "MASE": 0.5,
        "sMAPE": pytest.approx(200 / 3),
        "WQL": None,
        "coverage_80": None,
        "coverage_95": None,
        "RMSE": 1.0,
        "MAE": 1.0,
        "windows": 1,
        "undefined": 0,
    }


def test_nothing_added_is_an_empty_table():
    scores = ForecastScores(LEVELS)
    assert (scores.table(), scores.by_horizon(), scores.by_series(), scores.to_dict()) == (
        [],
        {},
        {},
        {},
    )


def test_wrong_shapes_and_repeated_windows_are_refused():
    scores = ForecastScores(LEVELS)
    scores.add("m", "a", 2, [1.0, 2.0], [2.0, 2.0], None, [5.0, 7.0], 1)
    with pytest.raises(DataError, match="twice"):
        scores.add("m", "a", 2, [1.0, 2.0], [2.0, 2.0], None, [5.0, 7.0], 1)
    with pytest.raises(DataError, match="expected 2 actual"):
        scores.add("m", "a", 3, [1.0], [2.0], None, [5.0, 7.0], 1)
    with pytest.raises(DataError, match=r"quantiles of shape \(2, 5\)"):
        scores.add("m", "a", 3, [1.0, 2.0], [2.0, 2.0], [[1.0], [2.0]], [5.0, 7.0], 1)


def test_levels_must_rise_and_metrics_must_exist():
    with pytest.raises(ConfigError, match="rise"):
        ForecastScores([0.9, 0.1])
    with pytest.raises(ConfigError, match="not all among"):
        ForecastScores([0.1, 0.9], wql_levels=[0.5])
    with pytest.raises(ConfigError, match="no metric is called 'mape'; known: mase"):
        ForecastScores().by_series("mape")
