"""A model over sequences in one file: parameters and feature as JSON, weights as tensors."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, nn

from relembra._errors import ArtifactError, RelembraError
from relembra.artifact import load_model, save_model
from relembra.data import Feature, feature_from_json
from relembra.nn import Trunk
from relembra.tasks._sequence._settings import Embedding
from relembra.training import Training

__all__ = ["SavedModel", "load_sequence_model", "rebuilding", "save_sequence_model"]

_SETTINGS = {"trunk": Trunk, "training": Training, "embedding": Embedding}
_NETWORK, _FEATURE = "network.", "feature."


@dataclass(frozen=True)
class SavedModel:
    """What a file holds.

    Attributes
    ----------
    parameters
        Of the estimator.
    feature
        Ready to encode.
    config
        What the job added, as JSON values.
    network
        The weights, for ``load_state_dict``.
    tensors
        Those that the job added.
    """

    parameters: dict[str, Any]
    feature: Feature
    config: dict[str, Any]
    network: dict[str, Tensor]
    tensors: dict[str, Tensor]


def save_sequence_model(
    path: str | os.PathLike[str],
    *,
    job: str,
    parameters: Mapping[str, Any],
    feature: Feature,
    network: nn.Module,
    config: Mapping[str, Any],
    tensors: Mapping[str, Tensor] | None = None,
    force: bool = False,
) -> None:
    """Write a fitted model.

    Parameters
    ----------
    path
        The file.
    job
        Which job it does.
    parameters
        ``get_params(deep=False)`` of the estimator: settings and plain values.
    feature, network
        Fitted.
    config, tensors
        What else rebuilds the model.
    force
        Replace an existing file.

    Raises
    ------
    OutputExistsError
        The file exists and `force` is not given.
    """
    everything = {_NETWORK + name: t for name, t in network.state_dict().items()}
    everything |= {_FEATURE + name: t for name, t in feature.tensors().items()}
    described = {
        "parameters": {name: _plain(value) for name, value in parameters.items()},
        "feature": feature.to_json(),
        "job": _plain(dict(config)),
    }
    save_model(path, job=job, config=described, tensors=everything | dict(tensors or {}),
               force=force)  # fmt: skip


def load_sequence_model(path: str | os.PathLike[str], *, job: str) -> SavedModel:
    """Read what `save_sequence_model` wrote; nothing in it is executed.

    Raises
    ------
    ArtifactError
        The file is missing, damaged, of another version or job.
    """
    file = load_model(path, job=job)
    with rebuilding(path):
        config = file.config
        parameters = {name: _setting(name, v) for name, v in config["parameters"].items()}
        feature = feature_from_json(config["feature"], _part(file.tensors, _FEATURE))
        own = (_NETWORK, _FEATURE)
        others = {n: t for n, t in file.tensors.items() if not n.startswith(own)}
        return SavedModel(
            parameters, feature, dict(config["job"]), _part(file.tensors, _NETWORK), others
        )


@contextmanager
def rebuilding(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn what goes wrong inside into an `ArtifactError` that names the file."""
    try:
        yield
    except (
        AttributeError, LookupError, TypeError, ValueError, RuntimeError, RelembraError
    ) as error:  # fmt: skip
        what = f"{error} is missing" if isinstance(error, KeyError) else error
        raise ArtifactError(
            f"{os.fspath(path)} is a model whose parts do not fit together: {what}"
        ) from error


def _plain(value: Any) -> Any:
    """Return a value that JSON can hold: a search may set numpy's numbers."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(dataclasses.asdict(value))
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value.item() if isinstance(value, np.generic) else value


def _setting(name: str, value: Any) -> Any:
    if name in _SETTINGS and value is not None:
        return _SETTINGS[name](**{k: _tuple(v) for k, v in value.items()})
    return _tuple(value)


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
