"""The training loop of every job."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import torch

from relembra._errors import ArtifactError, ConfigError, DivergenceError
from relembra._files import JSON, read_tensors, write_tensors
from relembra.training._batches import all_steps, stream
from relembra.training._checkpoint import (
    KIND,
    check_settings,
    environment,
    prepare_folder,
    report_environment,
)
from relembra.training._events import (
    Aborted,
    Checkpointed,
    Evaluated,
    Event,
    Finished,
    NothingToResume,
    Started,
    Subscriber,
)
from relembra.training._history import History, HistoryRow
from relembra.training._interrupts import Interrupts
from relembra.training._objective import BatchSource, Objective
from relembra.training._randomness import RandomStream
from relembra.training._settings import Training, decisive_settings
from relembra.training._state import RunState
from relembra.training._step import Stepper, divergence
from relembra.training._tensorboard import TensorBoardWriter

__all__ = ["fit"]


def fit(
    objective: Objective,
    source: BatchSource,
    training: Training,
    *,
    validate: Callable[[], float] | None = None,
    directory: str | os.PathLike[str] | None = None,
    resume: bool = False,
    force: bool = False,
    identity: Mapping[str, JSON] | None = None,
    subscribers: Sequence[Subscriber] = (),
) -> History:
    """Train a module; stop at any moment, resume, and get the same bits.

    Parameters
    ----------
    objective
        The module and its loss. Random numbers in it come from PyTorch's generator, which
        is set anew at every step.
    source
        The batches.
    training
        The settings.
    validate
        Returns the validation error, lower is better. It is called with the module in eval
        mode, without gradients, and with averaged weights if the settings ask for them.
    directory
        Folder of ``checkpoint.safetensors``; no checkpoints when ``None``.
    resume
        Go on from the checkpoint, if there is one. A finished run is returned at once.
    force
        Begin anew although there is a checkpoint, which is removed.
    identity
        What else the result depends on, such as the data's hash and the model's settings: a
        checkpoint with another identity is refused.
    subscribers
        Called with every event.

    Returns
    -------
    History
        The evaluations. The module is in eval mode and holds the best weights if there is a
        validation, else the averaged or last ones.

    Raises
    ------
    OutputExistsError
        There is a checkpoint, and neither ``resume`` nor ``force`` is given.
    ArtifactError
        The checkpoint is damaged or belongs to another run; the difference is named.
    DivergenceError
        The loss, its gradient or the validation is not a finite number.
    ConfigError
        Nothing can be trained: no parameters, all frozen, no batches, a detached loss.
    KeyboardInterrupt
        Ctrl-C; the step was finished and the checkpoint written.
    """
    if resume and directory is None:
        raise ConfigError("resume needs the directory of the run to go on with")
    if validate is None and training.schedule == "plateau":
        raise ConfigError("Training.schedule is 'plateau', which needs a validation")
    run = _Run(objective, source, training, validate, identity or {}, subscribers)
    if directory is not None:
        run.path = prepare_folder(Path(directory), resume=resume, force=force)
    return run.execute(resume)


class _Run:
    def __init__(
        self,
        objective: Objective,
        source: BatchSource,
        training: Training,
        validate: Callable[[], float] | None,
        identity: Mapping[str, JSON],
        subscribers: Sequence[Subscriber],
    ) -> None:
        self.module, self.source, self.training = objective.module, source, training
        self.validate, self.subscribers = validate, list(subscribers)
        self.state = RunState(self.module, training)
        self.steps = all_steps(source, training)
        self.random = RandomStream(training.seed, self.module)
        self.step = Stepper(objective, source, training, self.state, self.random, self.steps)
        self.interrupts = Interrupts()
        self.settings = {
            **{f"Training.{key}": value for key, value in decisive_settings(training).items()},
            **identity,
            "frozen parameters": self.state.frozen,
        }
        self.path: Path | None = None
        self.whole = True  # whether the state is that of the end of a step, fit to be saved
        self.owner = False  # whether the checkpoint on disk is this run's, to be replaced
        self.began = time.perf_counter()

    def execute(self, resume: bool) -> History:
        """Run to the end, or to an exception."""
        resumed = resume and self._load()
        self.began = time.perf_counter() - self.state.seconds
        if self.training.log_dir is not None:
            self.subscribers.append(TensorBoardWriter(self.training.log_dir))
        with self.random, self.interrupts:
            try:
                self._emit(Started(self.state.step, self.steps, resumed))
                if self.state.history.reason is None:
                    self._train()
            except BaseException as error:
                self._abort(error)
                raise
        self.state.finish_weights()
        self.module.eval()
        self._emit(Finished(self.state.step, self.state.history.reason or ""))
        return self.state.history

    def _train(self) -> None:
        state, every = self.state, self.training.checkpoint_every
        self.module.train()
        self._boundary()  # a run may have been interrupted between a step and its evaluation
        left = 0 if state.history.reason else self.steps - state.step
        with closing(stream(self.source, state.position, left, self.training.workers)) as batches:
            for place, batch in batches:
                self.whole = False
                done = self.step(place, batch)
                self.whole = True
                self._emit(done)
                self._boundary()
                if state.history.reason is not None:
                    break
                if state.step % every == 0:
                    self._save()
        self._save()
        self.interrupts.check()

    def _boundary(self) -> None:
        if self._evaluation_due():
            self._evaluate()
        self.interrupts.check()

    def _evaluation_due(self) -> bool:
        state, every = self.state, self.training.evaluate_every
        if state.step == 0 or (state.history.rows and state.history.rows[-1].step == state.step):
            return False
        due = state.position[1] == 0 if every is None else state.step % every == 0
        return due or state.step >= self.steps

    def _evaluate(self) -> None:
        state, rate = self.state, self.step.rate(self.state.step - 1)
        error, improved = None, False
        if self.validate is not None:
            error, improved = self._validate(self.validate, rate)
        mean = state.loss_sum / state.loss_count
        row = HistoryRow(state.step, state.position[0], mean, error, rate, self._seconds())
        state.history.rows.append(row)
        state.loss_sum, state.loss_count = 0.0, 0
        if error is not None and state.stopping.exhausted(self.training.patience):
            state.history.reason = "patience"
        elif state.step >= self.steps:
            state.history.reason = "steps"
        self._emit(Evaluated(row, state.stopping.best, improved))

    def _validate(self, validate: Callable[[], float], rate: float) -> tuple[float, bool]:
        """Return the validation error and whether it is the lowest so far."""
        state = self.state
        with state.averaged(), torch.no_grad():
            self.module.eval()
            try:
                self.random.move_to("evaluate", state.step)
                with self.interrupts.at_once():  # nothing has changed yet
                    error = float(validate())
            finally:
                self.module.train()
            if math.isnan(error):
                raise divergence("the validation is nan", self.training, state, rate)
            improved = state.stopping.improves(error, state.step)
            if improved:
                state.keep_best()
        if self.training.schedule == "plateau":
            state.stopping.slow_down(self.training.plateau)
        return error, improved

    def _abort(self, error: BaseException) -> None:
        reason = type(error).__name__
        if isinstance(error, KeyboardInterrupt):
            reason = "interrupted"
            if self.whole and not self.interrupts.impatient:
                self._save()
        elif isinstance(error, DivergenceError):
            reason = "diverged"
            self._save()
            self.state.finish_weights()
            self.module.eval()
        self._emit(Aborted(self.state.step, reason))

    def _seconds(self) -> float:
        return time.perf_counter() - self.began

    def _emit(self, event: Event) -> None:
        for subscriber in self.subscribers:
            subscriber(event)

    # --- the checkpoint ---------------------------------------------------------------

    def _save(self) -> None:
        if self.path is None:
            return
        self.state.seconds = self._seconds()
        data = {
            "settings": self.settings,
            "environment": environment(),
            "state": self.state.to_dict(),
        }
        # Not forced the first time: of two runs in one folder the second is told.
        write_tensors(self.path, self.state.tensors(), data, kind=KIND, force=self.owner)
        self.owner = True
        self._emit(Checkpointed(self.state.step, self.path))

    def _load(self) -> bool:
        path = self.path
        if path is None or not path.exists():
            if path is not None:
                self._emit(NothingToResume(path))
            return False
        tensors, data = read_tensors(path, kind=KIND)
        try:
            check_settings(path, data["settings"], self.settings)
            self.state.load(path, tensors, data["state"])
            report_environment(path, data["environment"])
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise ArtifactError(f"{path} is damaged: {error!r} while reading it") from error
        self.owner = True
        return True
