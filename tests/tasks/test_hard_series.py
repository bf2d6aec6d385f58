"""Series that are short, flat, full of holes, huge or tiny are forecast, with finite numbers."""

import numpy as np
import pytest
from tests.tasks.small import panel_of, tiny, wave

from relembra._errors import DataError

HOLES = np.where(np.random.default_rng(0).random(64) < 0.6, np.nan, wave())
HOLES[-1] = 10.0

SERIES = {
    "flat": np.full(64, 3.3),
    "flat and large": np.full(64, 0.1e9),
    "zero": np.zeros(64),
    "huge": 1e12 * wave(),
    "at the limit": 0.08e30 * wave(),
    "tiny": 1e-9 * wave(),
    "tiny around zero": 1e-9 * wave(level=0.0),
    "tiny ripple on a large level": 1e9 + 1e-6 * wave(),
    "negative": wave() - 100.0,
    "across zero": wave(level=0.0),
    "counts with zeros": np.random.default_rng(1).poisson(0.3, 64).astype(float),
    "one spike": np.where(np.arange(64) == 40, 1e9, 1.0),
    "every magnitude": 10.0 ** np.random.default_rng(2).uniform(-25, 25, 64),
    "back and forth": np.where(np.arange(64) % 2, 1e-20, 1e25),
    "doubling": 2.0 ** np.arange(64),
    "halving": 2.0 ** -np.arange(64.0),
    "holes": HOLES,
    "a gap longer than the context": np.r_[wave(50), [np.nan] * 200, 10.0],
    "nothing at first": np.r_[[np.nan] * 70, wave(10)],
    "shorter than a season": wave(7),
    "as short as can be": wave(6),
}


@pytest.mark.parametrize("name", SERIES)
def test_fit_and_forecast(name):
    forecast = tiny().fit(SERIES[name]).forecast()
    assert forecast.quantiles.shape == (1, 4, 7)
    assert np.isfinite(forecast.quantiles).all()
    assert np.isfinite(forecast.mean).all()
    assert (np.diff(forecast.quantiles, axis=2) >= 0).all()


@pytest.mark.parametrize("name", ["flat", "flat and large", "zero"])
def test_a_flat_series_stays_flat(name):
    level = SERIES[name][0]
    forecast = tiny().fit(SERIES[name]).forecast()
    assert np.abs(forecast.quantiles - level).max() <= 1e-3 * max(level, 1.0)


def test_all_of_them_in_one_panel():
    model = tiny().fit_panel(panel := panel_of(*SERIES.values()), panel.observed_lengths)
    forecast = model.forecast()
    assert forecast.quantiles.shape == (len(SERIES), 4, 7)
    assert np.isfinite(forecast.quantiles).all()


def test_new_series_shorter_than_the_context():
    model = tiny().fit(wave())
    for steps in range(2, model.plan_.context + 2, 5):
        assert np.isfinite(model.forecast(wave(steps)).quantiles).all()


def test_an_unknown_series_is_forecast_from_its_values():
    model = tiny(training={"steps": 30}).fit(np.stack([wave(seed=s) for s in range(4)]))
    new = wave(seed=9, level=1000.0)
    assert np.abs(model.predict(new) - 1000.0).max() < 10.0


@pytest.mark.parametrize("steps", [2, 5])
def test_a_horizon_longer_than_the_data_is_an_error(steps):
    with pytest.raises(DataError, match=rf"a horizon of 4 steps needs .* 6 steps .* has {steps}\."):
        tiny().fit(wave(steps))


@pytest.mark.parametrize(
    ("series", "message"),
    [
        ([], "there are no rows"),
        ([1.0], "there is one row"),
        (np.full(9, np.nan), "every value of the target is missing"),
        (np.r_[1.0, [np.nan] * 40, 2.0], "no window of 4 steps with a value before it and one in"),
        (np.r_[wave(9), np.inf], "row 10: inf is too large"),
        (np.r_[wave(9), 1e308], "row 10: 1e\\+308 is too large"),
        (["a", "b"], "X must be numbers"),
        (np.zeros((2, 3, 4)), r"X must be \(T,\) or \(n, T\), got an array of shape \(2, 3, 4\)"),
    ],
)
def test_arrays_that_are_no_series(series, message):
    with pytest.raises(DataError, match=message):
        tiny().fit(series)


def test_a_season_a_thousand_times_its_error_keeps_its_height():
    # In units of the seasonal error such a series lies hundreds away from its level.
    series = wave(160, noise=0.002)
    model = tiny(trunk={"dropout": 0.0}, training={"steps": 60, "learning_rate": 3e-3})
    ahead = wave(164, noise=0.0)[160:]
    assert np.abs(model.fit(series).forecast().median[0] - ahead).max() < 0.1
