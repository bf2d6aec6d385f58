"""Tables and sentences made of scores."""

from __future__ import annotations

import math

import pytest

from relembra import DataError
from relembra.report import Best, format_number, score_table, verdict

ROWS = [
    {"model": "LSTM", "mase": 0.9, "coverage_80": 0.74, "n_windows": 12, "n_undefined": 0},
    {"model": "naive", "mase": 1.2, "coverage_80": 0.83, "n_windows": 12, "n_undefined": 0},
]


def test_best_is_lowest_error_and_nearest_coverage():
    table = score_table(ROWS)
    assert table.header == ["Model", "MASE", "80 % coverage", "Windows"]
    assert table.rows == [["LSTM", "0.9000", "74.0 %", "12"], ["naive", "1.200", "83.0 %", "12"]]
    best = [[isinstance(cell, Best) for cell in row] for row in table.rows]
    assert best == [[False, True, False, False], [False, False, True, False]]


def test_one_model_alone_is_not_the_best():
    assert not any(isinstance(cell, Best) for row in score_table(ROWS[:1]).rows for cell in row)


def test_undefined_scores_are_dashes_and_explained():
    rows = [{"model": "a", "mase": math.nan, "mae": 1.0, "n_windows": 4, "n_undefined": 3}]
    table = score_table([*rows, {**rows[0], "model": "b", "mase": 0.5}])
    assert [row[1] for row in table.rows] == ["–", "0.5000"]
    assert "undefined in 3 of the windows" in table.note


def test_unlike_numbers_of_windows_are_said():
    assert "same number of windows" not in score_table(ROWS).note
    assert "same number of windows" in score_table([ROWS[0], {**ROWS[1], "n_windows": 11}]).note


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (None, "–"),
        (math.inf, "–"),
        (1234.5678, "1,235"),
        (-0.00123456, "-0.001235"),
        (1.5e-9, "1.500e-09"),
        (12345, "12,345"),
    ],
)
def test_numbers_for_people(value, text):
    assert format_number(value) == text


@pytest.mark.parametrize(
    ("ours", "theirs", "sentence"),
    [
        (0.77, 1.0, "M beats B: its MASE is 23 % lower (0.7700 against 1.000)."),
        (
            1.05,
            1.0,
            "B is better here: the MASE of M is 5.0 % higher (1.050 against 1.000). Use B.",
        ),
        (
            0.995,
            1.0,
            "M and B are equally good here: MASE differs by less than 1 % (0.9950 against 1.000).",
        ),
        (math.nan, 1.0, "M and B cannot be compared: MASE is undefined here."),
        (1.0, 0.0, "B is better here: the MASE of M is higher (1.000 against 0). Use B."),
    ],
)
def test_verdict_says_it_plainly(ours, theirs, sentence):
    rows = [{"model": "M", "mase": ours}, {"model": "B", "mase": theirs}]
    assert verdict(rows, "M", "B") == sentence


def test_verdict_needs_both_models():
    with pytest.raises(DataError, match="no row for 'GRU'; rows: LSTM, naive"):
        verdict(ROWS, "GRU", "naive")
