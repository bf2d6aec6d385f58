"""Data made ready once, for estimators that differ in what the data does not depend on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from relembra._errors import ConfigError

__all__ = ["Prepared", "same_parameter"]


@dataclass(frozen=True, eq=False)
class Prepared:
    """What `prepared` of an estimator returns, to be given to `fit` in place of X and y.

    Attributes
    ----------
    made_for
        The parameters that it depends on, and the values that they had.
    """

    made_for: Mapping[str, Any]

    def check(self, model: Any) -> None:
        """Raise `ConfigError` if an estimator would have made something else of the data."""
        for name, value in self.made_for.items():
            own = getattr(model, name)
            if not same_parameter(own, value):
                raise ConfigError(
                    f"X was made ready for {name}={value!r}; the model has {name}={own!r}: call "
                    "its own prepared"
                )


def same_parameter(one: Any, other: Any) -> bool:
    """Tell whether two values of a parameter mean the same.

    Features are compared by what rebuilds them: `sklearn.base.clone` copies them, and those that
    hold tensors are equal to themselves alone.

    Examples
    --------
    >>> from copy import deepcopy
    >>> from relembra.data import Frames
    >>> feature = Frames.fit([[0.0, 4.0]])
    >>> feature == deepcopy(feature), same_parameter(feature, deepcopy(feature))
    (False, True)
    """
    if one is other:
        return True
    if not (hasattr(one, "tensors") and hasattr(other, "tensors")):
        return bool(one == other)
    mine, theirs = one.tensors(), other.tensors()
    return (
        one.to_json() == other.to_json()
        and mine.keys() == theirs.keys()
        and all(_same_tensor(mine[name], theirs[name]) for name in mine)
    )


def _same_tensor(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.dtype == other.dtype and torch.equal(one, other)
