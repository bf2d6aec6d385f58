"""`relembra demo`, with a training that takes a moment."""

import json
from importlib import resources

import pytest

import relembra.tasks.forecast
from relembra.training import Training


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    training = Training(steps=2, batch_size=8, patience=None)
    monkeypatch.setattr(relembra.tasks.forecast, "DEFAULT_TRAINING", training)


def test_it_ends_by_naming_the_files_to_open(relembra, folder):
    outcome = relembra("demo")
    assert (outcome.code, outcome.err) == (0, "")
    last = " ".join(outcome.out.split())
    assert "Open runs/demo-monthly-1/report.html in a browser" in last
    for name in ("report.html", "forecast.csv", "model.safetensors"):
        assert (folder / "runs/demo-monthly-1" / name).exists()


def test_json_and_out(relembra, folder):
    outcome = relembra("demo", "--json", "--out", "here")
    assert outcome.code == 0
    result = json.loads(outcome.out)
    assert result["data"]["series"] > 1
    assert result["files"]["report"] == "here/report.html"
    again = relembra("demo", "--out", "here")
    assert again.code == 2
    assert "exists" in again.err


def test_without_sktime_it_says_how_to_install_it_and_leaves_nothing(relembra, folder, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(resources, "files", missing)
    outcome = relembra("demo")
    assert (outcome.code, outcome.out) == (2, "")
    assert 'pip install "relembra[demo]"' in outcome.err
    assert list(folder.iterdir()) == []
