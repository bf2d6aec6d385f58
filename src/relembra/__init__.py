"""Relembra: recurrent networks that forecast with one command and drop into PyTorch code.

Everything but the errors is loaded at first use, so that ``import relembra`` is quick.

Examples
--------
>>> import relembra
>>> relembra.RelembraError.__mro__[1]
<class 'Exception'>
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from relembra._errors import ArtifactError as ArtifactError
from relembra._errors import ConfigError as ConfigError
from relembra._errors import DataError as DataError
from relembra._errors import DivergenceError as DivergenceError
from relembra._errors import MissingExtraError as MissingExtraError
from relembra._errors import OutputExistsError as OutputExistsError
from relembra._errors import RelembraError as RelembraError
from relembra._errors import SlowPathWarning as SlowPathWarning

if TYPE_CHECKING:
    from relembra import data as data
    from relembra import engine as engine
    from relembra import evaluation as evaluation
    from relembra import keras as keras
    from relembra import nn as nn
    from relembra import report as report
    from relembra import tasks as tasks
    from relembra import training as training
    from relembra._accelerate import accelerate as accelerate
    from relembra._accelerate import acceleration as acceleration
    from relembra._accelerate import restore as restore
    from relembra.nn import Trunk as Trunk
    from relembra.tasks import Classifier as Classifier
    from relembra.tasks import Forecaster as Forecaster
    from relembra.tasks import LanguageModel as LanguageModel
    from relembra.tasks import Tagger as Tagger
    from relembra.training import Training as Training

    __version__: str

__all__ = [
    "ArtifactError",
    "Classifier",
    "ConfigError",
    "DataError",
    "DivergenceError",
    "Forecaster",
    "LanguageModel",
    "MissingExtraError",
    "OutputExistsError",
    "RelembraError",
    "SlowPathWarning",
    "Tagger",
    "Training",
    "Trunk",
    "__version__",
    "accelerate",
    "acceleration",
    "data",
    "engine",
    "evaluation",
    "nn",
    "report",
    "restore",
    "tasks",
    "training",
]

_PACKAGES = frozenset(
    {"data", "engine", "evaluation", "keras", "nn", "report", "tasks", "training"}
)
_HOME = {
    "Classifier": "relembra.tasks",
    "Forecaster": "relembra.tasks",
    "LanguageModel": "relembra.tasks",
    "Tagger": "relembra.tasks",
    "Training": "relembra.training",
    "Trunk": "relembra.nn",
    "accelerate": "relembra._accelerate",
    "acceleration": "relembra._accelerate",
    "restore": "relembra._accelerate",
}


def __getattr__(name: str) -> object:
    """Load a public name at its first use (PEP 562)."""
    value: object
    if name in _PACKAGES:
        value = importlib.import_module(f"relembra.{name}")
    elif name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
    elif name == "__version__":
        value = importlib.import_module("importlib.metadata").version("relembra")
    else:
        raise AttributeError(f"module 'relembra' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
