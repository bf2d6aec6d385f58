"""`relembra tune`: a search through the command line, killed, gone on with, and put to use."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import subprocess
import sys
import time

import pytest
from tests.cli.conftest import rows as months_of_sales
from tests.tasks.test_classify import texts

from relembra._files import read_tensors
from relembra.tasks import Classifier

pytestmark = pytest.mark.usefixtures("unflushed_studies")

SMALL = ("--units", "2:6", "--layers", "1", "--trials", "3", "--seed", "5")
QUICK = ("--steps", "8", "--batch-size", "8")


@pytest.fixture
def reviews(folder):
    rows, labels = texts(80)
    lines = ["label,text", *(f"{b},{a}" for a, b in zip(rows, labels, strict=True))]
    (folder / "reviews.csv").write_text("\n".join(lines) + "\n")
    return "reviews.csv"


def best(folder):
    """Return what a search found, without its place."""
    return json.loads((folder / "best.json").read_text())


def test_the_command_it_prints_repeats_the_best_trial(relembra, reviews, folder):
    done = relembra("tune", "classify", reviews, *SMALL, *QUICK, "--label", "label", "--json")
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    assert (found["job"], found["tuned"], found["trials"]) == ("tune", "classify", 3)
    kept = best(folder / "runs" / "tune-classify-reviews-1")
    assert kept["settings"] == found["settings"] and kept["command"] == found["command"]
    words = shlex.split(found["command"])
    assert words[:4] == ["relembra", "train", "classify", reviews]
    assert ["--label", "label"] == words[words.index("--label") :][:2]
    assert relembra(*words[1:], "--out", "trained", "--no-compare").code == 0
    checkpoint = folder / "trained/checkpoints" / found["settings"]["cell"]
    _, data = read_tensors(checkpoint / "checkpoint.safetensors", kind="checkpoint")
    assert data["state"]["stopping"]["best"] == found["validation"]
    page = (folder / found["files"]["report"]).read_text()
    for text in ("Which settings mattered", "The history", "Every trial", "were not read"):
        assert text in page
    again = relembra("tune", "classify", reviews, *SMALL, *QUICK, "--out",
                     "runs/tune-classify-reviews-1")  # fmt: skip
    assert again.code == 2
    assert "study.db exists; choose another folder, or say --resume to go on" in again.err


def test_rows_that_training_scores_on_are_not_in_the_search(relembra, reviews, folder, monkeypatch):
    seen = []
    fit = Classifier.fit

    def spy(self, X, y, **options):
        seen.append((list(getattr(X, "rows", X)), list(y)))  # encoded rows know what they were
        return fit(self, X, y, **options)

    monkeypatch.setattr(Classifier, "fit", spy)
    words = ("classify", reviews, "--units", "2", "--seed", "5", "--quiet", *QUICK)
    assert relembra("train", *words, "--no-compare").code == 0
    assert (
        relembra("tune", *words, "--cell", "lstm,gru", "--layers", "1", "--trials", "1").code == 0
    )
    trained, tuned = seen
    assert len(trained[0]) == 64
    assert tuned == trained
    whole = ("--test", "elsewhere.csv", "--layers", "1", "--trials", "1")
    assert relembra("tune", *words, *whole).code == 0  # and a test file is not even opened
    assert len(seen[-1][0]) == 80


def test_after_kill_9_the_search_goes_on_to_the_same_result(relembra, reviews, folder):
    words = ["tune", "classify", reviews, *SMALL, "--steps", "24", "--batch-size", "8", "--quiet"]
    assert relembra(*words, "--out", "whole").code == 0
    run = subprocess.Popen([sys.executable, "-m", "relembra", *words, "--out", "killed"])
    try:
        second = folder / "killed/trials/2"
        while not second.is_dir() and run.poll() is None:
            time.sleep(0.005)
    finally:
        run.kill()
    assert run.wait() == -signal.SIGKILL
    assert not (folder / "killed/best.json").exists()
    shutil.copytree("killed", "again")
    assert relembra(*words, "--out", "again").code == 2
    assert relembra(*words, "--out", "killed", "--resume").code == 0
    assert best(folder / "killed") == best(folder / "whole")
    assert not (folder / "killed/trials").exists()
    changed = relembra(*words, "--out", "again", "--resume", "--balanced")
    assert changed.code == 2 and "is another search: class_weight was" in changed.err
    assert relembra(*words, "--out", "again", "--force", "--trials", "1").code == 0


def test_other_jobs(relembra, folder):
    (folder / "towns.conll").write_text("to\tO\nRio\tB-town\n\nfrom\tO\nLima\tB-town\n\n" * 20)
    (folder / "foxes.txt").write_text("the quick queen quits quietly\n" * 30)
    (folder / "sales.csv").write_text("\n".join(months_of_sales()) + "\n")
    few = (*SMALL[:4], "--trials", "1", "--json")
    for words, command in (
        (("tag", "towns.conll", "--epochs", "1"), "relembra train tag towns.conll --epochs 1"),
        (
            ("generate", "foxes.txt", "--steps", "4", "--length", "8"),
            "relembra train generate foxes.txt --length 8 --steps 4",
        ),
        (
            ("forecast", "sales.csv", "--steps", "4", "--horizon", "4", "--context", "24"),
            "relembra forecast sales.csv --horizon 4 --context 24 --steps 4",
        ),
    ):
        done = relembra("tune", *words, *few)
        assert done.code == 0, done.err
        found = json.loads(done.out)
        assert found["command"].startswith(f"{command} --cell lstm --units 6")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--units", "9:4"], "a range goes from a lower to a higher value, got 9:4"),
        (["--dropout", "0:x"], "dropout is '0:x'; expected numbers: a range as LOW:HIGH"),
        (["--cell", "lstm,lstn"], "unknown cell 'lstn'"),
        (["--pruner", "axe"], "unknown pruner 'axe'; known: median, hyperband, none"),
        (["--resume"], "--resume needs --out"),
        (["--label", "mood"], "there is no column 'mood'"),
    ],
)
def test_what_cannot_be_searched_leaves_nothing(relembra, reviews, folder, words, message):
    done = relembra("tune", "classify", reviews, *QUICK, *words)
    assert done.code == 2 and message in done.err
    assert not list(folder.glob("runs/*"))
