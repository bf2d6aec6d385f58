"""What a search chooses from, job by job, where nobody says otherwise."""

from __future__ import annotations

from typing import Any

from relembra._errors import ConfigError
from relembra.tasks.tune._space import Between, SearchSpace

__all__ = ["MEASURES", "SPACES", "default_space"]

SPACES = {
    "Forecaster": SearchSpace(units=Between(16, 128), learning_rate=Between(1e-3, 2e-2)),
    "Classifier": SearchSpace(units=Between(32, 256), learning_rate=Between(5e-4, 1e-2)),
    "Tagger": SearchSpace(units=Between(64, 320), learning_rate=Between(5e-4, 1e-2)),
    "LanguageModel": SearchSpace(
        units=Between(128, 512), layers=Between(1, 3), learning_rate=Between(1e-3, 1e-2)
    ),
}
"""The space of each estimator, by the name of its class."""

MEASURES = {
    "Forecaster": "quantile loss",
    "Classifier": "cross-entropy",
    "Tagger": "one less the score",
    "LanguageModel": "nats per token",
}
"""What the validation error of each estimator is."""


def default_space(model: Any) -> SearchSpace:
    """Return the space of an estimator.

    Raises
    ------
    ConfigError
        There is none for its class.

    Examples
    --------
    >>> from relembra.tasks import Tagger
    >>> str(default_space(Tagger()).units)
    '64:320'
    """
    name = type(model).__name__
    if name not in SPACES:
        raise ConfigError(f"no search is known for {name}; known: {', '.join(SPACES)}")
    return SPACES[name]
