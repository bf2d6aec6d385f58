"""What a search found: its trials, the best of them, and which settings mattered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["TrialRow", "Tuning", "best_of"]

State = Literal["done", "pruned", "diverged"]


@dataclass(frozen=True)
class TrialRow:
    """One trial.

    Attributes
    ----------
    number
        From 1.
    state
        ``pruned`` where it was stopped because others were better at that point.
    validation
        The lowest validation error, None where training diverged.
    settings
        What was tried.
    curve
        Pairs of the share of the training's steps, in percent, and the validation error there.
    """

    number: int
    state: State
    validation: float | None
    settings: dict[str, Any]
    curve: Sequence[tuple[int, float]]


@dataclass(frozen=True)
class Tuning:
    """What a search found.

    Attributes
    ----------
    model
        The estimator with the best settings, not fitted.
    trials
        All trials, in their order.
    importance
        The share of each varied setting in the variance of the validation error (fANOVA, Hutter et
        al. 2014), over the trials that were not pruned; empty where these are fewer than four.
    """

    model: Any
    trials: list[TrialRow]
    importance: dict[str, float]

    @property
    def best(self) -> TrialRow:
        """The trial with the lowest validation error of those that ran to their end."""
        return best_of(self.trials)

    @property
    def first(self) -> dict[str, Any]:
        """The settings of the first trial: the estimator's own, moved into the space."""
        return self.trials[0].settings

    def count(self, state: State) -> int:
        """Return how many trials ended so."""
        return sum(trial.state == state for trial in self.trials)


def best_of(trials: Sequence[TrialRow]) -> TrialRow:
    """Return the first trial with the lowest validation error of those that ran to their end."""
    done = [trial for trial in trials if trial.state == "done"]
    return min(done, key=lambda trial: trial.validation or 0.0)
