"""Figures: valid for Plotly, true to the numbers, and small."""

from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go
import pytest

from relembra import DataError
from relembra.report import (
    BacktestView,
    HeldOut,
    Report,
    SeriesView,
    backtest_figure,
    fan_figure,
    horizon_figure,
    pick_series,
    training_figure,
)

LEVELS = [0.025, 0.1, 0.5, 0.9, 0.975]


def view(n=30, horizon=3, times=None, **options):
    times = np.arange(n + horizon) if times is None else times
    quantiles = np.arange(horizon)[:, None] + np.array([-2.0, -1, 0, 1, 2])
    history = np.arange(float(n))
    return SeriesView("a", times[:n], history, times[n:], quantiles, LEVELS, **options)


def only(choice):
    return choice.options[0][1]


def traces(figure):
    return {trace["name"]: trace for trace in figure["data"]}


def test_fan_has_the_quantiles_where_they_belong():
    drawn = traces(only(fan_figure([view(mean=[5.0, 6.0, 7.0])])))
    assert list(drawn) == [
        "95 % interval",
        "80 % interval",
        "history",
        "median forecast",
        "mean forecast",
    ]
    assert drawn["80 % interval"]["x"] == [30, 31, 32, 32, 31, 30]
    assert drawn["80 % interval"]["y"] == [1.0, 2.0, 3.0, 1.0, 0.0, -1.0]
    assert drawn["95 % interval"]["y"] == [2.0, 3.0, 4.0, 0.0, -1.0, -2.0]
    assert drawn["median forecast"]["y"] == [0.0, 1.0, 2.0]
    assert drawn["mean forecast"]["y"] == [5.0, 6.0, 7.0]


def test_other_levels_give_the_two_widest_intervals():
    levels = [0.05, 0.2, 0.25, 0.75, 0.8, 0.95]
    one = SeriesView("a", [0], [1.0], [1], [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]], levels)
    assert list(traces(only(fan_figure([one])))) == ["90 % interval", "60 % interval", "history"]


def test_missing_values_break_the_line():
    one = SeriesView("a", [0, 1], [1.0, math.nan], [2], [[1.0]], [0.5])
    assert traces(only(fan_figure([one])))["history"]["y"] == [1.0, None]


def test_a_long_history_is_cut_and_the_note_says_so():
    choice = fan_figure([view(n=5000)])
    assert len(traces(only(choice))["history"]["x"]) == 2000
    assert traces(only(choice))["history"]["x"][-1] == 4999
    assert choice.note == (
        "Of long histories the last 2,000 points are drawn (the longest has 5,000)."
    )


def test_figures_open_on_the_recent_part():
    layout = only(fan_figure([view(n=100)]))["layout"]
    assert layout["xaxis"]["range"] == [76, 102]
    assert layout["yaxis"]["range"][1] > 99
    assert layout["meta"] == {"zoomed": True}
    assert "meta" not in only(fan_figure([view(n=10)]))["layout"]


@pytest.mark.parametrize(
    ("start", "step", "first", "kind"),
    [
        ("1949-01", "M", "1949-01-01", "date"),
        ("2024-01-01T13", "h", "2024-01-01T13:00", "date"),
        ("2024-01-01T00:00:00.250", "ms", "2024-01-01T00:00:00.250", "date"),
    ],
)
def test_dates_become_iso_text(start, step, first, kind):
    figure = only(fan_figure([view(times=np.datetime64(start, step) + np.arange(33))]))
    assert traces(figure)["history"]["x"][0] == first
    assert figure["layout"]["xaxis"]["type"] == kind


def test_labels_stay_in_the_order_of_time():
    labels = [f"{1 + i // 12}-{1 + i % 12:02d}" for i in range(33)]
    layout = only(fan_figure([view(times=labels)]))["layout"]
    assert layout["xaxis"]["type"] == "category"
    assert layout["xaxis"]["categoryarray"] == labels
    assert layout["xaxis"]["range"] == [6, 32]


def test_of_many_series_the_worst_and_a_sample_are_shown():
    errors = [float(i) for i in range(200)]
    chosen = pick_series(errors, 10)
    assert len(set(chosen)) == 10
    assert chosen[-5:] == [195, 196, 197, 198, 199]
    assert chosen[0] == 0
    choice = fan_figure([view(error=error) for error in errors], limit=10)
    assert len(choice.options) == 10
    assert choice.options[-1][0] == "a (MASE 199.0)"
    assert choice.note.startswith("10 of 200 series are shown: half of them those with the largest")


def test_picking_without_errors_is_even_and_undefined_errors_come_last():
    assert pick_series([None] * 9, 3) == [0, 4, 8]
    assert pick_series([1.0, math.nan, 3.0, None, 2.0], 3) == [2, 3, 4]
    assert pick_series([None, 1.0], 5) == [0, 1]


def test_views_already_picked_state_the_total():
    choice = fan_figure([view(), view()], total=10_000)
    assert choice.note == "2 of 10,000 series are shown: spread evenly over all."


def test_backtest_shows_each_model_from_each_origin():
    held = [
        HeldOut([6, 7], {"LSTM": [1.0, 2.0], "naive": [3.0, 3.0]}, [0.0, 0.0], [4.0, 4.0]),
        HeldOut([8, 9], {"LSTM": [5.0, 6.0], "naive": [7.0, math.nan]}, [1.0, 1.0], [8.0, 8.0]),
    ]
    figure = only(backtest_figure([BacktestView("a", range(10), np.arange(10.0), held)]))
    assert [trace["name"] for trace in figure["data"]] == [
        "80 % interval of LSTM",
        "80 % interval of LSTM",
        "actual",
        "LSTM",
        "naive",
    ]
    assert [trace.get("showlegend", True) for trace in figure["data"]][:2] == [True, False]
    drawn = traces(figure)
    assert drawn["LSTM"]["x"] == [6, 7, 7, 8, 9, 9]
    assert drawn["LSTM"]["y"] == [1.0, 2.0, None, 5.0, 6.0, None]
    assert drawn["naive"]["y"] == [3.0, 3.0, None, 7.0, None, None]
    assert [shape["x0"] for shape in figure["layout"]["shapes"]] == [6, 8]


def test_backtest_always_draws_what_was_tested():
    held = [HeldOut(range(o, o + 100), {"m": np.zeros(100)}) for o in range(400, 1000, 100)]
    views = [BacktestView(str(i), range(1000), np.zeros(1000), held) for i in range(60)]
    choice = backtest_figure(views)
    assert len(choice.options) == 50
    assert traces(only(choice))["actual"]["x"][0] == 0


def test_error_by_horizon_counts_from_one():
    figure = horizon_figure({"LSTM": [0.5, math.nan]}, metric="sMAPE", unit="months")
    assert figure["data"][0]["x"] == [1, 2]
    assert figure["data"][0]["y"] == [0.5, None]
    assert figure["layout"]["yaxis"]["title"]["text"] == "sMAPE"
    assert figure["layout"]["xaxis"]["title"]["text"] == "Ahead (months)"


def test_long_training_is_averaged():
    figure = training_figure(range(1, 4002), np.arange(4001.0), [2000], [7.0], best_step=2000)
    drawn = traces(figure)
    assert drawn["training"]["x"][:2] == [2.0, 5.0]
    assert drawn["training"]["y"][:2] == [1.0, 4.0]
    assert len(drawn["training"]["x"]) == 1334
    assert drawn["held out"]["y"] == [7.0]
    assert drawn["weights kept (step 2,000)"]["x"] == [2000, 2000]


def test_names_with_markup_are_plain_text_in_figures():
    hostile = "<a href='http://evil.example'>m</a>"
    backtest = BacktestView("a", [0, 1], [0, 0], [HeldOut([1], {hostile: [1.0]})])
    for figure in (horizon_figure({hostile: [1.0]}), only(backtest_figure([backtest]))):
        assert figure["data"][-1]["name"].startswith("&lt;a href")


def test_plotly_accepts_every_figure():
    held = [HeldOut([28, 29], {"m": [1.0, 2.0]}, [0.0, 0.0], [3.0, 3.0])]
    for figure in (
        only(fan_figure([view(n=100, mean=[1.0, 2.0, 3.0])])),
        only(fan_figure([view(times=[str(i) for i in range(33)])])),
        only(backtest_figure([BacktestView("a", range(30), np.zeros(30), held)])),
        horizon_figure({"m": [1.0, 2.0]}),
        training_figure([1, 2], [3.0, 4.0], [2], [5.0], best_step=2),
    ):
        assert len(go.Figure(figure).data) == len(figure["data"])


def test_empty_and_tiny_inputs_are_drawn():
    assert only(fan_figure([view(n=0)]))["data"][2]["x"] == []
    assert training_figure([], [])["data"][0]["y"] == []
    assert horizon_figure({})["data"] == []
    assert only(backtest_figure([BacktestView("", [0], [1.0])]))["data"][0]["name"] == "actual"
    report = Report("x")
    report.add_figure("y", backtest_figure([BacktestView("", [0], [1.0])]))
    assert "(unnamed)" not in report.html()


def test_lengths_that_do_not_fit_name_the_series():
    with pytest.raises(DataError, match=r"series 'a': expected quantiles of shape \(1, 1\)"):
        fan_figure([SeriesView("a", [0], [1.0], [1], [[1.0], [2.0]], [0.5])])
    with pytest.raises(DataError, match=r"series 'a': 2 times, but values \(1,\)"):
        fan_figure([SeriesView("a", [0, 1], [1.0], [2], [[1.0]], [0.5])])
    with pytest.raises(DataError, match=r"series 'b': 1 times"):
        backtest_figure([BacktestView("b", [0], [1.0, 2.0])])
