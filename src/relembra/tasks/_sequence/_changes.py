"""Settings that the data decides, but for those that someone named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

from relembra._config import replace

__all__ = ["Changes", "settle"]

T = TypeVar("T")


class Changes(Generic[T]):
    """Some settings of a kind; the others follow from the data when a model is fitted.

    ``set_params(trunk__units=64)`` makes it where the estimator's trunk is None.

    Parameters
    ----------
    kind
        Such as `relembra.nn.Trunk`.
    values
        Settings by name.

    Raises
    ------
    ConfigError
        There is no such setting; the nearest known one is named.

    Examples
    --------
    >>> from relembra.nn import Trunk
    >>> changes = Changes(Trunk, {"units": 64})
    >>> changes, settle(changes, Trunk(cell="gru", units=8)).cell
    (Changes(Trunk, {'units': 64}), 'gru')
    """

    def __init__(self, kind: type[T], values: Mapping[str, object]) -> None:
        replace(kind(), **values)  # a value that makes no sense is told at once
        self.kind, self.values = kind, dict(values)

    def changed(self, **values: object) -> Changes[T]:
        """Return a copy with more of them."""
        return Changes(self.kind, {**self.values, **values})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Changes) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        return f"Changes({self.kind.__name__}, {self.values})"


def settle(given: T | Changes[T] | None, usual: T) -> T:
    """Return what was given, or the usual settings with the changes that were given."""
    if given is None:
        return usual
    return replace(usual, **given.values) if isinstance(given, Changes) else given
