"""The settings of a training run."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal, get_args

from relembra._config import check_count, config
from relembra._errors import ConfigError

__all__ = ["OptimizerName", "ScheduleName", "Training", "decisive_settings"]

OptimizerName = Literal["adam", "adamw", "sgd"]
ScheduleName = Literal["constant", "linear", "cosine", "onecycle", "plateau"]

# They change how a run is carried out, but no bit of its result.
_INDIFFERENT = frozenset({"checkpoint_every", "workers", "log_dir"})


@config
class Training:
    """How to train: budget, optimiser, schedule, stopping, averaging and checkpoints.

    Parameters
    ----------
    steps
        The most optimiser steps.
    epochs
        If given, the run ends after so many passes over the data instead of after ``steps``.
    batch_size
        Sequences in a batch.
    learning_rate
        The highest learning rate of the schedule.
    optimizer
        ``"adam"``, ``"adamw"`` or ``"sgd"``.
    momentum
        Momentum of ``"sgd"``.
    weight_decay
        Added to the gradient; decoupled from it for ``"adamw"``.
    schedule
        ``"constant"``; ``"linear"`` and ``"cosine"`` fall to zero at the last step;
        ``"onecycle"`` rises for 30 % of the steps and then falls; ``"plateau"`` halves the
        rate when the validation has not improved for ``plateau`` evaluations.
    warmup
        Steps of linear rise at the start (not for ``"onecycle"``).
    plateau
        Evaluations without improvement before ``"plateau"`` halves the rate.
    clip_norm
        Largest norm of the whole gradient; ``None`` does not clip.
    evaluate_every
        Steps between evaluations; ``None`` evaluates at the end of each epoch. The last
        step is always evaluated.
    patience
        Evaluations without improvement before training stops; ``None`` never stops early.
    average
        Decay of the exponential moving average of the weights, as 0.999; 0 is off. The
        average is what gets evaluated and kept.
    seed
        Decides every random choice.
    checkpoint_every
        Steps between checkpoints.
    workers
        Processes that prepare batches; any number gives the same result.
    log_dir
        Folder for TensorBoard.

    Raises
    ------
    ConfigError
        A value makes no sense, or a name does not exist.

    Examples
    --------
    >>> Training(steps=500, schedule="cosine").learning_rate
    0.001
    >>> Training(step=500)
    Traceback (most recent call last):
    ...
    relembra._errors.ConfigError: Training has no setting 'step'; did you mean 'steps'?
    """

    steps: int = 2000
    epochs: int | None = None
    batch_size: int = 64
    learning_rate: float = 1e-3
    optimizer: OptimizerName = "adam"
    momentum: float = 0.0
    weight_decay: float = 0.0
    schedule: ScheduleName = "constant"
    warmup: int = 0
    plateau: int = 3
    clip_norm: float | None = 1.0
    evaluate_every: int | None = 100
    patience: int | None = 10
    average: float = 0.0
    seed: int = 0
    checkpoint_every: int = 200
    workers: int = 0
    log_dir: str | None = None

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "plateau", "checkpoint_every"):
            check_count(f"Training.{name}", getattr(self, name), least=1)
        for name in ("epochs", "evaluate_every", "patience"):
            if getattr(self, name) is not None:
                check_count(f"Training.{name}", getattr(self, name), least=1)
        for name in ("warmup", "workers"):
            check_count(f"Training.{name}", getattr(self, name), least=0)
        check_count("Training.seed", self.seed, least=None)
        _check_choice("optimizer", self.optimizer, get_args(OptimizerName))
        _check_choice("schedule", self.schedule, get_args(ScheduleName))
        _check_number("learning_rate", self.learning_rate, above=0.0)
        if self.clip_norm is not None:
            _check_number("clip_norm", self.clip_norm, above=0.0)
        _check_number("weight_decay", self.weight_decay, least=0.0)
        for name in ("average", "momentum"):
            _check_number(name, getattr(self, name), least=0.0, below=1.0)


def decisive_settings(training: Training) -> dict[str, Any]:
    """Return the settings that decide the bits of the result."""
    values = dataclasses.asdict(training)
    return {name: value for name, value in values.items() if name not in _INDIFFERENT}


def _check_choice(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ConfigError(f"Training.{name} is {value!r}; known: {', '.join(known)}")


def _check_number(
    name: str,
    value: object,
    *,
    least: float = -math.inf,
    above: float = -math.inf,
    below: float = math.inf,
) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and least <= value < below and value > above:  # type: ignore[operator]
        return
    bounds = [f"at least {least:g}"] if least > -math.inf else []
    bounds += [f"above {above:g}"] if above > -math.inf else []
    bounds += [f"below {below:g}"] if below < math.inf else ["finite"]
    raise ConfigError(f"Training.{name} is {value!r}; it must be a number {', '.join(bounds)}")
