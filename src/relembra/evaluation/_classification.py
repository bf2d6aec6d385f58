"""Scores of predicted classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relembra._errors import ConfigError, DataError

__all__ = [
    "ClassScore",
    "ClassificationScores",
    "calibration_error",
    "classification_scores",
    "expected_calibration_error",
]


class ClassScore(NamedTuple):
    """How one class, or one kind of span, was found; 0 where a share has nothing below its line."""

    label: Any
    precision: float
    recall: float
    f1: float
    support: int  # how often it truly occurs


@dataclass(frozen=True)
class ClassificationScores:
    """What `classification_scores` found.

    Parameters
    ----------
    accuracy
        Share of right answers; it is also the micro-averaged F1.
    macro_f1, weighted_f1
        Mean of the classes' F1, and the mean weighted by how often each truly occurs.
    classes
        The scores of each class, in the order of the labels.
    confusion
        (K, K) counts: rows are the true classes, columns the predicted ones.
    """

    accuracy: float
    macro_f1: float
    weighted_f1: float
    classes: tuple[ClassScore, ...]
    confusion: NDArray[np.int64]

    @property
    def micro_f1(self) -> float:
        """The F1 of all decisions together: with one label each, the accuracy."""
        return self.accuracy


def classification_scores(
    truth: ArrayLike, predicted: ArrayLike, labels: Sequence[Any] | None = None
) -> ClassificationScores:
    """Return accuracy, F1 scores, the scores of each class and the confusion matrix.

    Computed by scikit-learn. A class that was never predicted has precision 0, one that never
    occurs recall 0; both count in the macro average if they are among the labels.

    Parameters
    ----------
    truth, predicted
        (n,) classes, numbers or strings.
    labels
        The K classes, in the order of the tables; None takes those that occur, sorted.

    Returns
    -------
    ClassificationScores

    Raises
    ------
    DataError
        The shapes differ, nothing was given, or a class is not among the labels.

    Examples
    --------
    >>> scores = classification_scores(["a", "a", "b", "b"], ["a", "b", "b", "b"])
    >>> scores.accuracy, round(scores.macro_f1, 4), scores.confusion.tolist()
    (0.75, 0.7333, [[1, 1], [0, 2]])
    >>> scores.classes[0]
    ClassScore(label='a', precision=1.0, recall=0.5, f1=0.6666666666666666, support=2)
    """
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    actual, guess = np.asarray(truth), np.asarray(predicted)
    if actual.ndim != 1 or actual.shape != guess.shape or not actual.size:
        raise DataError(
            f"truth has shape {actual.shape} and predicted {guess.shape}; both need one class for "
            "each example, and at least one"
        )
    occurring = np.union1d(actual, guess)
    known = occurring if labels is None else np.asarray(labels)
    foreign = np.setdiff1d(occurring, known)
    if foreign.size:
        raise DataError(f"{foreign.tolist()[0]!r} is not among the {len(known)} labels")
    if len(known) == 1:  # where scikit-learn warns, though there is nothing to count
        confusion = np.array([[actual.size]])
    else:
        confusion = confusion_matrix(actual, guess, labels=known)
    columns = precision_recall_fscore_support(actual, guess, labels=known, zero_division=0.0)
    precision, recall, f1, support = (column.tolist() for column in columns)
    return ClassificationScores(
        accuracy=float(np.mean(actual == guess)),
        macro_f1=float(np.mean(f1)),
        weighted_f1=float(np.average(f1, weights=support)),
        classes=tuple(
            ClassScore(*row)
            for row in zip(known.tolist(), precision, recall, f1, support, strict=True)
        ),
        confusion=confusion,
    )


def expected_calibration_error(truth: ArrayLike, probabilities: ArrayLike, bins: int = 15) -> float:
    r"""Return how far confidence and accuracy are apart, on average.

    The predictions are put in bins of equal width by the probability of the predicted class; the
    error is :math:`\sum_b \frac{n_b}{n} |\mathrm{acc}_b - \mathrm{conf}_b|`. Source: Guo, Pleiss,
    Sun & Weinberger, "On calibration of modern neural networks" (2017), equation 3.

    Parameters
    ----------
    truth
        (n,) the true class of each example, as a column of `probabilities`.
    probabilities
        (n, K), each row summing to 1.
    bins
        How many bins between 0 and 1; a probability on an edge belongs to the lower one.

    Returns
    -------
    float
        Between 0, for confidence that is always deserved, and 1.

    Raises
    ------
    DataError
        The shapes do not fit each other, nothing was given, a class is not a column, or a row is
        no distribution.
    ConfigError
        There is no bin.

    Examples
    --------
    Of four answers given with confidence 0.9, three are right.

    >>> expected_calibration_error([0, 0, 0, 1], [[0.9, 0.1]] * 4)
    0.15
    """
    if bins < 1:
        raise ConfigError(f"bins is a number from 1 upward, received {bins!r}")
    chances = np.asarray(probabilities, dtype=np.float64)
    actual = np.asarray(truth)
    if chances.ndim != 2 or not chances.size or actual.shape != chances.shape[:1]:
        raise DataError(
            f"truth has shape {actual.shape} and probabilities {chances.shape}, "
            "expected (n,) and (n, K)"
        )
    if not np.isin(actual, np.arange(chances.shape[1])).all():
        raise DataError(f"truth must hold columns from 0 to {chances.shape[1] - 1}")
    if not (np.all(chances >= 0) and np.allclose(chances.sum(1), 1.0, atol=1e-3)):
        raise DataError("each row of probabilities must be at least 0 and sum to 1")
    return calibration_error(chances.argmax(1) == actual, chances.max(1), bins)


def calibration_error(right: ArrayLike, confidence: ArrayLike, bins: int = 15) -> float:
    """Return what `expected_calibration_error` does, from what it needs of each prediction.

    Parameters
    ----------
    right
        (n,) whether it was right.
    confidence
        (n,) the probability that it was given.
    bins
        As there.

    Raises
    ------
    DataError
        The shapes differ, nothing was given, or a confidence is no probability.
    ConfigError
        There is no bin.

    Examples
    --------
    >>> calibration_error([True, True, True, False], [0.9] * 4)
    0.15
    """
    if bins < 1:
        raise ConfigError(f"bins is a number from 1 upward, received {bins!r}")
    hits, given = np.asarray(right, dtype=np.float64), np.asarray(confidence, dtype=np.float64)
    if given.ndim != 1 or not given.size or hits.shape != given.shape:
        raise DataError(f"right has shape {hits.shape} and confidence {given.shape}, expected (n,)")
    if not (np.all(given >= 0) and np.all(given <= 1 + 1e-3)):
        raise DataError("each confidence must be between 0 and 1")
    place = np.clip(np.ceil(given * bins).astype(np.int64) - 1, 0, bins - 1)
    gaps = np.bincount(place, weights=hits - given, minlength=bins)
    return float(np.round(np.abs(gaps).sum() / len(given), 12))
