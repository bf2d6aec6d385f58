"""The search: trials of settings, judged by what training holds out, pruned and resumable."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn.base import clone

from relembra._config import replace
from relembra._errors import ConfigError, DivergenceError, RelembraError
from relembra._files import JSON
from relembra.tasks._sequence import Embedding
from relembra.tasks.tune._files import TuneFiles
from relembra.tasks.tune._jobs import default_space
from relembra.tasks.tune._shared import Fit, SharedData, fitting
from relembra.tasks.tune._space import SearchSpace
from relembra.tasks.tune._study import (
    Pruner,
    importance_of,
    need_optuna,
    next_trial,
    open_study,
    quiet_optuna,
    rows_of,
    settings_of,
)
from relembra.tasks.tune._trials import TrialRow, Tuning, best_of
from relembra.training import Evaluated, Event, Started, Subscriber

if TYPE_CHECKING:
    import optuna
    from optuna.trial import Trial

__all__ = ["configured", "search", "settings_in", "tune"]

Watch = Callable[[str], Sequence[Subscriber]]


_SHARE = 0.2  # held out where the estimator would hold nothing out


def tune(
    model: Any,
    X: Any,  # noqa: N803  scikit-learn's name
    y: Any = None,
    *,
    space: SearchSpace | None = None,
    trials: int = 30,
    pruner: Pruner = "median",
    directory: str | os.PathLike[str] | None = None,
    resume: bool = False,
    force: bool = False,
    watch: Watch = lambda name: (),
    say: Callable[[str], Any] = lambda line: None,
) -> Tuning:
    """Search for the cell, units, layers, dropout and learning rate that suit some data.

    Each trial trains the estimator and is judged by the rows that its `fit` holds out anyway, so
    leave the test data out of X. The first trial has the estimator's own settings; the others are
    chosen by tree-structured Parzen estimators (Bergstra et al. 2011), a function of the seed of
    ``model.training`` and of the trials before.

    Parameters
    ----------
    model
        A `Forecaster`, `Classifier`, `Tagger` or `LanguageModel`; it is not changed.
    X, y
        As its `fit` takes them.
    space
        What may be chosen; None takes that of the job.
    trials
        How many, those of an earlier run in the folder included.
    pruner
        ``median`` stops a trial that is worse than the median of the others at the same point;
        ``hyperband`` gives most trials a small budget (Li et al. 2018); ``none``.
    directory
        Folder of the search, which survives the process; None keeps it in memory. While the search
        runs, the tokens of text files are in it, too.
    resume, force
        Go on with the search that is there, or begin anew.
    watch, say
        Make the subscribers of each training; told how each trial ended.

    Returns
    -------
    Tuning
        ``tuned.model`` has the best settings and is not fitted.

    Raises
    ------
    ConfigError
        The space makes no sense, nothing is held out to judge by, or every trial diverged.
    OutputExistsError
        The folder holds a search, and neither `resume` nor `force` is given.
    MissingExtraError
        Optuna is not installed.

    Examples
    --------
    >>> from relembra.tasks import Classifier
    >>> from relembra.tasks.tune import OneOf, SearchSpace, tune
    >>> model = Classifier().set_params(training__steps=10, training__evaluate_every=5)
    >>> few = SearchSpace(units=OneOf((4, 8)), layers=OneOf((1,)))
    >>> texts, labels = ["a good film", "a bad film"] * 10, [1, 0] * 10
    >>> found = tune(model, texts, labels, space=few, trials=2)
    >>> found.model.trunk.units in (4, 8), len(found.trials)
    (True, 2)
    """
    return search(
        model.settled(X),
        SharedData(X, y),
        space=space,
        trials=trials,
        pruner=pruner,
        files=None if directory is None else TuneFiles(Path(directory)),
        resume=resume,
        force=force,
        watch=watch,
        say=say,
    )


def search(
    model: Any,
    fit: Fit | SharedData,
    *,
    space: SearchSpace | None = None,
    trials: int = 30,
    pruner: Pruner = "median",
    files: TuneFiles | None = None,
    resume: bool = False,
    force: bool = False,
    identity: Mapping[str, JSON] | None = None,
    watch: Watch = lambda name: (),
    say: Callable[[str], Any] = lambda line: None,
) -> Tuning:
    """Do as `tune`, with data or a function that trains, and what else identifies the search."""
    need_optuna()
    space = default_space(model) if space is None else space
    _check(model, space, trials)
    if resume and files is None:
        raise ConfigError("resume needs the directory of the search to go on with")
    if files is not None:
        files.prepare(resume=resume, force=force)
    with quiet_optuna(), fitting(fit, files) as trains:
        own = _identity(model, space, pruner) | dict(identity or {})
        first = space.nearest(settings_in(model))
        study = open_study(files, pruner, own, first)
        run = _Search(model, trains, space, study, files, watch, say)
        try:
            run.to_the_end(trials)
        except RelembraError:
            if files is not None and not run.rows():
                files.remove()  # nothing came of it
            raise
        return run.result()


def settings_in(model: Any) -> dict[str, Any]:
    """Return an estimator's values of the settings that a search chooses."""
    trunk, training = model.trunk, model.training
    own = {name: getattr(trunk, name) for name in ("cell", "units", "layers", "dropout")}
    return own | {"learning_rate": training.learning_rate}


def configured(model: Any, settings: Mapping[str, Any]) -> Any:
    """Return a copy of an estimator, not fitted, with some settings."""
    chosen = dict(settings)
    training = replace(model.training, learning_rate=chosen.pop("learning_rate"))
    trunk, other = model.trunk, {}
    if chosen["cell"] == "feedforward" != trunk.cell:
        trunk = trunk.without_memory()
        embedding = getattr(model, "embedding", None)
        if isinstance(embedding, Embedding):
            other["embedding"] = embedding.without_order()
    return clone(model).set_params(trunk=replace(trunk, **chosen), training=training, **other)


def _judged(model: Any) -> Any:
    """Return a trial's estimator: some rows judge it, and nothing is done that they do not see."""
    if getattr(model, "validation", None) == 0:  # as of few rows of numbers
        model.validation = _SHARE
    for name, off in (("refit", False), ("ngrams", 0)):
        if hasattr(model, name):
            setattr(model, name, off)
    return model


def _check(model: Any, space: SearchSpace, trials: int) -> None:
    if trials < 1:
        raise ConfigError(f"trials is {trials}; expected 1 or more")
    if not space.varied():
        raise ConfigError("every setting has a single value: there is nothing to search")
    for settings in space.corners():
        configured(model, settings)


def _identity(model: Any, space: SearchSpace, pruner: Pruner) -> dict[str, JSON]:
    choices = {name: str(choice) for name, choice in space.choices().items()}
    own = {name: repr(value) for name, value in model.get_params(deep=False).items()}
    return {"job": type(model).__name__, **own, "pruner": pruner, **choices}


class _Search:
    def __init__(
        self,
        model: Any,
        fit: Fit,
        space: SearchSpace,
        study: optuna.Study,
        files: TuneFiles | None,
        watch: Watch,
        say: Callable[[str], Any],
    ) -> None:
        self.model, self.fit, self.space, self.study = model, fit, space, study
        self.files, self.watch, self.say = files, watch, say
        self.seed: int = model.training.seed
        self.failure: DivergenceError | None = None

    def rows(self) -> list[TrialRow]:
        """Return the trials that have ended."""
        return rows_of(self.study, self.space)

    def to_the_end(self, trials: int) -> None:
        """Run trials until there are so many."""
        while len(self.rows()) < trials:
            trial = next_trial(self.study)
            self._try(trial, f"trial {trial.number + 1} of {trials}")
        if not any(row.state == "done" for row in self.rows()):
            raise ConfigError(
                "training diverged in every trial; give lower learning rates"
            ) from self.failure

    def _try(self, trial: Trial, title: str) -> None:
        from optuna import TrialPruned
        from optuna.trial import TrialState

        place = None if self.files is None else self.files.trials / str(trial.number + 1)
        judge = _Judge(trial)
        try:
            judge.check()
            model = configured(self.model, settings_of(trial, self.space, self.seed))
            self.fit(
                _judged(model),
                directory=place,
                resume=place is not None,
                subscribers=[*self.watch(title), judge],
            )
        except TrialPruned:
            self.study.tell(trial, state=TrialState.PRUNED)
        except DivergenceError as error:
            self.failure = error
            self.study.tell(trial, state=TrialState.FAIL)
        else:
            self.study.tell(trial, judge.best())
        if place is not None:
            shutil.rmtree(place, ignore_errors=True)
        self.say(f"{title}: {_told(self.rows())}")

    def result(self) -> Tuning:
        """Return what was found."""
        if self.files is not None:
            shutil.rmtree(self.files.trials, ignore_errors=True)
        rows = self.rows()
        importance = importance_of(self.study, self.space.varied(), self.seed)
        return Tuning(configured(self.model, best_of(rows).settings), rows, importance)


def _told(rows: list[TrialRow]) -> str:
    """Return a line about the last trial."""
    last = rows[-1]
    parts = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in last.settings.items())
    if last.validation is None:
        return f"diverged ({parts})"
    done = [row.validation for row in rows if row.state == "done" and row.validation is not None]
    what = f"{last.validation:.4f}"
    if last.state == "pruned":
        what += f", pruned at {last.curve[-1][0]} %"
    elif last.validation == min(done):
        what += ", the best so far"
    return f"{what} ({parts})"


class _Judge:
    """A subscriber that keeps a trial's validation errors, and ends it where it is hopeless."""

    def __init__(self, trial: Trial) -> None:
        self._trial, self._steps = trial, 1
        # What is known from before a kill is not told to optuna again.
        self._known: dict[int, float] = dict(
            trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values
        )
        self._best = min(self._known.values(), default=None)

    def __call__(self, event: Event) -> None:
        if isinstance(event, Started):
            self._steps = event.steps
        elif isinstance(event, Evaluated) and event.row.validation is not None:
            self._best = event.best
            percent = 100 * event.row.step // self._steps
            if percent not in self._known:
                self._known[percent] = event.row.validation
                self._trial.report(event.row.validation, percent)
                self.check()

    def check(self) -> None:
        """Raise `TrialPruned` where others were better at this point.

        Asked before the training as well: a kill may have come before the answer, and Hyperband
        has no brackets to draw settings by until it is asked.
        """
        from optuna import TrialPruned

        if self._trial.should_prune():
            raise TrialPruned

    def best(self) -> float:
        """Return the lowest validation error of the trial.

        Raises
        ------
        ConfigError
            There was none.
        """
        if self._best is None:
            raise ConfigError(
                "training holds nothing out that trials could be judged by; give more data, or a "
                "share to hold out above 0"
            )
        return self._best
