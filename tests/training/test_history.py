"""Tests of History."""

import json

from relembra.training import History, HistoryRow

ROWS = [
    HistoryRow(10, 0, 0.5, 0.7, 1e-3, 0.1),
    HistoryRow(20, 1, 0.4, 0.0, 1e-3, 0.2),
    HistoryRow(30, 1, 0.3, 0.0, 1e-3, 0.3),
]


def test_columns_survive_json():
    columns = json.loads(json.dumps(History(ROWS).to_dict()))
    assert columns["step"] == [10, 20, 30]
    assert columns["validation"] == [0.7, 0.0, 0.0]
    assert History.from_dict(columns, "steps") == History(ROWS, "steps")


def test_it_is_a_sequence_of_rows():
    history = History(ROWS)
    assert len(history) == 3
    assert list(history) == ROWS
    assert history[-1] is ROWS[2]


def test_the_best_row_is_the_first_lowest():
    assert History(ROWS).best is ROWS[1]
    assert History().best is None
    assert History([HistoryRow(1, 0, 0.5, None, 1e-3, 0.1)]).best is None
