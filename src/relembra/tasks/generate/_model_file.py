"""A language model in one file: settings and tokens as JSON, weights as tensors."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor

from relembra._errors import ArtifactError, RelembraError
from relembra.artifact import ModelFile, load_model, save_model
from relembra.data import Characters, Subwords, Words, feature_from_json
from relembra.nn import Trunk
from relembra.tasks.generate._network import LanguageNetwork
from relembra.tasks.generate._settings import Language
from relembra.training import History, Training

if TYPE_CHECKING:
    from relembra.tasks.generate._language_model import LanguageModel

__all__ = ["JOB", "load_language_model", "save_language_model"]

JOB = "generate"

T = TypeVar("T", bound="LanguageModel")

_SETTINGS = {"language": Language, "trunk": Trunk, "training": Training}
_NETWORK, _FEATURE = "network.", "feature."


def save_language_model(model: LanguageModel, path: str | os.PathLike[str], *, force: bool) -> None:
    """Write a fitted model."""
    tensors = {_NETWORK + name: t for name, t in model.network_.state_dict().items()}
    if model.feature_ is not None:
        tensors |= {_FEATURE + name: t for name, t in model.feature_.tensors().items()}
    config: dict[str, Any] = {
        "parameters": {
            name: dataclasses.asdict(value) if name in _SETTINGS else value
            for name, value in model.get_params(deep=False).items()
        },
        "feature": None if model.feature_ is None else model.feature_.to_json(),
        "symbols": model.network_.symbols,
        "history": {**model.history_.to_dict(), "reason": model.history_.reason},
        "sample": model.sample_,
    }
    save_model(path, job=JOB, config=config, tensors=tensors, force=force)


def load_language_model(cls: type[T], path: str | os.PathLike[str]) -> T:
    """Read a model; a file whose parts do not fit together is an `ArtifactError`."""
    file = load_model(path, job=JOB)
    try:
        return _rebuild(cls, file)
    except (
        AttributeError, LookupError, TypeError, ValueError, RuntimeError, RelembraError
    ) as error:  # fmt: skip
        what = f"{error} is missing" if isinstance(error, KeyError) else error
        raise ArtifactError(
            f"{os.fspath(path)} is a language model whose parts do not fit together: {what}"
        ) from error


def _rebuild(cls: type[T], file: ModelFile) -> T:
    config = file.config
    given = config["parameters"]
    settings = {name: kind(**given[name]) for name, kind in _SETTINGS.items()}
    model = cls(**{**given, **settings})
    model.feature_ = None
    if config["feature"] is not None:
        feature = feature_from_json(config["feature"], _part(file.tensors, _FEATURE))
        if not isinstance(feature, Characters | Words | Subwords):
            raise ValueError(f"its tokens are {feature.kind}")
        if feature.size != config["symbols"]:
            raise ValueError(f"{feature.size} tokens for {config['symbols']} outputs")
        model.feature_ = feature
    with torch.random.fork_rng(devices=[]):
        network = LanguageNetwork(config["symbols"], model.language, model.trunk, model.outputs)
    network.load_state_dict(_part(file.tensors, _NETWORK))
    model.network_ = network.eval()
    columns = dict(config["history"])
    model.history_ = History.from_dict(columns, columns.pop("reason"))
    model.sample_ = str(config["sample"])
    return model


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
