"""Labels as a classifier learns them: numbers from 0 on, each with its weight."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any, Literal

import numpy as np
from sklearn.utils import column_or_1d

from relembra._errors import ConfigError, DataError
from relembra.data import Labels, label_codes

__all__ = ["ClassWeight", "classes_of", "weights_by_class"]

ClassWeight = Literal["balanced"] | Mapping[Any, float] | tuple[float, ...] | None


def classes_of(y: Any, rows: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the labels, sorted, and the number of each row's label (n,).

    Raises
    ------
    DataError
        They are not one for each row, no labels, or all the same.
    """
    given = y if isinstance(y, Labels) else _array(y)
    if given.shape != (rows,):
        raise DataError(f"y has shape {given.shape}; expected ({rows},), a label for each row of X")
    if isinstance(given, np.ndarray) and given.dtype.kind == "f":
        _check_whole(given)
    if isinstance(given, np.ndarray) and given.dtype.kind == "O":
        _check_objects(given)
    classes, truth = label_codes(given)
    if len(classes) < 2:
        raise DataError(f"y has {len(classes)} class; expected two or more")
    return classes, truth


def _array(y: Any) -> np.ndarray[Any, Any]:
    if y is None:
        raise DataError("Classifier requires y to be passed, but the target y is None")
    given = np.asarray(y)
    if given.ndim == 2 and given.shape[1] == 1:
        given = column_or_1d(given, warn=True)
    return given


def _check_whole(given: np.ndarray[Any, Any]) -> None:
    if not (np.isfinite(given).all() and (given % 1 == 0).all()):
        raise DataError(
            "y has numbers that are not whole. Unknown label type: continuous; give whole numbers "
            "or text as labels"
        )


def _check_objects(given: np.ndarray[Any, Any]) -> None:
    """Refuse what cannot be put in order: missing labels, and numbers beside text."""
    labels = given.tolist()
    are_text = isinstance(labels[0], str) if labels else False
    for number, label in enumerate(labels, 1):
        known = isinstance(label, str | Real) and label == label  # NaN is missing
        if not known or isinstance(label, str) != are_text:
            raise DataError(
                f"row {number} of y is {label!r:.40}; expected a label for each row, all text or "
                "all numbers"
            )


def weights_by_class(weights: ClassWeight, classes: np.ndarray[Any, Any]) -> ClassWeight:
    """Return weights by label as those of the classes, (K,).

    Raises
    ------
    ConfigError
        There is a weight for a label that the data does not have.
    """
    if not isinstance(weights, Mapping):
        return weights
    known = classes.tolist()
    strange = [label for label in weights if label not in known]
    if strange:
        raise ConfigError(f"class_weight has {strange[0]!r}; the labels are {known}")
    return tuple(float(weights.get(label, 1.0)) for label in known)
