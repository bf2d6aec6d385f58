"""Nothing at or after the origin reaches a forecast; nothing held out reaches a fit."""

import dataclasses

import numpy as np
import pytest
from tests.tasks.small import digest, panel_of, tiny, wave

from relembra.data import Panel, WindowSpec, read_panel, window_batch
from relembra.tasks.forecast import backtest
from relembra.tasks.forecast._batches import prepare


@pytest.fixture(scope="module")
def panel() -> Panel:
    """Three series of unequal length with a covariate of each kind."""
    import pyarrow as pa

    chance = np.random.default_rng(1)
    lengths = (90, 70, 40)
    rows = sum(lengths)
    table = pa.table(
        {
            "id": np.repeat(["a", "b", "c"], lengths),
            "t": np.concatenate([np.arange(n) for n in lengths]),
            "y": np.concatenate([wave(n, seed=n) for n in lengths]),
            "k": chance.standard_normal(rows),
            "p": chance.standard_normal(rows),
        }
    )
    return read_panel(table, time="t", target="y", series="id", known=["k"], past=["p"])[0]


def changed(panel: Panel, begin: np.ndarray, *, covariates: bool = True) -> Panel:
    """Return the panel with other (positive) values from row `begin` of each series on."""
    parts = {name: getattr(panel, name).copy() for name in ("target", "known", "past")}
    for s, first in enumerate(begin):
        rows = slice(panel.offsets[s] + first, panel.offsets[s + 1])
        parts["target"][rows] = 7.0 + 3.0 * np.arange(rows.stop - rows.start)
        if covariates:
            parts["known"][rows] += 5.0
            parts["past"][rows] -= 9.0
    return dataclasses.replace(panel, **parts)


def test_a_forecast_sees_nothing_from_the_origin_on(panel):
    model = tiny().fit_panel(panel, panel.observed_lengths)
    series, origins = np.array([0, 1, 2]), np.array([50, 60, 30])
    before = model.forecast_from(panel, series, origins)
    # What is known ahead is meant to be seen: only targets and past covariates change here.
    other = changed(panel, origins, covariates=False)
    other.past[panel.offsets[:-1].repeat(5) + np.add.outer(origins, np.arange(5)).ravel()] = 99.0
    after = model.forecast_from(other, series, origins)
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    seen = model.forecast_from(changed(panel, origins - 1, covariates=False), series, origins)
    assert not np.array_equal(before[0], seen[0])  # the step before the origin does count


def test_features_of_a_training_window_come_from_its_context_alone(panel):
    model = tiny().fit_panel(panel, panel.observed_lengths)
    series, origins = np.array([0, 1, 2]), np.array([50, 60, 30])
    spec = WindowSpec(model.plan_.context, 4)

    def example(own):
        batch = window_batch(own, spec, series, origins)
        return prepare(
            batch, model.plan_, model.fitted_.standardizer, np.array([True, False, True])
        )

    first, second = example(panel), example(changed(panel, origins, covariates=False))
    for field in dataclasses.fields(first.scaled):
        a, b = getattr(first.scaled, field.name), getattr(second.scaled, field.name)
        assert a.equal(b), field.name
    assert first.covariates.context.equal(second.covariates.context)
    assert not first.target.equal(second.target)


def test_a_fit_sees_nothing_behind_its_end(panel):
    until = np.array([70, 55, 25])
    first = tiny().fit_panel(panel, until)
    assert digest(tiny().fit_panel(changed(panel, until), until)) == digest(first)
    assert digest(tiny().fit_panel(changed(panel, until - 1), until)) != digest(first)


def test_the_backtest_fits_no_model_on_held_out_values(panel):
    first = backtest(tiny(), panel, count=2)
    begin = first.held.before(panel.observed_lengths)
    second = backtest(tiny(), changed(panel, begin), count=2)
    assert digest(first.model) == digest(second.model)
    for a, b in zip(first.windows, second.windows, strict=True):
        assert np.array_equal(a.origins, b.origins)
        assert not np.array_equal(a.actual, b.actual)
    # Of the first window all that precedes the origin is the same, so all forecasts are, but for
    # known covariates.
    plain = dataclasses.replace(
        panel, known=np.zeros_like(panel.known), past=np.zeros_like(panel.past)
    )
    a = backtest(tiny(), plain, count=2).windows[0]
    b = backtest(tiny(), changed(plain, begin, covariates=False), count=2).windows[0]
    assert set(a.quantiles) == {"lstm", "feedforward", "random walk", "seasonal naive"}
    for name, quantiles in a.quantiles.items():
        assert np.array_equal(quantiles, b.quantiles[name]), name


def test_validation_values_never_enter_the_training_of_the_search():
    series = wave(90)
    other = series.copy()
    other[-10:] += np.linspace(1, 4, 10)  # at least so many steps are held out, see hold_out
    once = {"steps": 6, "evaluate_every": 6}  # one evaluation: there is nothing to choose
    fits = [tiny(refit=False, training=once).fit(y) for y in (series, other)]
    weights = [fit.fitted_.network.state_dict() for fit in fits]
    assert all(weights[0][name].equal(weights[1][name]) for name in weights[0])
    assert not fits[0].fitted_.factors.equal(fits[1].fitted_.factors)  # calibrated there
    assert fits[0].fitted_.search.best.validation != fits[1].fitted_.search.best.validation


def test_the_final_fit_takes_over_steps_and_calibration_of_the_earlier_one():
    panel = panel_of(wave(90), wave(80, seed=1))
    until = panel.observed_lengths
    early = tiny(training={"steps": 9, "patience": 1}).fit_panel(panel, until - 10)
    final = tiny(training={"steps": 9, "patience": 1}).fit_panel(panel, until, known=early.fitted_)
    assert final.fitted_.steps == early.fitted_.steps
    assert final.fitted_.factors.equal(early.fitted_.factors)
    assert final.fitted_.search is None
    plain = tiny(training={"steps": early.fitted_.steps}).fit_panel(
        panel, until, known=early.fitted_
    )
    assert digest(plain) == digest(final)
    assert digest(final) != digest(early)
