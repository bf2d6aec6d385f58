"""The same bits at every fit; order and company of the series do not matter."""

import numpy as np
import pandas as pd
import torch
from tests.tasks.small import digest, panel_of, tiny, wave

from relembra.tasks.forecast import Columns

DROPPING = {"trunk": {"dropout": 0.3}, "training": {"average": 0.9, "patience": 1}}


def test_two_fits_have_identical_bits():
    first, second = (tiny(**DROPPING).fit(wave()) for _ in range(2))
    assert digest(first) == digest(second)
    assert np.array_equal(first.forecast().quantiles, second.forecast().quantiles)
    assert np.array_equal(first.forecast().mean, first.forecast().mean)
    other = tiny(**DROPPING | {"training": {"seed": 1}}).fit(wave())
    assert digest(other) != digest(first)


def test_neither_the_callers_random_numbers_matter_nor_are_they_used_up():
    torch.manual_seed(1)
    np.random.seed(1)
    state = torch.get_rng_state()
    first = digest(tiny(**DROPPING).fit(wave()))
    assert torch.get_rng_state().equal(state)
    torch.manual_seed(2)
    np.random.seed(2)
    assert digest(tiny(**DROPPING).fit(wave())) == first


def test_the_order_of_the_rows_changes_no_bit():
    frame = pd.DataFrame(
        {
            "id": np.repeat(["a", "b"], 64),
            "ds": np.tile(pd.date_range("2020-01-01", periods=64, freq="D"), 2),
            "y": np.r_[wave(), wave(seed=1)],
        }
    )
    columns = Columns(time="ds", target="y", series="id")
    shuffled = frame.sample(frac=1.0, random_state=0)
    first, second = (tiny(columns=columns).fit(f) for f in (frame, shuffled))
    assert digest(first) == digest(second)
    assert np.array_equal(first.predict(shuffled), first.predict(frame))


def test_the_company_of_other_series_moves_a_forecast_by_float32_rounding_at_most():
    """Matrix products of one row and of many round differently, so bits are not promised."""
    series = [wave(seed=s, level=10.0 + s) for s in range(7)]
    model = tiny().fit_panel(panel_of(*series), np.full(7, 64))
    together = model.forecast(panel_of(*series)).quantiles
    for s, one in enumerate(series):
        alone = model.forecast(panel_of(one)).quantiles[0]
        np.testing.assert_allclose(alone, together[s], rtol=1e-6)
    backwards = model.forecast(panel_of(*series[::-1])).quantiles[::-1]
    np.testing.assert_allclose(backwards, together, rtol=1e-6)


def test_more_series_than_are_forecast_at_once(monkeypatch):
    series = panel_of(*(wave(seed=s) for s in range(5)))
    model = tiny().fit_panel(series, series.observed_lengths)
    whole = model.forecast().quantiles
    monkeypatch.setattr("relembra.tasks.forecast._forecaster._CHUNK", 2)
    np.testing.assert_allclose(model.forecast().quantiles, whole, rtol=1e-6)


def test_a_forecast_does_not_change_the_model():
    model = tiny().fit(wave())
    before, first = digest(model), model.forecast().quantiles
    model.forecast(wave(seed=5))
    model.score(wave(seed=6))
    assert digest(model) == before
    assert np.array_equal(model.forecast().quantiles, first)
