"""What a backtest measures, and on which steps."""

import numpy as np
import pytest
from tests.tasks.small import panel_of, tiny, wave

from relembra._errors import ConfigError, DataError
from relembra.evaluation import mase, seasonal_naive
from relembra.tasks.forecast import backtest, verdict_lines


@pytest.fixture(scope="module")
def tested():
    return backtest(tiny(), panel_of(wave(90), wave(60, seed=1), wave(12, seed=2)), count=3)


def test_windows_follow_on_each_other_and_end_with_the_series(tested):
    assert (tested.held.count, tested.held.stride, tested.held.horizon) == (3, 4, 4)
    assert [w.origins.tolist() for w in tested.windows] == [[78, 48], [82, 52, 4], [86, 56, 8]]
    assert [w.series.tolist() for w in tested.windows] == [[0, 1], [0, 1, 2], [0, 1, 2]]
    series = (wave(90), wave(60, seed=1), wave(12, seed=2))
    for window in tested.windows:
        for s, origin, actual in zip(window.series, window.origins, window.actual, strict=True):
            assert np.array_equal(actual, series[s][origin : origin + 4])


def test_the_baseline_is_the_one_that_everybody_can_compute(tested):
    y = wave(90)
    expected = [mase(y[o : o + 4], seasonal_naive(y[:o], 8, 4), y[:o], 8) for o in (78, 82, 86)]
    got = tested.scores.by_series("mase")["seasonal naive"]["s0"]
    assert got == pytest.approx(np.mean(expected))


def test_every_model_is_scored_on_the_same_windows(tested):
    rows = tested.scores.table()
    assert {row["model"] for row in rows} == {
        "lstm",
        "feedforward",
        "seasonal naive",
        "random walk",
    }
    assert {row["n_windows"] for row in rows} == {8}
    assert (
        "3 windows of 4 steps at the end of each series, 4 steps apart" in verdict_lines(tested)[-1]
    )


def test_without_comparison_and_without_season():
    panel = panel_of(wave(60))
    alone = backtest(tiny(seasons=(1,)), panel, compare=False)
    assert alone.without_memory is None
    assert alone.baseline == "random walk"
    assert set(alone.windows[0].quantiles) == {"lstm", "random walk"}
    assert backtest(tiny(cell="feedforward"), panel).without_memory is None


def test_a_flat_series_has_no_mase_but_does_no_harm():
    tested = backtest(tiny(), panel_of(np.full(60, 3.0), wave(60)), compare=False)
    errors = tested.scores.by_series("mase")["lstm"]
    assert np.isnan(errors["s0"])
    assert np.isfinite(errors["s1"])
    assert all("nan" not in line for line in verdict_lines(tested))


def test_only_a_flat_series():
    tested = backtest(tiny(), panel_of(np.full(60, 3.0)), compare=False)
    lines = verdict_lines(tested)
    assert any("undefined" in line for line in lines)


@pytest.mark.parametrize("count", [0, -1])
def test_a_number_of_windows_that_is_none(count):
    with pytest.raises(ConfigError, match=f"a backtest needs at least 1 window, got {count}"):
        backtest(tiny(), panel_of(wave(60)), count=count)


def test_series_too_short_to_hold_a_window_out():
    with pytest.raises(DataError, match="horizon 4 needs a series of at least 13 steps; .* has 12"):
        backtest(tiny(), panel_of(wave(12)))
