"""What estimators over sequences share: parameters that are frozen settings."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError

from relembra._config import replace
from relembra._errors import ConfigError
from relembra.tasks._sequence._changes import Changes

__all__ = ["SettingsEstimator"]


class SettingsEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """An estimator whose ``trunk__units=64`` makes a changed copy of the frozen trunk.

    Attributes
    ----------
    decided_by_data
        Parameters whose None stands for settings that follow from the data, and their classes:
        ``trunk__units=64`` then changes one and leaves the others to the data (`Changes`).
    """

    decided_by_data: ClassVar[Mapping[str, type]] = {}

    def set_params(self, **params: Any) -> Self:
        """Set parameters.

        Raises
        ------
        ConfigError
            There is no such parameter or setting; the nearest known one is named.
        """
        known = self._get_param_names()
        changes: dict[str, dict[str, Any]] = {}  # made together: one alone may make no sense
        for name, value in params.items():
            whole, _, part = name.partition("__")
            if whole not in known:
                near = difflib.get_close_matches(whole, known, n=1, cutoff=0.5)
                hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
                raise ConfigError(f"{type(self).__name__} has no parameter {whole!r}; {hint}")
            if part:
                changes.setdefault(whole, {})[part] = value
            else:
                setattr(self, whole, value)
        for whole, parts in changes.items():
            setattr(self, whole, self._changed(whole, parts))
        return self

    def settled(self, rows: Any) -> Self:
        """Return a copy, not fitted, with the settings that follow from the data spelled out.

        Parameters
        ----------
        rows
            As X of ``fit``.
        """
        copy: Self = clone(self)
        return copy

    def prepared(self, rows: Any, truth: Any, folder: Path) -> tuple[Any, Any]:
        """Return X and y for the `fit` of any copy that differs in trunk and training alone.

        What does not depend on these two, such as the encoding of a text, is then done once.

        Parameters
        ----------
        rows, truth
            As X and y of ``fit``.
        folder
            For files that must last as long as what is returned; made where it is needed.
        """
        return rows, truth

    def _changed(self, whole: str, parts: dict[str, Any]) -> Any:
        old = getattr(self, whole)
        if old is None and whole in self.decided_by_data:
            return Changes(self.decided_by_data[whole], parts)
        if isinstance(old, Changes):
            return old.changed(**parts)
        if not hasattr(old, "get_params"):
            raise ConfigError(f"{whole} is {old!r}, which has no setting {next(iter(parts))!r}")
        return replace(old, **parts)

    def check_settings(self, **kinds: type) -> None:
        """Raise `ConfigError` unless each named parameter is of its class."""
        for name, kind in kinds.items():
            value = getattr(self, name)
            open_ = name in self.decided_by_data
            if isinstance(value, kind) or (open_ and isinstance(value, Changes | None)):
                continue
            what = f"{kind.__name__}(...)" + (" or None" if open_ else "")
            raise ConfigError(f"{name} must be {what}, got {value!r}")

    def _check_fitted(self) -> None:
        if not hasattr(self, "fitted_"):
            raise NotFittedError(f"this {type(self).__name__} is not fitted yet; call fit first")
