"""The learning rate as a pure function of the step, so that a resume has nothing to restore."""

from __future__ import annotations

import math
from collections.abc import Callable

from relembra.training._settings import ScheduleName, Training

__all__ = ["learning_rate"]

# One cycle as in Smith & Topin (2018), with PyTorch's defaults.
_RISE, _FIRST, _LAST = 0.3, 1 / 25, 1e-4 / 25


def learning_rate(training: Training, step: int, steps: int, factor: float = 1.0) -> float:
    """Return the learning rate of a step.

    Parameters
    ----------
    training
        The settings.
    step
        The step, counted from 0.
    steps
        All steps of the run.
    factor
        What the plateaus so far have left of the rate.

    Returns
    -------
    float
        The learning rate.

    Examples
    --------
    >>> learning_rate(Training(learning_rate=0.1, schedule="linear"), 50, 100)
    0.05
    """
    peak = training.learning_rate * factor
    if training.schedule == "onecycle":
        return peak * _one_cycle(step / max(1, steps - 1))
    if step < training.warmup:
        return peak * ((step + 1) / training.warmup)
    progress = (step - training.warmup) / max(1, steps - training.warmup)
    return peak * _SHAPES[training.schedule](progress)


def _half_cosine(progress: float) -> float:
    return 0.5 * (1.0 + math.cos(math.pi * progress))


def _one_cycle(progress: float) -> float:
    if progress < _RISE:
        return 1.0 + (_FIRST - 1.0) * _half_cosine(progress / _RISE)
    return _LAST + (1.0 - _LAST) * _half_cosine((progress - _RISE) / (1.0 - _RISE))


_SHAPES: dict[ScheduleName, Callable[[float], float]] = {
    "constant": lambda progress: 1.0,
    "plateau": lambda progress: 1.0,
    "linear": lambda progress: 1.0 - progress,
    "cosine": _half_cosine,
}
