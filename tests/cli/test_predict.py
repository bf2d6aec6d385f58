"""`relembra predict`: a saved model on new data."""

import csv
import json

import numpy as np
import pytest
from tests.cli.conftest import rows

from relembra.tasks import Forecaster


@pytest.fixture
def model(forecast, sales):
    forecast(sales, "--windows", "0", "--out", "trained", "--horizon", "4")
    return "trained/model.safetensors"


def test_what_follows_new_data(relembra, model, folder):
    (folder / "later.csv").write_text("\n".join(rows(75, seed=1)))
    outcome = relembra("predict", model, "later.csv")
    assert outcome.code == 0
    assert "forecast: runs/predict-later-1/forecast.csv" in outcome.out
    with open("runs/predict-later-1/forecast.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["month"] for row in table] == ["1996-04", "1996-05", "1996-06", "1996-07"]
    expected = Forecaster.load(model).predict("later.csv")
    assert np.array_equal([float(row["sales"]) for row in table], expected)


def test_the_same_data_give_the_same_file_as_in_training(relembra, model, sales, folder):
    relembra("predict", model, sales, "--out", "again")
    again, first = (folder / name / "forecast.csv" for name in ("again", "trained"))
    assert again.read_bytes() == first.read_bytes()


def test_json(relembra, model, sales):
    outcome = relembra("predict", model, sales, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    result = json.loads(outcome.out)
    assert result["files"] == {"forecast": "runs/predict-sales-1/forecast.csv"}
    assert (result["horizon"], result["series"]) == (4, 1)


def test_quiet_and_force(relembra, model, sales, snapshot):
    quiet = relembra("predict", model, sales, "--out", "here", "--quiet")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    before = snapshot()
    refused = relembra("predict", model, sales, "--out", "here")
    assert refused.code == 2
    assert "here/forecast.csv exists" in refused.err
    assert snapshot() == before
    assert relembra("predict", model, sales, "--out", "here", "--force").code == 0


def test_columns_of_another_name_are_an_error(relembra, model, folder, snapshot):
    (folder / "other.csv").write_text("\n".join(["month,revenue", *rows()[1:]]))
    before = snapshot()
    outcome = relembra("predict", model, "other.csv")
    assert outcome.code == 2
    assert outcome.err == (
        "error: other.csv: there is no column 'sales'; the columns are 'month', 'revenue'\n"
    )
    assert snapshot() == before


def test_options_of_other_jobs_are_refused(relembra, model, sales, snapshot):
    before = snapshot()
    for option in ("--text", "--part", "--column"):
        outcome = relembra("predict", model, sales, option, "sales")
        assert outcome.code == 2
        assert f"{option} means nothing to a model for 'forecast'" in outcome.err
    assert snapshot() == before
