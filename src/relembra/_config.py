"""Frozen settings whose errors name the nearest known key."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable
from typing import Any, TypeVar, cast, dataclass_transform

from relembra._errors import ConfigError

__all__ = ["check_count", "config", "replace"]

T = TypeVar("T")


def _check_keys(cls: type, given: dict[str, object]) -> None:
    known = [f.name for f in dataclasses.fields(cls)]
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
            raise ConfigError(f"{cls.__name__} has no setting {key!r}; {hint}")


def _python_number(value: Any) -> Any:
    """Return numpy's numbers, which a grid search sets, as Python's; anything else as it is."""
    numpys = type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0
    return value.item() if numpys else value


@dataclass_transform(kw_only_default=True, frozen_default=True)
def config(cls: type[T]) -> type[T]:
    """Make a class a frozen, keyword-only dataclass that explains unknown keys.

    It also gets ``get_params()``, so that scikit-learn can look inside and copy it.

    Examples
    --------
    >>> @config
    ... class Size:
    ...     units: int = 50
    >>> Size(units=8)
    Size(units=8)
    >>> Size(unit=8)
    Traceback (most recent call last):
    ...
    relembra._errors.ConfigError: Size has no setting 'unit'; did you mean 'units'?
    """
    made = dataclasses.dataclass(frozen=True, kw_only=True)(cls)
    plain_init = cast(Callable[..., None], made.__init__)

    def __init__(self: object, **values: object) -> None:
        _check_keys(made, values)
        plain_init(self, **{name: _python_number(value) for name, value in values.items()})

    def get_params(self: Any, deep: bool = True) -> dict[str, object]:
        """Return the settings by name."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    made.__init__ = __init__  # type: ignore[method-assign]
    made.get_params = get_params  # type: ignore[attr-defined]
    return made


def check_count(name: str, value: object, *, least: int | None) -> None:
    """Raise `ConfigError` unless a value is a whole number, of `least` or more where it is given.

    Examples
    --------
    >>> check_count("Trunk.units", 0.5, least=1)
    Traceback (most recent call last):
    ...
    relembra._errors.ConfigError: Trunk.units is 0.5; it must be a whole number of 1 or more
    """
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or (least is not None and value < least):  # type: ignore[operator]
        wanted = "a whole number" if least is None else f"a whole number of {least} or more"
        raise ConfigError(f"{name} is {value!r}; it must be {wanted}")


def replace(settings: T, **changes: object) -> T:
    """Return a copy of frozen settings with some values changed.

    Raises
    ------
    ConfigError
        A name is not a setting; the nearest known one is named.
    """
    _check_keys(type(settings), changes)
    return cast(T, dataclasses.replace(cast(Any, settings), **changes))
