"""The tensor of a Keras variable, without what `Variable.value` asks on the way."""

from __future__ import annotations

from typing import Any, cast

from keras.src.backend import AutocastScope
from keras.src.backend.common.stateless_scope import in_stateless_scope
from torch import Tensor

__all__ = ["value_of"]


def value_of(variable: Any) -> Tensor:
    """Return a variable's own values; mixed precision, which would round them, comes later."""
    if in_stateless_scope():
        with AutocastScope(None):
            return cast(Tensor, variable.value)
    return cast(Tensor, variable._value)
