"""Tests of Training."""

import dataclasses

import pytest

from relembra._config import replace
from relembra._errors import ConfigError
from relembra.training import Training
from relembra.training._settings import decisive_settings


def test_settings_are_frozen_and_can_be_replaced():
    training = Training(steps=5)
    with pytest.raises(dataclasses.FrozenInstanceError):
        training.steps = 6
    assert replace(training, steps=7) == Training(steps=7)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("steps", 0, "Training.steps is 0; it must be a whole number of 1 or more"),
        ("steps", 1.5, "Training.steps is 1.5; it must be a whole number of 1 or more"),
        ("steps", True, "Training.steps is True; it must be a whole number of 1 or more"),
        ("epochs", 0, "Training.epochs is 0; it must be a whole number of 1 or more"),
        ("patience", -1, "Training.patience is -1; it must be a whole number of 1 or more"),
        ("warmup", -1, "Training.warmup is -1; it must be a whole number of 0 or more"),
        ("seed", "a", "Training.seed is 'a'; it must be a whole number"),
        ("learning_rate", 0, "Training.learning_rate is 0; it must be a number above 0, finite"),
        (
            "learning_rate",
            float("nan"),
            "Training.learning_rate is nan; it must be a number above 0, finite",
        ),
        (
            "learning_rate",
            float("inf"),
            "Training.learning_rate is inf; it must be a number above 0, finite",
        ),
        ("clip_norm", -1.0, "Training.clip_norm is -1.0; it must be a number above 0, finite"),
        ("average", 1.0, "Training.average is 1.0; it must be a number at least 0, below 1"),
        ("momentum", -0.1, "Training.momentum is -0.1; it must be a number at least 0, below 1"),
        (
            "weight_decay",
            "1",
            "Training.weight_decay is '1'; it must be a number at least 0, finite",
        ),
        ("optimizer", "lion", "Training.optimizer is 'lion'; known: adam, adamw, sgd"),
        (
            "schedule",
            "step",
            "Training.schedule is 'step'; known: constant, linear, cosine, onecycle, plateau",
        ),
    ],
)
def test_values_that_make_no_sense_are_refused(name, value, message):
    with pytest.raises(ConfigError) as caught:
        Training(**{name: value})
    assert str(caught.value) == message


def test_an_unknown_name_meets_the_nearest_known_one():
    with pytest.raises(
        ConfigError, match="no setting 'lerning_rate'; did you mean 'learning_rate'"
    ):
        Training(lerning_rate=0.1)


def test_whole_numbers_serve_as_numbers():
    assert Training(learning_rate=1, clip_norm=5).clip_norm == 5


def test_what_changes_no_bit_is_not_decisive():
    same = Training(workers=3, checkpoint_every=1, log_dir="logs")
    assert decisive_settings(same) == decisive_settings(Training())
    assert decisive_settings(Training(batch_size=3)) != decisive_settings(Training())
