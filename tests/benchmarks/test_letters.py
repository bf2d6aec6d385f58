"""The recipe of letters writes its scores, and says what it lacks."""

import json
import sys

import numpy as np
import pytest
from benchmarks.quality import _packages, letters


@pytest.fixture
def fonts(monkeypatch):
    """Five families that look alike, one of which is for the test, and a copy of each letter."""
    font = letters.ImageFont.load_default(letters.DRAWN)
    monkeypatch.setattr(letters, "families", lambda folder: {f"f{k}": [font] for k in range(5)})
    monkeypatch.setattr(letters, "COPIES", 1)


def recipe(monkeypatch, *words):
    monkeypatch.setattr("sys.argv", ["letters", *map(str, words)])
    letters.main()


def test_scores_are_written(fonts, monkeypatch, tmp_path, capsys):
    kept = tmp_path / "scores.json"
    recipe(monkeypatch, "--steps", 2, "--seeds", 0, 3, "--json", kept)
    rows = json.loads(kept.read_text())
    assert [(row["model"], row["seed"]) for row in rows] == [("lstm", 0), ("lstm", 3)]
    assert all(0 <= row["accuracy"] <= 1 and len(row) == 3 for row in rows)
    assert "mean ± sd" in capsys.readouterr().out


def test_strokes_without_their_package_say_how_to_get_it(fonts, monkeypatch):
    for name in ("skimage", "skimage.morphology"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SystemExit, match=r"needs scikit-image .*\.\[quality\]"):
        recipe(monkeypatch, "--form", "strokes")
    with pytest.raises(SystemExit, match=r"needs no_such_package \(No module named"):
        _packages.needed("no_such_package.part")
    assert _packages.needed("numpy") is np
