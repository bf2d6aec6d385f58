"""`relembra forecast`: what it prints, what it writes and where."""

import csv
import json

import pytest

from relembra.tasks import Forecaster


def test_people_read_what_was_found_and_where_it_is(forecast, sales, folder):
    outcome = forecast(sales)
    assert outcome.code == 0
    assert outcome.err == ""
    for text in ("60 rows, 1 series, monthly", "Backtest", "lstm", "seasonal naive", "MASE"):
        assert text in outcome.out
    run = folder / "runs" / "forecast-sales-1"
    for name in ("forecast.csv", "model.safetensors", "report.html"):
        assert f"runs/forecast-sales-1/{name}" in outcome.out
        assert (run / name).stat().st_size > 0


def test_the_forecast_goes_on_in_the_form_of_the_input(forecast, sales, folder):
    forecast(sales, "--windows", "0")
    with open("runs/forecast-sales-1/forecast.csv", newline="") as file:
        table = list(csv.reader(file))
    assert table[0][:3] == ["month", "sales", "sales_mean"]
    assert [row[0] for row in table[1:4]] == ["1995-01", "1995-02", "1995-03"]
    levels = [name.removeprefix("sales_q") for name in table[0][3:]]
    assert levels == ["2.5", "10", "25", "50", "75", "90", "97.5"]
    for row in table[1:]:
        numbers = [float(cell) for cell in row[3:]]
        assert numbers == sorted(numbers)
        assert float(row[1]) == numbers[3]


def test_json_is_one_object_and_nothing_else(forecast, sales):
    outcome = forecast(sales, "--json")
    assert outcome.code == 0
    assert outcome.err == ""
    assert len(outcome.out.splitlines()) == 1
    result = json.loads(outcome.out)
    assert result["job"] == "forecast"
    assert set(result["metrics"]) == {"lstm", "feedforward", "seasonal naive", "random walk"}
    assert {"MASE", "sMAPE", "WQL", "coverage_80"} <= set(result["metrics"]["lstm"])
    assert result["files"]["model"] == "runs/forecast-sales-1/model.safetensors"
    assert result["horizon"] == 10
    assert result["data"]["rows"] == 60


def test_json_has_null_where_a_score_is_undefined(forecast, folder):
    flat = folder / "flat.csv"
    flat.write_text("month,sales\n" + "".join(f"{i},5\n" for i in range(60)))
    outcome = forecast(flat, "--json", "--no-compare")
    assert outcome.code == 0
    result = json.loads(outcome.out, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    assert result["metrics"]["lstm"]["MASE"] is None
    assert any("undefined" in line for line in result["verdict"])


def test_quiet_prints_nothing(forecast, sales, folder):
    outcome = forecast(sales, "--quiet", "--windows", "0")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert (folder / "runs/forecast-sales-1/report.html").exists()


def test_fresh_folders_are_numbered(forecast, relembra, sales, folder, snapshot):
    forecast(sales, "--windows", "0")
    first = snapshot()
    forecast(sales, "--windows", "0")
    relembra("predict", "runs/forecast-sales-1/model.safetensors", sales)
    assert sorted(path.name for path in (folder / "runs").iterdir()) == [
        "forecast-sales-1",
        "forecast-sales-2",
        "predict-sales-1",
    ]
    assert first.items() <= snapshot().items()


@pytest.mark.parametrize("out", ["new", "new/and/deep"])
def test_out_names_the_folder(forecast, sales, folder, out):
    assert forecast(sales, "--windows", "0", "--out", out).code == 0
    assert (folder / out / "forecast.csv").exists()
    assert not (folder / "runs").exists()


def test_results_are_replaced_only_by_force(forecast, sales, snapshot):
    forecast(sales, "--windows", "0", "--out", "here")
    before = snapshot()
    refused = forecast(sales, "--windows", "0", "--out", "here", "--seed", "1")
    assert refused.code == 2
    assert "here/forecast.csv exists" in refused.err
    assert snapshot() == before
    assert forecast(sales, "--windows", "0", "--out", "here", "--seed", "1", "--force").code == 0
    changed = {name for name, bits in snapshot().items() if bits != before[name]}
    assert {"here/forecast.csv", "here/model.safetensors", "here/report.html"} <= changed


def test_resume_replaces_only_the_results_of_its_own_run(forecast, relembra, sales, snapshot):
    forecast(sales, "--windows", "0", "--out", "a")
    relembra("predict", "a/model.safetensors", sales, "--out", "b")
    before = snapshot()
    refused = forecast(sales, "--windows", "0", "--out", "b", "--resume")
    assert refused.code == 2
    assert "b/forecast.csv exists" in refused.err
    other = forecast(sales, "--windows", "0", "--out", "a", "--resume", "--cell", "gru")
    assert other.code == 2
    assert "was made with other settings" in other.err
    assert snapshot() == before
    assert forecast(sales, "--windows", "0", "--out", "a", "--resume").code == 0
    assert snapshot() == before


def test_options_reach_the_model(forecast, sales):
    forecast(
        sales, "--cell", "gru", "--layers", "2", "--dropout", "0.2", "--horizon", "5",
        "--context", "24", "--season", "12", "--season", "6", "--space", "linear", "--seed", "7",
        "--windows", "0", "--out", "here", "--learning-rate", "0.01", "--threads", "1",
    )  # fmt: skip
    model = Forecaster.load("here/model.safetensors")
    assert (model.trunk.cell, model.trunk.units, model.trunk.layers) == ("gru", 3, 2)
    assert model.trunk.dropout == 0.2
    assert (model.horizon, model.context, model.seasons) == (5, 24, (12, 6))
    assert model.space == "linear"
    assert (model.training.seed, model.training.steps) == (7, 4)
    assert model.training.learning_rate == 0.01


def test_columns_that_are_named(forecast, folder):
    lines = ["day,shop,units,price,visits,kind"]
    for shop, kind in (("a", "big"), ("b", "small")):
        for i in range(50):
            units = "" if i >= 47 else 20 + i % 7 + (shop == "b")
            lines.append(f"{i + 1},{shop},{units},{1 + i % 3},{i % 5},{kind}")
    (folder / "shops.csv").write_text("\n".join(lines))
    outcome = forecast(
        "shops.csv", "--time", "day", "--series", "shop", "--target", "units", "--known", "price",
        "--past", "visits", "--static", "kind", "--horizon", "3", "--json", "--no-compare",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    with open(json.loads(outcome.out)["files"]["forecast"], newline="") as file:
        table = list(csv.DictReader(file))
    assert [(row["shop"], row["day"]) for row in table] == [
        (shop, day) for shop in "ab" for day in ("48", "49", "50")
    ]


def test_fewer_windows_than_asked_for_are_said(forecast, sales):
    outcome = forecast(sales, "--windows", "9", "--horizon", "6", "--no-compare")
    assert outcome.code == 0
    assert "7 backtest windows fit into the series, not 9" in outcome.out


def test_series_too_short_for_a_backtest_are_forecast_all_the_same(forecast, folder):
    (folder / "short.csv").write_text("t,y\n" + "".join(f"{i},{i % 3}\n" for i in range(8)))
    outcome = forecast("short.csv", "--horizon", "3")
    assert outcome.code == 0
    assert "no backtest: the series are too short" in outcome.out
    assert "There is no backtest" in outcome.out
