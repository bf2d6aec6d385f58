"""Metrics against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from relembra import ConfigError, DataError
from relembra.evaluation import (
    coverage,
    mae,
    mase,
    pinball,
    rmse,
    seasonal_scale,
    smape,
    weighted_quantile_loss,
)

NAN = math.nan


def test_absolute_and_squared_errors_leave_out_missing_actuals():
    assert mae([1.0, NAN, 3.0], [2.0, 50.0, 5.0]) == 1.5
    assert rmse([1.0, NAN, 3.0], [2.0, 50.0, 10.0]) == 5.0


def test_smape_is_the_m4_definition():
    # 200 * (2/18 + 1/21 + 0) / 3
    assert smape([10.0, 10.0, 0.0], [8.0, 11.0, 0.0]) == pytest.approx(10.582010582)


def test_smape_of_opposite_signs_is_its_maximum():
    assert smape([1.0, -1.0], [-1.0, 3.0]) == 200.0


def test_mase_divides_by_the_seasonal_difference_of_the_history():
    history = [10.0, 20.0, 13.0, 21.0, 14.0, 24.0]  # steps of 2: 3, 1, 1, 3
    assert seasonal_scale(history, 2) == 2.0
    assert mase([15.0, 25.0], [18.0, 26.0], history, 2) == 1.0


def test_scale_leaves_out_pairs_with_a_missing_value():
    assert seasonal_scale([1.0, NAN, 2.0, 8.0, 4.0], 2) == 1.5


def test_scale_of_history_no_longer_than_the_season_is_the_random_walks():
    assert seasonal_scale([1.0, 2.0, 5.0], 3) == 2.0


def test_scale_without_any_seasonal_pair_is_the_random_walks():
    assert seasonal_scale([NAN, NAN, 1.0, 4.0], 3) == 3.0


@pytest.mark.parametrize("history", [[5.0] * 9, [1.0, 2.0, 3.0] * 3, [7.0], [], [NAN, NAN]])
def test_mase_is_undefined_without_a_scale(history):
    assert math.isnan(mase([1.0], [2.0], history, 3))


@pytest.mark.parametrize("metric", [mae, rmse, smape])
def test_nothing_observed_is_undefined(metric):
    assert math.isnan(metric([NAN, NAN], [1.0, 2.0]))


@pytest.mark.parametrize("metric", [mae, rmse, smape])
def test_a_missing_forecast_of_an_observed_value_is_not_forgiven(metric):
    assert math.isnan(metric([1.0, 2.0], [1.0, NAN]))


def test_pinball_weighs_the_sides_by_the_level():
    assert pinball([10.0], [6.0], 0.9) == pytest.approx(3.6)
    assert pinball([10.0], [14.0], 0.9) == pytest.approx(0.4)


def test_weighted_quantile_loss_by_hand():
    # level 0.1: 2 * (0.1*2 + 0.1*1); level 0.5: 2 * (0.5*1 + 0.5*1); over 30, mean over 2 levels
    loss = weighted_quantile_loss([10.0, NAN, 20.0], [[8, 9], [0, 0], [19, 21]], [0.1, 0.5])
    assert loss == pytest.approx((0.6 / 30 + 2.0 / 30) / 2)


def test_weighted_quantile_loss_of_a_repeated_point_is_the_normalised_deviation():
    forecasts = np.tile([[8.0], [26.0]], 3)
    assert weighted_quantile_loss([10.0, 20.0], forecasts, [0.25, 0.5, 0.75]) == pytest.approx(
        8 / 30
    )


def test_weighted_quantile_loss_of_zeros_is_undefined():
    assert math.isnan(weighted_quantile_loss([0.0], [[1.0]], [0.5]))


def test_coverage_includes_the_ends():
    assert coverage([1.0, 2.0, 3.0, NAN], [1.0, 0.0, 4.0, 0.0], [5.0, 2.0, 5.0, 9.0]) == 2 / 3


def test_coverage_of_a_missing_interval_is_not_measured():
    assert math.isnan(coverage([1.0, 2.0], [0.0, NAN], [3.0, 3.0]))


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(DataError, match=r"\(3,\) and the forecast \(2,\)"):
        mae([1.0, 2.0, 3.0], [1.0, 2.0])
    with pytest.raises(DataError, match="2 levels"):
        weighted_quantile_loss([1.0], [[1.0]], [0.1, 0.9])


def test_levels_and_seasons_that_make_no_sense_are_refused():
    with pytest.raises(ConfigError, match="between 0 and 1"):
        pinball([1.0], [1.0], 90)
    with pytest.raises(ConfigError, match="season"):
        seasonal_scale([1.0, 2.0], 0)
