"""What a search may choose: ranges and lists for five settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from relembra._config import config, replace
from relembra._errors import ConfigError

__all__ = ["Between", "Choice", "OneOf", "SearchSpace", "read_choice"]

_WHOLE = frozenset({"units", "layers"})
_LOG = frozenset({"units", "learning_rate"})


@dataclass(frozen=True)
class Between:
    """Any value from `low` to `high`: whole numbers for units and layers.

    Units and learning rates are drawn on a logarithmic scale. Learning rates and dropout are
    rounded to three digits, so that a command line can repeat them.

    Examples
    --------
    >>> str(Between(32, 256))
    '32:256'
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ConfigError(f"a range goes from a lower to a higher value, got {self}")

    def __str__(self) -> str:
        return f"{self.low:g}:{self.high:g}"


@dataclass(frozen=True)
class OneOf:
    """One of these values; a single one is taken always.

    Examples
    --------
    >>> str(OneOf(("lstm", "gru")))
    'lstm,gru'
    """

    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if not self.values or len(set(self.values)) < len(self.values):
            raise ConfigError(f"expected one or more distinct values, got {self.values}")

    def __str__(self) -> str:
        return ",".join(map(str, self.values))


Choice: TypeAlias = Between | OneOf


@config
class SearchSpace:
    """What a search may choose for each setting; anything else stays as the estimator has it.

    Parameters
    ----------
    cell, units, layers, dropout
        Of the trunk.
    learning_rate
        Of the training.

    Examples
    --------
    >>> space = SearchSpace(units=Between(16, 64), layers=OneOf((1,)))
    >>> space.varied()
    ['cell', 'units', 'dropout', 'learning_rate']
    """

    cell: Choice = OneOf(("lstm", "gru"))
    units: Choice = Between(32, 256)
    layers: Choice = Between(1, 2)
    dropout: Choice = Between(0.0, 0.6)
    learning_rate: Choice = Between(5e-4, 2e-2)

    def __post_init__(self) -> None:
        for name, choice in self.choices().items():
            if not isinstance(choice, Between | OneOf):
                raise ConfigError(f"{name} is {choice!r}; expected Between(...) or OneOf(...)")
        if isinstance(self.cell, Between):
            raise ConfigError(f"cells are named, got the range {self.cell}")

    def choices(self) -> dict[str, Choice]:
        """Return the choice for each setting."""
        return dict(self.get_params())  # type: ignore[attr-defined]

    def varied(self) -> list[str]:
        """Return the settings that have more than one value."""
        return [name for name, choice in self.choices().items() if not _is_fixed(choice)]

    def corners(self) -> list[dict[str, Any]]:
        """Return settings that show whether all of the space makes sense: its ends."""
        columns = {
            name: choice.values if isinstance(choice, OneOf) else (choice.low, choice.high)
            for name, choice in self.choices().items()
        }
        most = max(map(len, columns.values()))
        return [
            {name: _typed(name, values[k % len(values)]) for name, values in columns.items()}
            for k in range(most)
        ]

    def nearest(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return the varied settings moved into the space, where they are outside of it."""
        found = {}
        for name in self.varied():
            choice, value = self.choices()[name], settings[name]
            if isinstance(choice, Between):
                found[name] = _typed(name, min(max(value, choice.low), choice.high))
            else:
                found[name] = value if value in choice.values else choice.values[0]
        return found

    def suggest(self, name: str, trial: Any) -> Any:
        """Return what a trial of optuna's draws for a varied setting."""
        choice = self.choices()[name]
        if isinstance(choice, OneOf):
            return trial.suggest_categorical(name, choice.values)
        log = name in _LOG
        if name in _WHOLE:
            return trial.suggest_int(name, int(choice.low), int(choice.high), log=log)
        return trial.suggest_float(name, choice.low, choice.high, log=log)

    def settings(self, drawn: Mapping[str, Any]) -> dict[str, Any]:
        """Return all settings, given what was drawn for the varied ones."""
        found = {}
        for name, choice in self.choices().items():
            if isinstance(choice, OneOf):
                found[name] = drawn.get(name, choice.values[0])
            elif name in _WHOLE:
                found[name] = drawn[name]
            else:
                found[name] = min(max(float(f"{drawn[name]:.3g}"), choice.low), choice.high)
        return found

    def changed(self, texts: Mapping[str, str | None]) -> SearchSpace:
        """Return the space with the choices that were given as text, as 32:256 or lstm,gru."""
        given = {name: read_choice(name, text) for name, text in texts.items() if text is not None}
        return replace(self, **given)


def read_choice(name: str, text: str) -> Choice:
    """Read ``LOW:HIGH``, ``A,B,C`` or a single value.

    Raises
    ------
    ConfigError
        It is none of these.

    Examples
    --------
    >>> read_choice("units", "64,128")
    OneOf(values=(64, 128))
    >>> read_choice("dropout", "0:0.5")
    Between(low=0.0, high=0.5)
    """
    if name == "cell":
        return OneOf(tuple(text.split(",")))
    number = int if name in _WHOLE else float
    parts = text.split(":") if ":" in text else text.split(",")
    try:
        values = tuple(number(part) for part in parts)
    except ValueError:
        values = ()
    if not values or (":" in text and len(values) != 2):
        kind = "whole numbers" if name in _WHOLE else "numbers"
        raise ConfigError(
            f"{name.replace('_', ' ')} is {text!r}; expected {kind}: a range as LOW:HIGH, a list "
            "as A,B,C, or a single one"
        )
    return Between(*values) if ":" in text else OneOf(values)


def _is_fixed(choice: Choice) -> bool:
    return isinstance(choice, OneOf) and len(choice.values) == 1


def _typed(name: str, value: Any) -> Any:
    return int(value) if name in _WHOLE else value
