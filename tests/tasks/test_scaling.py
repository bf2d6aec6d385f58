"""Units do not matter: the forecast of k*x is k times the forecast of x."""

import numpy as np
import pytest
from tests.tasks.small import digest, panel_of, tiny, wave

from relembra._errors import DataError
from relembra.tasks.forecast._space import floors, in_logs

# The context is scaled in float64 and the network is float32: its rounding is what may differ.
CLOSE = {"rtol": 1e-5, "atol": 0.0}


def quantiles(model, series):
    return model.forecast(series).quantiles


@pytest.mark.parametrize("factor", [1e-9, 1 / 3, 1e12])
@pytest.mark.parametrize(("space", "level"), [("log", 10.0), ("linear", 10.0), ("auto", 0.5)])
def test_one_model_on_other_units(space, level, factor):
    series = wave(level=level)
    model = tiny(space=space).fit(series)
    scale = factor * np.abs(series).max()
    expected, got = factor * quantiles(model, series), quantiles(model, factor * series)
    np.testing.assert_allclose(got / scale, expected / scale, rtol=0.0, atol=1e-5)


@pytest.mark.parametrize("space", ["log", "linear"])
def test_a_fit_on_other_units(space):
    series = wave()
    expected = 1e6 * quantiles(tiny(space=space).fit(series), None)
    got = quantiles(tiny(space=space).fit(1e6 * series), None)
    np.testing.assert_allclose(got, expected, rtol=1e-3)


def test_a_power_of_two_changes_no_bit_of_a_linear_forecast():
    series = wave(level=0.0)
    model = tiny(space="linear").fit(series)
    assert np.array_equal(1024 * quantiles(model, series), quantiles(model, 1024 * series))


def test_a_shift_moves_a_linear_forecast_along():
    series = wave(level=0.0)
    model = tiny(space="linear", refit=False).fit(series)
    # Only the statistic that tells the size of the level changes; the bulk of the forecast moves.
    moved = model.forecast(series - 1000.0).median + 1000.0
    assert np.abs(moved - model.forecast(series).median).max() < 2.0


def test_the_space_is_chosen_for_each_series():
    panel = panel_of(wave(), wave(level=0.0), np.r_[wave(20), 0.0, wave(20)], np.full(9, 3.0))
    every, ends = np.arange(4), panel.observed_lengths
    assert in_logs(panel, every, ends, "auto").tolist() == [True, False, False, True]
    assert in_logs(panel, every, np.full(4, 20), "auto").tolist() == [True, False, True, True]
    assert in_logs(panel, every, ends, "linear").tolist() == [False] * 4
    assert floors(panel, every, ends).tolist() == [0.0, -np.inf, 0.0, 0.0]
    with pytest.raises(DataError, match=r"space 'log' needs positive values.* 's1' is -\d"):
        in_logs(panel, every, ends, "log")


def test_neighbours_do_not_change_the_space_of_a_series():
    positive, crossing = wave(seed=1), wave(seed=2, level=0.0)
    model = tiny().fit_panel(panel_of(positive, crossing), np.array([64, 64]))
    alone = model.forecast(panel_of(positive, wave(seed=3))).quantiles[0]
    beside = model.forecast(panel_of(positive, crossing)).quantiles[0]
    np.testing.assert_allclose(alone, beside, **CLOSE)


def test_what_was_never_negative_is_forecast_at_zero_or_above():
    falling = np.maximum(40.0 - np.arange(64.0), 0.0) + np.arange(64) % 2 * 0.5
    assert quantiles(tiny(horizon=8).fit(falling), None).min() >= 0.0
    assert quantiles(tiny(horizon=8).fit(falling - 30.0), None).min() < 0.0


def test_series_that_fall_to_zero_where_they_validate():
    """A logarithm taken there would be minus infinity, in the loss and in the calibration."""
    for end in ([0.0, 0.0, 0.0], [-1.0, 0.0, 2.0]):
        model = tiny().fit(np.r_[wave(61), end])
        assert np.isfinite(model.forecast().quantiles).all()
        assert all(np.isfinite(row.validation) for row in model.fitted_.search)
    assert len(digest(model)) == 64
