"""A forecaster in one file: its settings as JSON, its weights and scalers as tensors."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from relembra._errors import ArtifactError, RelembraError
from relembra.artifact import ModelFile, load_model, save_model
from relembra.data import PanelSchema, Standardizer
from relembra.nn import Trunk
from relembra.tasks.forecast._fitting import Fitted
from relembra.tasks.forecast._network import ForecastNetwork, Sizes
from relembra.tasks.forecast._plan import Plan
from relembra.tasks.forecast._settings import Columns
from relembra.training import Training

if TYPE_CHECKING:
    from relembra.tasks.forecast._forecaster import Forecaster

__all__ = ["load_forecaster", "save_forecaster"]

T = TypeVar("T", bound="Forecaster")

_SETTINGS = {"columns": Columns, "trunk": Trunk, "training": Training}
_NETWORK, _SCALER = "network.", "standardizer."


def save_forecaster(model: Forecaster, path: str | os.PathLike[str], *, force: bool) -> None:
    """Write a fitted forecaster."""
    fitted = model.fitted_
    tensors = {_NETWORK + name: t for name, t in fitted.network.state_dict().items()}
    tensors |= {_SCALER + name: t for name, t in fitted.standardizer.tensors().items()}
    parameters: dict[str, Any] = model.get_params(deep=False)
    config: dict[str, Any] = {
        "parameters": {
            name: _plain(dataclasses.asdict(value) if name in _SETTINGS else value)
            for name, value in parameters.items()
        },
        "plan": model.plan_.to_json(),
        "schema": model.schema_.to_json(),
        "sizes": fitted.network.sizes._asdict(),
        "steps": fitted.steps,
    }
    save_model(
        path, job="forecast", config=config, tensors=tensors | {"factors": fitted.factors},
        force=force,
    )  # fmt: skip


def load_forecaster(cls: type[T], path: str | os.PathLike[str]) -> T:
    """Read a forecaster; a file whose parts do not fit together is an `ArtifactError`."""
    file = load_model(path, job="forecast")
    try:
        return _rebuild(cls, file)
    except (
        AttributeError, LookupError, TypeError, ValueError, RuntimeError, RelembraError
    ) as error:  # fmt: skip
        what = f"{error} is missing" if isinstance(error, KeyError) else error
        raise ArtifactError(
            f"{os.fspath(path)} is a forecast model whose parts do not fit together: {what}"
        ) from error


def _rebuild(cls: type[T], file: ModelFile) -> T:
    config, tensors = file.config, file.tensors
    parameters = {name: _setting(name, value) for name, value in config["parameters"].items()}
    model = cls(**parameters)
    model.plan_ = Plan.from_json(config["plan"])
    model.schema_ = PanelSchema.from_json(config["schema"])
    model.arrays_ = None
    sizes = Sizes(**{**config["sizes"], "categories": tuple(config["sizes"]["categories"])})
    with torch.random.fork_rng(devices=[]):
        network = ForecastNetwork(model.trunk, model.plan_, sizes, model.levels)
    network.load_state_dict(_part(tensors, _NETWORK))
    network.eval()
    standardizer = Standardizer.from_tensors(_part(tensors, _SCALER))
    factors = tensors["factors"]
    _check_sizes(factors, len(model.levels), "factors")
    for name, tensor in standardizer.tensors().items():
        _check_sizes(tensor, getattr(sizes, name.partition("_")[0]), _SCALER + name)
    model.fitted_ = Fitted(network, standardizer, factors, None, None, int(config["steps"]))
    return model


def _check_sizes(tensor: Tensor, size: int, name: str) -> None:
    if tensor.dtype != torch.float64 or tensor.shape != (size,):
        raise ValueError(
            f"{name} is {tensor.dtype} {tuple(tensor.shape)}, expected torch.float64 ({size},)"
        )


def _plain(value: Any) -> Any:
    """Return a value that JSON can hold: a search may set numpy's numbers."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value.item() if isinstance(value, np.generic) else value


def _setting(name: str, value: Any) -> Any:
    if name in _SETTINGS:
        return _SETTINGS[name](**{k: _tuple(v) for k, v in value.items()})
    return _tuple(value)


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
