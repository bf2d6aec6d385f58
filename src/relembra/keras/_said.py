"""What cannot be taken is said once for each layer."""

from __future__ import annotations

import warnings
import weakref
from typing import Any

from relembra._errors import SlowPathWarning

__all__ = ["say_slow"]

_SAID: weakref.WeakKeyDictionary[Any, set[str]] = weakref.WeakKeyDictionary()


def say_slow(layer: Any, reason: str) -> None:
    """Warn that a layer takes Keras' own way, once for each layer and reason."""
    said = _SAID.setdefault(layer, set())
    if reason in said:
        return
    said.add(reason)
    warnings.warn(
        f"{layer.name} ({type(layer).__name__}) takes Keras' own slow way: {reason}",
        SlowPathWarning,
        stacklevel=3,
    )
