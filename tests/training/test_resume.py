"""The same bits after any interruption: SIGKILL, Ctrl-C, in the middle of a write."""

import multiprocessing
import random
import signal
import time
from pathlib import Path

import pytest

from relembra._files import read_tensors
from relembra.training import Checkpointed, Started, StepDone


@pytest.fixture(scope="module")
def processes():
    """Start processes from a server that has imported torch once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "torch._dynamo"])
    return context


class Child:
    """A run in a process of its own."""

    def __init__(self, context, toy, name, directory, stall=""):
        self.pipe, theirs = context.Pipe()
        arguments = (name, str(directory), theirs, stall)
        self.process = context.Process(target=toy.child, args=arguments)
        self.process.start()
        theirs.close()

    def read_until(self, wanted):
        """Return the first message that is wanted, or the result if it comes first."""
        while True:
            message = self.pipe.recv()
            if wanted(message) or (isinstance(message, str) and len(message) == 64):
                return message

    def kill(self):
        self.process.kill()
        self.process.join()
        self.pipe.close()
        assert self.process.exitcode == -signal.SIGKILL

    def result(self):
        message = self.read_until(lambda message: False)
        self.process.join()
        self.pipe.close()
        assert self.process.exitcode == 0
        return message


@pytest.fixture
def start(processes, toy):
    return lambda *arguments, **options: Child(processes, toy, *arguments, **options)


@pytest.mark.parametrize("name", ["dropout", "truncated", "stopping"])
def test_same_bits_after_0_1_and_2_kills_at_random_moments(name, start, toy, tmp_path):
    whole, history = toy.run(name, tmp_path / "whole")
    last = history[-1].step
    chance = random.Random(name)
    for kills in (0, 1, 2):
        folder = tmp_path / str(kills)
        moments = sorted(chance.sample(range(1, last - 8), kills))
        for moment in moments:
            run = start(name, folder)
            reached = run.read_until(lambda message, moment=moment: message >= moment)
            assert isinstance(reached, int)
            time.sleep(chance.uniform(0.0, 0.01))
            run.kill()
        assert start(name, folder).result() == whole


def test_the_stopping_run_does_stop_early_and_keeps_earlier_weights(toy, tmp_path):
    _, history = toy.run("stopping", tmp_path)
    assert history.reason == "patience"
    assert history[-1].step < toy.RUNS["stopping"].steps
    assert history.best.step < history[-1].step
    assert history[-1].learning_rate < 0.3  # the plateau has been met as well


@pytest.mark.parametrize("place", ["content", "renaming"])
def test_a_kill_during_the_write_leaves_the_checkpoint_before(place, start, toy, tmp_path):
    whole, _ = toy.run("dropout", tmp_path / "whole")
    folder = tmp_path / "killed"
    run = start("dropout", folder, stall=place)
    assert run.read_until(lambda message: message == "stalled") == "stalled"
    run.kill()
    path = folder / "checkpoint.safetensors"
    _, data = read_tensors(path, kind="checkpoint")
    assert data["state"]["step"] == 8  # the third would have been 12
    assert len(list(folder.iterdir())) == 2  # and the draft of the third
    assert start("dropout", folder).result() == whole
    assert list(folder.iterdir()) == [path]


def test_ctrl_c_finishes_the_step_writes_a_checkpoint_and_passes_on(toy, tmp_path):
    whole, _ = toy.run("truncated", tmp_path / "whole")
    folder, events = tmp_path / "interrupted", toy.Recorder()
    for step in (13, 21):  # inside a segment and an epoch, and between checkpoints
        with pytest.raises(KeyboardInterrupt):
            toy.run("truncated", folder, toy.InterruptAt(step), events)
        assert events.of(Checkpointed)[-1].step == step
        assert events.of(StepDone)[-1].step == step
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    digest, _ = toy.run("truncated", folder, events)
    assert digest == whole
    assert [event.step for event in events.of(Started)] == [0, 13, 21]
    assert [event.step for event in events.of(StepDone)] == list(range(1, 45))


def test_ctrl_c_during_the_validation_loses_nothing(toy, tmp_path, monkeypatch):
    whole, _ = toy.run("dropout", tmp_path / "whole")
    plain, calls = toy.NetObjective.validate, []

    def interrupted(self):
        calls.append(1)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGINT)
        return plain(self)

    monkeypatch.setattr(toy.NetObjective, "validate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        toy.run("dropout", tmp_path / "interrupted")
    digest, history = toy.run("dropout", tmp_path / "interrupted")
    assert digest == whole
    assert len(calls) == len(history) + 1


def test_a_finished_run_is_returned_at_once(toy, tmp_path):
    first, _ = toy.run("stopping", tmp_path)
    before = Path(tmp_path, "checkpoint.safetensors").read_bytes()
    events = toy.Recorder()
    second, history = toy.run("stopping", tmp_path, events)
    assert second == first
    assert events.of(StepDone) == []
    assert history.reason == "patience"
    assert Path(tmp_path, "checkpoint.safetensors").read_bytes() == before


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_no_bit_also_after_an_interruption(workers, toy, tmp_path, monkeypatch):
    # The loader warns when there are more workers than cores.
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(8)))
    whole, _ = toy.run("truncated", tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        toy.run("truncated", tmp_path / "workers", toy.InterruptAt(17), workers=workers)
    digest, _ = toy.run("truncated", tmp_path / "workers", workers=workers)
    assert digest == whole


def test_ctrl_c_between_two_evaluations_without_improvement(toy, tmp_path):
    whole, history = toy.run("stopping", tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        toy.run("stopping", tmp_path / "interrupted", toy.InterruptAt(history[-1].step - 3))
    assert toy.run("stopping", tmp_path / "interrupted")[0] == whole
