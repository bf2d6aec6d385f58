"""Tests of the TensorBoard extra."""

import sys

import pytest

from relembra._errors import MissingExtraError
from relembra.training import Training, fit


def scalars(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {
        tag: [(point.step, point.value) for point in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def test_curves_are_written(toy, tmp_path):
    training = Training(steps=4, evaluate_every=2, log_dir=str(tmp_path / "logs"))
    fit(toy.LineObjective(), toy.Batches(), training, validate=lambda: 0.5)
    curves = scalars(tmp_path / "logs")
    assert curves["validation"] == [(2, 0.5), (4, 0.5)]
    assert [step for step, _ in curves["train/loss"]] == [1, 2, 3, 4]
    assert curves["train/learning_rate"][0][1] == pytest.approx(1e-3)
    assert curves["train/gradient_norm"][0][1] > 0.0


def test_a_resumed_run_goes_on_with_the_curves(toy, tmp_path):
    options = {"directory": tmp_path / "run", "resume": True}
    training = Training(steps=6, log_dir=str(tmp_path / "logs"))
    with pytest.raises(KeyboardInterrupt):
        fit(
            toy.LineObjective(),
            toy.Batches(),
            training,
            subscribers=[toy.InterruptAt(3)],
            **options,
        )
    fit(toy.LineObjective(), toy.Batches(), training, **options)
    curves = scalars(tmp_path / "logs")
    assert [step for step, _ in curves["train/loss"]] == [1, 2, 3, 4, 5, 6]


def test_without_tensorboard_the_extra_is_named(toy, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(MissingExtraError, match=r'pip install "relembra\[tensorboard\]"'):
        fit(toy.LineObjective(), toy.Batches(), Training(log_dir=str(tmp_path)))
