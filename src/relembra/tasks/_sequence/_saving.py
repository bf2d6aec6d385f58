"""Estimators over sequences that are kept in one file."""

from __future__ import annotations

import os
from abc import abstractmethod
from typing import Any, ClassVar, Self

from relembra.tasks._sequence._estimator import SettingsEstimator
from relembra.tasks._sequence._model_file import (
    SavedModel,
    load_sequence_model,
    rebuilding,
    save_sequence_model,
)

__all__ = ["SequenceEstimator"]


class SequenceEstimator(SettingsEstimator):
    """An estimator with a feature and a network, `feature_` and `fitted_.network`.

    Attributes
    ----------
    job
        What its files say that they hold.
    """

    job: ClassVar[str]

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write the model to one safetensors file; `load` brings it back.

        Raises
        ------
        OutputExistsError
            The file exists and `force` is not given.
        """
        self._check_fitted()
        parameters = self._parameters()
        if not isinstance(parameters["features"], str):
            parameters["features"] = "auto"  # the feature itself is in the file
        save_sequence_model(
            path,
            job=self.job,
            parameters=parameters,
            feature=self.feature_,
            network=self.fitted_.network,
            config=self._config(),
            force=force,
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a model from its file; nothing in it is executed.

        Raises
        ------
        ArtifactError
            The file is missing, damaged, of another version or another job's.
        """
        saved = load_sequence_model(path, job=cls.job)
        with rebuilding(path):
            model = cls(**saved.parameters)
            model.feature_ = saved.feature
            model._restore(saved)
        return model

    def _parameters(self) -> dict[str, Any]:
        """Return the parameters that the file is to hold."""
        found: dict[str, Any] = self.get_params(deep=False)
        return found

    @abstractmethod
    def _config(self) -> dict[str, Any]:
        """Return what else the file is to hold, as JSON values."""

    @abstractmethod
    def _restore(self, saved: SavedModel) -> None:
        """Take the fitted state from a file; `feature_` is there."""
