"""How good a classifier is on labelled rows, beside baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from relembra._errors import DataError
from relembra.evaluation import (
    ClassificationScores,
    classification_scores,
    expected_calibration_error,
)

__all__ = ["Evaluation", "Predictor", "evaluate_all"]

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]

_LEAST = 1e-12


class Predictor(Protocol):
    """A classifier or a baseline."""

    @property
    def classes_(self) -> Any:
        """The labels."""

    def predict_proba(self, X: Any) -> Floats:  # noqa: N803
        """Return (n, K)."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What one model scored.

    Attributes
    ----------
    name
        Of the model.
    scores
        Accuracy, F1, confusion.
    calibration
        The expected calibration error.
    log_loss
        Mean negative logarithm of the true label's probability.
    labels
        The K labels, in the order of the tables.
    truth, chances
        (n,) the true labels, as numbers, and (n, K) probabilities.
    """

    name: str
    scores: ClassificationScores
    calibration: float
    log_loss: float
    labels: list[Any]
    truth: Ints
    chances: Floats

    def to_dict(self) -> dict[str, Any]:
        """Return the scores as JSON values."""
        return {
            "model": self.name,
            "accuracy": self.scores.accuracy,
            "macro_f1": self.scores.macro_f1,
            "weighted_f1": self.scores.weighted_f1,
            "log_loss": self.log_loss,
            "calibration_error": self.calibration,
            "n": len(self.truth),
        }

    def mistakes(self, most: int) -> list[int]:
        """Return numbers of the rows with wrong answers, the most confident ones first."""
        guess = self.chances.argmax(1)
        wrong = np.flatnonzero(guess != self.truth)
        order = np.argsort(-self.chances[wrong, guess[wrong]], kind="stable")
        return [int(row) for row in wrong[order][:most]]


def evaluate_all(
    models: Sequence[tuple[str, Predictor]], rows: Any, labels: Any
) -> list[Evaluation]:
    """Score models on labelled rows.

    Parameters
    ----------
    models
        Names and models.
    rows, labels
        Data that none of them was trained on.

    Raises
    ------
    DataError
        There are no rows.
    """
    given = np.asarray(labels)
    if not len(given):
        raise DataError("there are no rows to score")
    return [_evaluate(name, model, rows, given) for name, model in models]


def _evaluate(name: str, model: Predictor, rows: Any, given: np.ndarray[Any, Any]) -> Evaluation:
    known = np.asarray(model.classes_)
    if known.dtype.kind != given.dtype.kind:  # labels of a table are text
        known, given = known.astype(str), given.astype(str)
    every = np.concatenate([known, np.setdiff1d(given, known)])
    order = np.argsort(every, kind="stable")
    every = every[order]
    chances = np.zeros((len(given), len(every)))  # a label that training never saw has no chance
    chances[:, np.searchsorted(every, known)] = model.predict_proba(rows)
    truth = np.searchsorted(every, given)
    scores = classification_scores(every[truth], every[chances.argmax(1)], every.tolist())
    own = np.maximum(chances[np.arange(len(truth)), truth], _LEAST)
    return Evaluation(
        name=name,
        scores=scores,
        calibration=expected_calibration_error(truth, chances),
        log_loss=float(-np.log(own).mean()),
        labels=every.tolist(),
        truth=truth,
        chances=chances,
    )
