"""Quantiles never cross, whatever the weights, the input and the calibration."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.tasks.small import panel_of, tiny, wave

from relembra.data import Standardizer, WindowSpec, forecast_batch
from relembra.nn import Trunk
from relembra.tasks.forecast._calibration import calibrate, fit_calibration
from relembra.tasks.forecast._fitting import Fitted, make_network
from relembra.tasks.forecast._plan import make_plan
from relembra.tasks.forecast._predicting import forecast_windows
from relembra.tasks.forecast._space import floors, in_logs

LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)

values = st.floats(-1e12, 1e12) | st.floats(1e-9, 1.0) | st.just(0.0) | st.just(float("nan"))


@given(
    series=st.lists(values, min_size=8, max_size=40).filter(lambda x: not np.isnan(x[-1])),
    seed=st.integers(0, 1000),
    size=st.sampled_from([0.0, 1.0, 5.0]),
    factors=st.lists(st.floats(0.25, 4.0), min_size=7, max_size=7),
    cell=st.sampled_from(["lstm", "gru", "rnn", "feedforward"]),
)
def test_any_network_on_any_series(series, seed, size, factors, cell):
    panel = panel_of(series)
    until = panel.observed_lengths
    plan = make_plan(panel, until, horizon=3, context=8, seasons=(4,), space="auto")
    network = make_network(panel, plan, Trunk(cell=cell, units=3), LEVELS, seed)
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(size)
    factors[3] = 1.0
    fitted = Fitted(network, Standardizer.fit(panel), torch.tensor(factors).double(), None, None, 1)
    batch = forecast_batch(panel, WindowSpec(plan.context, 3), [0])
    own = np.array([0])
    logs, floor = in_logs(panel, own, until, "auto"), floors(panel, own, until)
    quantiles, mean = forecast_windows(fitted, batch, plan, LEVELS, logs, floor)
    assert np.isfinite(quantiles).all()
    assert np.isfinite(mean).all()
    assert (np.diff(quantiles, axis=2) >= 0).all()
    slack = 1e-12 * np.abs(quantiles).max()
    assert (mean >= quantiles[:, :, 0] - slack).all()
    assert (mean <= quantiles[:, :, -1] + slack).all()
    assert (quantiles >= floor[0]).all()


@given(
    quantiles=st.lists(st.floats(-1e6, 1e6), min_size=7, max_size=7).map(sorted),
    factors=st.lists(st.floats(0.25, 4.0), min_size=7, max_size=7),
)
def test_calibration_keeps_the_order_and_the_median(quantiles, factors):
    factors[3] = 1.0
    before = torch.tensor([quantiles], dtype=torch.float64)
    after = calibrate(before, torch.tensor(factors, dtype=torch.float64), LEVELS)
    assert (after.diff(dim=1) >= 0).all()
    assert after[0, 3] == before[0, 3]


@pytest.mark.parametrize("width", [0.4, 0.7, 1.6, 3.0])
def test_calibration_brings_the_coverage_near_the_level(width):
    chance = np.random.default_rng(3)
    target = torch.from_numpy(chance.standard_normal(4000))
    exact = torch.distributions.Normal(0.0, 1.0).icdf(torch.tensor(LEVELS).double())
    forecast = (width * exact).expand(4000, 7)
    factors = fit_calibration(target[:2000], forecast[:2000], LEVELS)
    calibrated = calibrate(forecast, factors, LEVELS)

    def covered(quantiles):
        fresh = target[2000:]
        inside = (fresh >= quantiles[2000:, 1]) & (fresh <= quantiles[2000:, 5])
        return inside.double().mean().item()

    assert abs(covered(forecast) - 0.8) > 0.1
    assert abs(covered(calibrated) - 0.8) < 0.03


def test_calibration_does_little_with_few_observations_and_nothing_with_none():
    forecast = torch.tensor([[-1.0, 0.0, 1.0]], dtype=torch.float64)
    far = fit_calibration(torch.tensor([100.0]).double(), forecast, (0.1, 0.5, 0.9))
    assert far.tolist() == pytest.approx([(50 + 0.25) / 51, 1.0, (50 + 4) / 51])
    none = fit_calibration(torch.empty(0).double(), torch.empty(0, 3).double(), (0.1, 0.5, 0.9))
    assert none.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("levels", [(0.5,), (0.01, 0.5), (0.3, 0.5, 0.6, 0.999)])
def test_other_levels(levels):
    forecast = tiny(levels=levels).fit(wave()).forecast()
    assert forecast.quantiles.shape == (1, 4, len(levels))
    assert (np.diff(forecast.quantiles, axis=2) >= 0).all()
    assert np.array_equal(forecast.median, forecast.quantiles[:, :, levels.index(0.5)])
