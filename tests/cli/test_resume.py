"""After kill -9, `--resume` brings the same bits as a run that was left alone."""

import hashlib
import random
import shutil
import subprocess
import sys
import time

import pytest
import safetensors.torch
from tests.tasks.test_classify import texts

WORDS = [
    "forecast", "sales.csv", "--steps", "205", "--units", "3", "--batch-size", "2", "--no-compare",
    "--windows", "1", "--horizon", "4", "--context", "24", "--quiet",
]  # fmt: skip
PARTS = ("lstm/search", "lstm/final")
QUICK = ["--units", "3", "--batch-size", "4", "--quiet"]
# The words of each job, and the folders of the checkpoints after which it is killed. The first
# checkpoint comes after 200 steps; benchmarks/product/resume.py kills every job twice.
JOBS = {
    "classify": (["classify", "reviews.csv", "--steps", "210"], ("lstm",)),
    "tag": (["tag", "towns.conll", "--epochs", "20"], ("without-memory",)),
    "generate": (["generate", "foxes.txt", "--steps", "410", "--length", "8"], (".", ".")),
}


@pytest.fixture
def data(folder):
    """A file for each of the jobs."""
    rows = [f"{b},{a}" for a, b in zip(*texts(40), strict=True)]
    (folder / "reviews.csv").write_text("\n".join(["label,text", *rows]) + "\n")
    (folder / "towns.conll").write_text("to\tO\nRio\tB-town\n\nfrom\tO\nLima\tB-town\n\n" * 22)
    (folder / "foxes.txt").write_text("the quick queen quits quietly\n" * 40)


def weights(folder):
    """Return a hash of the weights."""
    sha = hashlib.sha256()
    tensors = safetensors.torch.load_file(folder / "model.safetensors")
    for name, tensor in sorted(tensors.items()):
        sha.update(name.encode() + tensor.numpy().tobytes())
    return sha.hexdigest()


def results(folder):
    """Return hashes of the weights and of the forecast."""
    return weights(folder), hashlib.sha256((folder / "forecast.csv").read_bytes()).hexdigest()


def kill_at(command, folder, part, delay, *words):
    """Start a run, and kill it some time after its part has begun, unless it has ended."""
    checkpoint = folder / "checkpoints" / part / "checkpoint.safetensors"
    before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else None
    run = subprocess.Popen([sys.executable, "-m", "relembra", *command, "--out", folder, *words])
    try:
        while run.poll() is None:
            if checkpoint.exists() and checkpoint.stat().st_mtime_ns != before:
                break
            time.sleep(0.005)
        time.sleep(delay)
    finally:
        run.kill()
        run.wait()


@pytest.mark.parametrize("job", JOBS)
def test_the_same_weights_however_often_a_training_is_killed(relembra, data, folder, job):
    command, parts = JOBS[job]
    words = ["train", *command, *QUICK]
    assert relembra(*words, "--out", "whole").code == 0
    chance = random.Random(1)
    for number, part in enumerate(parts):
        resume = ["--resume"] if number else []
        kill_at(words, folder / "killed", part, chance.uniform(0.0, 0.05), *resume)
        assert not (folder / "killed" / "model.safetensors").exists()
    outcome = relembra(*words, "--out", "killed", "--resume")
    assert (outcome.code, outcome.err) == (0, "")
    assert weights(folder / "killed") == weights(folder / "whole")


def test_the_same_weights_and_forecast_after_0_1_and_2_kills(relembra, sales, folder):
    assert relembra(*WORDS, "--out", "whole").code == 0
    whole = results(folder / "whole")
    chance = random.Random(0)
    kill_at(WORDS, folder / "once", PARTS[0], chance.uniform(0.0, 0.3))
    shutil.copytree("once", "twice")
    kill_at(WORDS, folder / "twice", PARTS[1], chance.uniform(0.0, 0.3), "--resume")
    for out in ("once", "twice"):
        assert not (folder / out / "model.safetensors").exists()
        outcome = relembra(*WORDS, "--out", out, "--resume")
        assert (outcome.code, outcome.err) == (0, "")
        assert results(folder / out) == whole


def test_a_killed_run_is_not_begun_again_by_mistake(relembra, sales, folder):
    kill_at(WORDS, folder / "here", PARTS[0], 0.0)
    outcome = relembra(*WORDS, "--out", "here")
    assert outcome.code == 2
    assert "it holds a run that began before" in outcome.err
    assert relembra(*WORDS, "--out", "here", "--force", "--steps", "3").code == 0


def test_to_resume_where_nothing_began_is_to_begin(relembra, sales, folder):
    assert relembra(*WORDS, "--out", "new", "--resume", "--steps", "3").code == 0
    assert (folder / "new/model.safetensors").exists()
