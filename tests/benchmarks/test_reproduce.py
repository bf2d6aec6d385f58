"""The recipes' tables between their comments, and nothing else of the page changed."""

import argparse
import importlib
import json
import math
import subprocess
from pathlib import Path

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
def test_every_recipe_takes_its_options(name, monkeypatch, capsys):
    recipe = reproduce.RECIPES[name]
    words = recipe.command(None, [0, 1])
    assert words[1] == f"benchmarks.quality.{recipe.module}"
    # What a parser does not know, or allow, it says before it helps.
    monkeypatch.setattr("sys.argv", [name, *words[2:], "--json", "FILE", "--help"])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(words[1]).main()
    assert ended.value.code == 0
    assert "--json FILE" in capsys.readouterr().out


def test_a_variant_has_its_options_and_its_own_table(tmp_path, capsys):
    assert len({recipe.title for recipe in reproduce.RECIPES.values()}) == len(reproduce.RECIPES)
    commands = [recipe.command(None, [0]) for recipe in reproduce.RECIPES.values()]
    assert all(commands.count(words) == 1 for words in commands)
    page = tmp_path / "results.md"
    page.write_text(PAGE)
    reproduce.reproduce(["mnist", "mnist_pixels"], None, [7], page, run)
    text = page.read_text()
    data = "--data DATA/seq_classification/mnist"
    assert f"quality.mnist {data} --seeds 7\n" in text
    assert f"quality.mnist {data} --order pixels --seeds 7\n" in text
    assert text.count("reproduce: mnist -->") == text.count("reproduce: mnist_pixels -->") == 2
    assert reproduce.main(["--list"]) == 0
    listed = capsys.readouterr().out
    assert "letters_strokes   Letters of fonts, as strokes" in listed
    assert "needs the installed fonts" in listed


def test_the_scores_come_from_the_command_of_the_recipe(monkeypatch):
    seen = []

    def pretend(words, check):
        seen.extend(words[1:-1])
        Path(words[-1]).write_text(json.dumps(SCORES))

    monkeypatch.setattr(subprocess, "run", pretend)
    assert reproduce.run("fsdd_speakers", Path("here"), [3]) == SCORES
    expected = "-m benchmarks.quality.fsdd --data here/ctc/fsdd --split speakers --seeds 3 --json"
    assert seen == expected.split()


def test_scores_as_json(tmp_path):
    path = tmp_path / "scores.json"
    write_scores(argparse.Namespace(json=path), [{"model": "m", "seed": 1, "nats": math.nan}])
    assert json.loads(path.read_text()) == [{"model": "m", "seed": 1, "nats": None}]
    write_scores(argparse.Namespace(json=None), [])
