"""How good a classifier is on labelled rows, beside baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from relembra._errors import DataError
from relembra.data import label_codes
from relembra.evaluation import ClassificationScores, calibration_error, classification_scores
from relembra.tasks._sequence import note_unknown
from relembra.tasks.classify._features import subset

__all__ = ["Evaluation", "Predictor", "evaluate_all", "unknown_labels"]

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]

_LEAST = 1e-12
_CELLS = 1 << 24  # probabilities at once


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
    truth, answers
        (n,) the true labels and the most likely ones, as numbers.
    confidence
        (n,) the probability of each answer.
    """

    name: str
    scores: ClassificationScores
    calibration: float
    log_loss: float
    labels: list[Any]
    truth: Ints
    answers: Ints
    confidence: Floats

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
        wrong = np.flatnonzero(self.answers != self.truth)
        order = np.argsort(-self.confidence[wrong], kind="stable")
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
    names, codes = label_codes(labels)
    if not len(codes):
        raise DataError("there are no rows to score")
    return [_evaluate(name, model, rows, names, codes) for name, model in models]


def unknown_labels(model: Predictor, labels: Any) -> tuple[str, ...]:
    """Return a sentence for people where a model never learnt some of the labels of rows.

    Raises
    ------
    DataError
        It learnt none of them.
    """
    names, codes = label_codes(labels)
    counts = dict(zip(names.tolist(), np.bincount(codes).tolist(), strict=True))
    return note_unknown(model.classes_, counts, rows="rows", labels="labels")


def _evaluate(
    name: str, model: Predictor, rows: Any, names: np.ndarray[Any, Any], codes: Ints
) -> Evaluation:
    known = np.asarray(model.classes_)
    if known.dtype.kind != names.dtype.kind:  # labels of a table are text
        known, names = known.astype(str), names.astype(str)
    every = np.concatenate([known, np.setdiff1d(names, known)])
    every = every[np.argsort(every, kind="stable")]
    truth, columns = np.searchsorted(every, names)[codes], np.searchsorted(every, known)
    answers, confidence = np.empty(len(truth), np.int64), np.empty(len(truth))
    own = np.empty(len(truth))  # the probability of the true label
    pieces = _slices(len(truth), len(every))
    for some in pieces:
        part = rows if len(pieces) == 1 else subset(rows, np.arange(some.start, some.stop))
        chances = np.zeros((some.stop - some.start, len(every)))
        chances[:, columns] = model.predict_proba(part)  # what training never saw has no chance
        answers[some], confidence[some] = chances.argmax(1), chances.max(1)
        own[some] = chances[np.arange(len(chances)), truth[some]]
    scores = classification_scores(truth, answers, range(len(every)))
    labels = every.tolist()
    named = tuple(one._replace(label=labels[one.label]) for one in scores.classes)
    return Evaluation(
        name=name,
        scores=replace(scores, classes=named),
        calibration=calibration_error(answers == truth, confidence),
        log_loss=float(-np.log(np.maximum(own, _LEAST)).mean()),
        labels=labels,
        truth=truth,
        answers=answers,
        confidence=confidence,
    )


def _slices(rows: int, classes: int) -> list[slice]:
    """Return pieces of the rows whose probabilities are held at once; few rows are one piece."""
    step = max(_CELLS // classes, 1)
    return [slice(begin, min(begin + step, rows)) for begin in range(0, rows, step)]
