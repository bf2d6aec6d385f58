"""A search as optuna keeps it: made, found again, and read."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, get_args

from relembra._errors import ArtifactError, ConfigError, MissingExtraError
from relembra._files import JSON
from relembra._random import derive
from relembra.tasks.tune._files import TuneFiles
from relembra.tasks.tune._space import SearchSpace
from relembra.tasks.tune._trials import State, TrialRow

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial, Trial

__all__ = [
    "Pruner",
    "importance_of",
    "next_trial",
    "open_study",
    "quiet_optuna",
    "rows_of",
    "settings_of",
]

Pruner = Literal["median", "hyperband", "none"]

_NAME = "relembra"  # Hyperband draws a trial's bracket from the name: it must not change
_LEAST = 4  # finished trials, before one is pruned and before importance means anything
_RANDOM = 8  # trials before those that learn from the others
_SPARED = 20  # percent of the training during which no trial is pruned


def need_optuna() -> None:
    """Raise `MissingExtraError` unless optuna is installed."""
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            'tuning needs optuna, which is not installed: pip install "relembra[tune]"'
        ) from error


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Let optuna say warnings only; its own level comes back."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def open_study(
    files: TuneFiles | None,
    pruner: Pruner,
    identity: Mapping[str, JSON],
    first: Mapping[str, Any],
) -> optuna.Study:
    """Return a new study, or the one in the folder.

    Parameters
    ----------
    files
        Where it is; None keeps it in memory.
    pruner
        Which trials are stopped early.
    identity
        What the search depends on; one with another identity is refused.
    first
        The settings of the first trial.

    Raises
    ------
    ArtifactError
        The study in the folder is another search; the difference is named.
    """
    import optuna
    from sqlalchemy.engine import URL

    url = None if files is None else URL.create("sqlite", database=str(files.study))
    study = optuna.create_study(
        study_name=_NAME,
        storage=None if url is None else url.render_as_string(),
        pruner=_pruner(pruner),
        load_if_exists=True,
    )
    known = study.user_attrs.get("identity")
    if known is not None and known != identity:
        changed = [name for name in identity if known.get(name) != identity[name]]
        told = "; ".join(
            f"{name} was {json.dumps(known.get(name))}, now {json.dumps(identity[name])}"
            for name in changed
        )
        where = "the study" if files is None else str(files.study)
        raise ArtifactError(f"{where} is another search: {told}. Take another folder, or force")
    if known is None:
        study.set_user_attr("identity", dict(identity))
    if not study.get_trials(deepcopy=False):
        study.enqueue_trial(dict(first))
    return study


def _pruner(name: Pruner) -> optuna.pruners.BasePruner:
    from optuna import pruners

    if name == "median":
        return pruners.MedianPruner(n_startup_trials=_LEAST, n_warmup_steps=_SPARED)
    if name == "hyperband":
        return pruners.HyperbandPruner(min_resource=_SPARED // 2, max_resource=100)
    if name == "none":
        return pruners.NopPruner()
    raise ConfigError(f"unknown pruner {name!r}; known: {', '.join(get_args(Pruner))}")


def next_trial(study: optuna.Study) -> Trial:
    """Return the trial that a killed process left behind, or a new one."""
    import optuna
    from optuna.trial import TrialState

    left = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    if left:
        return optuna.trial.Trial(study, left[0]._trial_id)
    return study.ask()


def settings_of(trial: Trial, space: SearchSpace, seed: int) -> dict[str, Any]:
    """Return the settings of a trial: a function of the seed, its number and the trials before."""
    from optuna.samplers import TPESampler

    drawn = {}
    for name in space.varied():
        # A sampler of its own for each draw: a process that is killed between two goes on alike.
        own = derive(seed, "tune", trial.number, name) % 2**32
        trial.study.sampler = TPESampler(seed=own, n_startup_trials=_RANDOM)
        drawn[name] = space.suggest(name, trial)
    return space.settings(drawn)


def rows_of(study: optuna.Study, space: SearchSpace) -> list[TrialRow]:
    """Return the trials that have ended."""
    from optuna.trial import TrialState

    names: dict[TrialState, State] = {
        TrialState.COMPLETE: "done", TrialState.PRUNED: "pruned", TrialState.FAIL: "diverged"
    }  # fmt: skip
    rows = []
    for trial in study.get_trials(deepcopy=False):
        if trial.state in names:
            curve = sorted(trial.intermediate_values.items())
            error = trial.value
            if trial.state == TrialState.PRUNED:
                error = min(value for _, value in curve)
            state = names[trial.state]
            if state == "diverged":
                error = None
            rows.append(
                TrialRow(trial.number + 1, state, error, space.settings(trial.params), curve)
            )
    return rows


def importance_of(study: optuna.Study, varied: list[str], seed: int) -> dict[str, float]:
    """Return how much each setting decided, the most important first."""
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances
    from optuna.trial import TrialState

    done: list[FrozenTrial] = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(done) < _LEAST or len({trial.value for trial in done}) == 1:
        return {}
    judge = FanovaImportanceEvaluator(seed=derive(seed, "importance") % 2**32)
    found = get_param_importances(study, evaluator=judge, params=varied)
    return {name: float(value) for name, value in found.items()}
