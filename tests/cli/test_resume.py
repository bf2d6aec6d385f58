"""After kill -9, `--resume` brings the same bits as a run that was left alone."""

import hashlib
import random
import shutil
import subprocess
import sys
import time

import safetensors.torch

WORDS = [
    "forecast", "sales.csv", "--steps", "205", "--units", "3", "--batch-size", "2", "--no-compare",
    "--windows", "1", "--horizon", "4", "--context", "24", "--quiet",
]  # fmt: skip
PARTS = ("lstm/search", "lstm/final")


def results(folder):
    """Return hashes of the weights and of the forecast."""
    sha = hashlib.sha256()
    tensors = safetensors.torch.load_file(folder / "model.safetensors")
    for name, tensor in sorted(tensors.items()):
        sha.update(name.encode() + tensor.numpy().tobytes())
    table = hashlib.sha256((folder / "forecast.csv").read_bytes())
    return sha.hexdigest(), table.hexdigest()


def kill_at(folder, part, delay, *words):
    """Start a run, and kill it some time after its part has begun, unless it has ended."""
    checkpoint = folder / "checkpoints" / part / "checkpoint.safetensors"
    run = subprocess.Popen([sys.executable, "-m", "relembra", *WORDS, "--out", folder, *words])
    try:
        while not checkpoint.exists() and run.poll() is None:
            time.sleep(0.005)
        time.sleep(delay)
    finally:
        run.kill()
        run.wait()


def test_the_same_weights_and_forecast_after_0_1_and_2_kills(relembra, sales, folder):
    assert relembra(*WORDS, "--out", "whole").code == 0
    whole = results(folder / "whole")
    chance = random.Random(0)
    kill_at(folder / "once", PARTS[0], chance.uniform(0.0, 0.3))
    shutil.copytree("once", "twice")
    kill_at(folder / "twice", PARTS[1], chance.uniform(0.0, 0.3), "--resume")
    for out in ("once", "twice"):
        assert not (folder / out / "model.safetensors").exists()
        outcome = relembra(*WORDS, "--out", out, "--resume")
        assert (outcome.code, outcome.err) == (0, "")
        assert results(folder / out) == whole


def test_a_killed_run_is_not_begun_again_by_mistake(relembra, sales, folder):
    kill_at(folder / "here", PARTS[0], 0.0)
    outcome = relembra(*WORDS, "--out", "here")
    assert outcome.code == 2
    assert "it holds a run that began before" in outcome.err
    assert relembra(*WORDS, "--out", "here", "--force", "--steps", "3").code == 0


def test_to_resume_where_nothing_began_is_to_begin(relembra, sales, folder):
    assert relembra(*WORDS, "--out", "new", "--resume", "--steps", "3").code == 0
    assert (folder / "new/model.safetensors").exists()
