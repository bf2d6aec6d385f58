"""Baselines: literal forecasts, and quantiles that hold what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from relembra import ConfigError, DataError
from relembra.evaluation import (
    coverage,
    drift,
    drift_quantiles,
    random_walk,
    random_walk_quantiles,
    seasonal_naive,
    seasonal_naive_quantiles,
)

NAN = math.nan
LEVELS = [0.1, 0.5, 0.9]


def test_seasonal_naive_repeats_the_last_season():
    history = [9.0, 9, 9, 1, 2, 3]
    assert seasonal_naive(history, 3, 7).tolist() == [1, 2, 3, 1, 2, 3, 1]


def test_seasonal_naive_keeps_the_phase_of_an_incomplete_season():
    assert seasonal_naive([1.0, 2, 3, 4], 3, 3).tolist() == [2, 3, 4]


def test_seasonal_naive_looks_further_back_over_missing_values():
    assert seasonal_naive([1.0, 2, 3, 4, NAN, 6], 3, 3).tolist() == [4, 2, 6]


def test_seasonal_naive_of_a_place_never_seen_is_the_last_value():
    assert seasonal_naive([NAN, 2.0, 3.0, NAN, 5.0, 6.0], 3, 3).tolist() == [6, 5, 6]


def test_seasonal_naive_of_a_short_history_is_the_last_value():
    assert seasonal_naive([1.0, 2.0], 12, 3).tolist() == [2, 2, 2]


def slowly(history, season, step):
    """Return the newest observed value in the phase of a step, or the last of all."""
    observed = [(i, v) for i, v in enumerate(history) if not math.isnan(v)]
    phase = (len(history) + step) % season
    same = [v for i, v in observed if i % season == phase]
    return same[-1] if same and len(history) >= season else observed[-1][1]


@pytest.mark.parametrize("season", [1, 2, 7, 12])
@pytest.mark.parametrize("n", [1, 6, 7, 13, 40])
def test_seasonal_naive_agrees_with_a_search_step_by_step(season, n):
    rng = np.random.default_rng(season * 100 + n)
    history = rng.normal(size=n)
    history[: n - 1][rng.random(n - 1) < 0.5] = np.nan
    expected = [slowly(history.tolist(), season, step) for step in range(20)]
    assert seasonal_naive(history, season, 20).tolist() == expected


def test_drift_goes_on_from_the_last_observed_value():
    assert drift([NAN, 1.0, NAN, 5.0, NAN], 2).tolist() == [9.0, 11.0]
    assert drift([4.0], 2).tolist() == [4.0, 4.0]


@pytest.mark.parametrize("history", [[], [NAN, NAN]])
def test_nothing_observed_is_forecast_as_missing(history):
    for forecast in (
        random_walk(history, 2),
        drift(history, 2),
        seasonal_naive(history, 1, 2),
        random_walk_quantiles(history, 2, LEVELS),
        drift_quantiles(history, 2, LEVELS),
        seasonal_naive_quantiles(history, 7, 2, LEVELS),
    ):
        assert np.isnan(forecast).all()
        assert len(forecast) == 2


def test_random_walk_quantiles_are_those_of_the_changes():
    changes = [1.0, 2, 3, 4, 5, 6, 7, 8, 9]  # ranks 1, 5 and 9 of 9
    history = np.cumsum([0.0, *changes])
    assert random_walk_quantiles(history, 1, LEVELS).tolist() == [[46.0, 50.0, 54.0]]


def test_a_single_value_has_no_spread():
    assert random_walk_quantiles([3.0], 2, LEVELS).tolist() == [[3.0] * 3] * 2
    assert seasonal_naive_quantiles([3.0], 12, 2, LEVELS).tolist() == [[3.0] * 3] * 2


def test_a_lead_time_beyond_the_history_borrows_a_wider_spread():
    history = [0.0, 1, 0, 1, 0, 1, 0, 1]
    spread = np.ptp(random_walk_quantiles(history, 30, LEVELS), axis=1)
    assert spread[2] == pytest.approx(2.0)  # lag 3 has 5 changes of its own
    assert spread[29] == pytest.approx(2.0 * math.sqrt(30 / 3))


def test_seasonal_quantiles_use_the_lag_of_the_seasons_reached_back():
    rng = np.random.default_rng(0)
    history = np.cumsum(rng.normal(size=400))
    quantiles = seasonal_naive_quantiles(history, 4, 9, [0.5, 0.9])
    spread = quantiles[:, 1] - quantiles[:, 0]
    assert np.ptp(spread[:4]) == pytest.approx(0.0, abs=1e-12)
    assert np.ptp(spread[4:8]) == pytest.approx(0.0, abs=1e-12)
    assert spread[0] < spread[4] < spread[8]


def test_quantiles_never_cross_and_hold_missing_values():
    rng = np.random.default_rng(1)
    history = rng.normal(size=90)
    history[rng.random(90) < 0.3] = np.nan
    for quantiles in (
        random_walk_quantiles(history, 20, LEVELS),
        drift_quantiles(history, 20, LEVELS),
        seasonal_naive_quantiles(history, 7, 20, LEVELS),
    ):
        assert (np.diff(quantiles, axis=1) >= 0).all()


def test_intervals_of_a_random_walk_cover_what_they_promise():
    rng = np.random.default_rng(2)
    paths = np.cumsum(rng.normal(size=(300, 260)), axis=1)
    actual, low, high = [], [], []
    for path in paths:
        quantiles = random_walk_quantiles(path[:250], 10, LEVELS)
        actual.append(path[250:])
        low.append(quantiles[:, 0])
        high.append(quantiles[:, 2])
    share = coverage(np.concatenate(actual), np.concatenate(low), np.concatenate(high))
    assert 0.74 < share < 0.84


def test_options_and_shapes_that_make_no_sense_are_refused():
    with pytest.raises(ConfigError, match="horizon"):
        random_walk([1.0], 0)
    with pytest.raises(ConfigError, match="season"):
        seasonal_naive([1.0], 0, 1)
    with pytest.raises(ConfigError, match="levels"):
        drift_quantiles([1.0], 1, [0.0, 0.5])
    with pytest.raises(DataError, match="shape"):
        drift([[1.0]], 1)
