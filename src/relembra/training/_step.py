"""One optimiser step."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from relembra._errors import ConfigError, DivergenceError
from relembra.training._batches import Place
from relembra.training._carry import detached
from relembra.training._events import StepDone
from relembra.training._objective import BatchSource, Objective
from relembra.training._optimizer import clip
from relembra.training._randomness import RandomStream
from relembra.training._schedules import learning_rate
from relembra.training._settings import Training
from relembra.training._state import RunState

__all__ = ["Stepper", "divergence"]


class Stepper:
    """Takes optimiser steps.

    Parameters
    ----------
    objective, source, training
        What is trained, on what, and how.
    state
        The state of the run, which every step moves on.
    random
        The random stream, set anew at every step.
    steps
        All steps of the run.
    """

    def __init__(
        self,
        objective: Objective,
        source: BatchSource,
        training: Training,
        state: RunState,
        random: RandomStream,
        steps: int,
    ) -> None:
        self._objective, self._source, self._training = objective, source, training
        self._state, self._random, self._steps = state, random, steps
        self._parameters = list(state.parameters.values())

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        return learning_rate(self._training, step, self._steps, self._state.stopping.factor)

    def __call__(self, place: Place, batch: Any) -> StepDone:
        """Take one step with the batch of a place.

        Nothing of the state changes before the gradient is known to be finite, but for the
        module's buffers.
        """
        state, carries = self._state, self._source.carries_state
        if carries and self._source.starts_segment(*place.position):
            state.carried = None
        rate = self.rate(state.step)
        self._random.move_to("step", state.step)
        loss, carried = self._objective.loss(batch, state.carried if carries else None)
        value = self._checked(loss, rate)
        for parameter in self._parameters:
            parameter.grad = None
        loss.backward()
        norm = clip(self._parameters, self._training.clip_norm)
        if not math.isfinite(norm):
            what = f"the norm of the gradient is {norm} (the loss {value:.6g})"
            raise divergence(what, self._training, state, rate)
        carried = detached(carried) if carries else None
        self._descend(rate)
        state.carried = carried
        state.position = place.following
        state.step += 1
        state.loss_sum += value
        state.loss_count += 1
        return StepDone(state.step, state.position[0], value, norm, rate)

    def _checked(self, loss: Tensor, rate: float) -> float:
        if loss.numel() != 1:
            raise ConfigError(f"the loss has shape {tuple(loss.shape)}; it must be one number")
        if not loss.requires_grad:
            raise ConfigError(
                "the loss depends on no trainable parameter (it carries no gradient); "
                "was it detached, or computed without gradients?"
            )
        value = float(loss.detach())
        if not math.isfinite(value):
            raise divergence(f"the loss is {value}", self._training, self._state, rate)
        return value

    def _descend(self, rate: float) -> None:
        for settings in self._state.optimizer.param_groups:
            settings["lr"] = rate
        self._state.optimizer.step()
        if self._state.average is not None:
            self._state.average.update(self._state.step)


def divergence(what: str, training: Training, state: RunState, rate: float) -> DivergenceError:
    """Return the error that says what went wrong, where, and what to try."""
    limit, stopping = training.clip_norm, state.stopping
    kept = ""
    if stopping.best is not None:
        kept = (
            f" The best weights so far are kept (step {stopping.best_step}, "
            f"validation {stopping.best:.6g})."
        )
    return DivergenceError(
        f"training diverged at step {state.step + 1}: {what}, at learning rate {rate:.3g} with "
        f"clip_norm={limit}. Begin anew with a lower learning_rate (such as "
        f"{training.learning_rate / 3:.1g}), a warmup, or "
        f"clip_norm={1.0 if limit is None else limit / 4:.3g}; "
        f"and look for missing or huge values in the data.{kept}"
    )
