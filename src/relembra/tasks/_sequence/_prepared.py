"""Data made ready once, for estimators that differ in what the data does not depend on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relembra._errors import ConfigError

__all__ = ["Prepared"]


@dataclass(frozen=True)
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
            if own is not value and own != value:
                raise ConfigError(
                    f"X was made ready for {name}={value!r}; the model has {name}={own!r}: call "
                    "its own prepared"
                )
