"""The recipes' tables between their comments, and nothing else of the page changed."""

import argparse
import importlib
import json
import math
import subprocess

import pytest
from benchmarks import reproduce
from benchmarks.quality._scores import write_scores

SCORES = [
    {"model": "lstm", "seed": 0, "error": 0.04},
    {"model": "lstm", "seed": 1, "error": 0.06},
    {"model": "a | b", "seed": 0, "error": None},
]
PAGE = "# Results\n\nBefore.\n\n<!-- reproduce: uea -->\nold\n<!-- /reproduce: uea -->\n\nAfter.\n"


def run(name, data, seeds):
    if name == "told_br":
        raise subprocess.CalledProcessError(3, [name])
    return SCORES


def test_a_table_is_put_between_its_comments(tmp_path, capsys):
    page = tmp_path / "results.md"
    page.write_text(PAGE)
    failed = reproduce.reproduce(["uea", "told_br", "splice"], None, [0, 1], page, run)
    assert failed == ["told_br"]
    text = page.read_text()
    assert text.startswith("# Results\n\nBefore.\n\n<!-- reproduce: uea -->\n| model | error |")
    assert "old\n" not in text and "told_br" not in text
    assert "\nAfter.\n\n## Reproduced\n" in text
    assert "### DNA splice junctions\n\n<!-- reproduce: splice -->\n| model" in text
    assert "| lstm | 0.0500 ± 0.0141 | 0 1 |" in text
    assert r"| a \| b |  | 0 |" in text
    assert "--data DATA/seq_classification/uea --seeds 0 1\n```" in text
    assert "PyTorch 2." in text
    again = reproduce.inserted(text, "splice", "new")
    assert again.count("reproduce: splice") == 2 and again.count("## Reproduced") == 1
    assert reproduce.inserted(again, "splice", "new") == again
    assert list(tmp_path.iterdir()) == [page]


def test_comments_that_do_not_pair_are_refused():
    for page in ("<!-- reproduce: uea -->", "<!-- /reproduce: uea --> <!-- reproduce: uea -->"):
        with pytest.raises(ValueError, match="each once"):
            reproduce.inserted(page, "uea", "")


def test_what_cannot_be_reproduced(tmp_path, capsys):
    page = tmp_path / "results.md"
    page.write_text(PAGE)
    known = ["--results", str(page), "--data", str(tmp_path)]
    for words, message in (
        (["tea"], "no recipe 'tea'; known: m4_hourly"),
        (["uea"], "uea reads the folder seq_classification/uea of --data"),
        (["what_happens", "--results", str(tmp_path / "no.md")], "is no file"),
    ):
        with pytest.raises(SystemExit):
            reproduce.main([*known, *words])
        assert message in capsys.readouterr().err
    assert page.read_text() == PAGE


@pytest.mark.parametrize("name", reproduce.RECIPES)
def test_every_recipe_takes_the_options(name, monkeypatch, capsys):
    recipe = importlib.import_module(f"benchmarks.quality.{name}")
    monkeypatch.setattr("sys.argv", [name, "--help"])
    with pytest.raises(SystemExit):
        recipe.main()
    text = capsys.readouterr().out
    assert "--json FILE" in text and "--seeds" in text and "--data" in text


def test_scores_as_json(tmp_path):
    path = tmp_path / "scores.json"
    write_scores(argparse.Namespace(json=path), [{"model": "m", "seed": 1, "nats": math.nan}])
    assert json.loads(path.read_text()) == [{"model": "m", "seed": 1, "nats": None}]
    write_scores(argparse.Namespace(json=None), [])
