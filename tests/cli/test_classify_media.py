"""Folders of recordings, images and clips on the command line."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest
from tests.tasks.test_classify_media import clips, images, recordings

from relembra.tasks import Classifier

QUICK = (
    "--steps", "60", "--units", "6", "--batch-size", "8", "--learning-rate", "0.02",
    "--no-compare", "--test-share", "0.25", "--out", "trained", "--json",
)  # fmt: skip


@pytest.mark.parametrize("make", [recordings, images, clips])
def test_a_folder_is_trained_on_predicted_and_evaluated(make, relembra, folder) -> None:
    data = make(folder / "data")
    outcome = relembra("train", "classify", "data", *QUICK)
    assert (outcome.code, outcome.err) == (0, "")
    found = json.loads(outcome.out)
    assert found["metrics"]["accuracy"] >= 0.75
    model = Classifier.load(found["files"]["model"])

    flat = folder / "new"  # without labels
    flat.mkdir()
    labels = sorted(path for path in data.iterdir())
    rows = sorted(labels[0].iterdir())[:3]
    for row in rows:
        copy = shutil.copytree if row.is_dir() else shutil.copy
        copy(row, flat / row.name)
    outcome = relembra("predict", "trained/model.safetensors", "new", "--output", "new.csv")
    assert (outcome.code, outcome.err) == (0, "")
    with open("new.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["file"] for row in table] == [f"new/{row.name}" for row in rows]
    first = labels[0].name
    chances = model.predict_proba(rows)[:, model.classes_.tolist().index(first)]
    assert np.array_equal([float(row[f"p_{first}"]) for row in table], chances)
    single = relembra("predict", "trained/model.safetensors", rows[0], "--json")
    assert json.loads(single.out)["rows"] == 1

    outcome = relembra("evaluate", "trained/model.safetensors", "data", "--json")
    found = json.loads(outcome.out)
    assert found["metrics"]["n"] == sum(len(list(label.iterdir())) for label in labels)


def test_a_file_that_cannot_be_read_is_named_in_one_line(relembra, folder) -> None:
    recordings(folder / "data", 8)
    (folder / "data" / "low" / "0.wav").write_bytes(b"no recording")
    outcome = relembra("train", "classify", "data", *QUICK)
    assert outcome.code == 2
    assert outcome.err.startswith("error: data/low/0.wav: this is no readable recording")
    assert outcome.err.count("\n") == 1
    outcome = relembra("train", "classify", "data", "--label", "x", *QUICK)
    assert "label 'x' was asked for; recordings and images have neither columns" in outcome.err


def break_(path) -> str:
    """Make a file unreadable, or the last image of a clip, and return what an error names."""
    file = sorted(path.iterdir())[-1] if path.is_dir() else path
    file.write_bytes(b"nothing of the kind")
    return str(file)


@pytest.mark.parametrize("make", [recordings, images, clips])
def test_a_broken_file_leaves_nothing_wherever_it_is(make, relembra, folder, snapshot) -> None:
    rows = [row for label in sorted(make(folder / "whole", 8).iterdir()) for row in label.iterdir()]
    for row in rows:  # two of the eight are held out, one of each label
        shutil.copytree("whole", "data")
        name = break_(folder / "data" / row.relative_to(folder / "whole"))
        before = snapshot()
        outcome = relembra("train", "classify", "data", "--steps", "2", "--test-share", "0.25")
        assert outcome.code == 2
        assert outcome.err.startswith(f"error: {name.removeprefix(f'{folder}/')}: ")
        assert outcome.err.count("\n") == 1
        assert "training:" not in outcome.out
        assert snapshot().keys() - before.keys() <= {"runs"}
        shutil.rmtree("data")


def test_a_broken_file_to_score_on_leaves_nothing(relembra, folder, snapshot) -> None:
    recordings(folder / "data", 8)
    recordings(folder / "test", 8)
    name = break_(folder / "test" / "high" / "7.wav").removeprefix(f"{folder}/")
    before = snapshot()
    outcome = relembra("train", "classify", "data", "--test", "test", "--steps", "2", "--out", "x")
    assert (outcome.code, snapshot()) == (2, before)
    assert outcome.err.startswith(f"error: {name}: this is no readable recording")
    (folder / "mine").mkdir()  # a folder that was there stays
    outcome = relembra(
        "train", "classify", "data", "--test", "test", "--steps", "2", "--out", "mine"
    )
    assert outcome.code == 2
    assert snapshot().keys() - before.keys() == {"mine"}
