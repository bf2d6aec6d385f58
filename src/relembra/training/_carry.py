"""The state that truncated backpropagation carries: nested tuples of tensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from relembra._errors import ConfigError
from relembra.training._objective import State

__all__ = ["detached", "flattened", "rebuilt", "structure"]


def detached(state: State) -> State:
    """Return the state cut from its graph.

    Raises
    ------
    ConfigError
        It holds something else than tensors, tuples and ``None``.
    """
    if state is None:
        return None
    if isinstance(state, Tensor):
        return state.detach()
    if isinstance(state, tuple | list):
        return tuple(detached(part) for part in state)
    raise ConfigError(
        f"the objective carries a {type(state).__name__}; "
        "a carried state is None, a tensor, or tuples of those"
    )


def flattened(state: State) -> list[Tensor]:
    """Return the tensors of a state in order."""
    if state is None:
        return []
    if isinstance(state, Tensor):
        return [state]
    return [tensor for part in state for tensor in flattened(part)]


def structure(state: State) -> Any:
    """Return the nesting of a state as JSON: lists, 1 for a tensor, null for ``None``."""
    if state is None:
        return None
    return 1 if isinstance(state, Tensor) else [structure(part) for part in state]


def rebuilt(nesting: Any, tensors: Sequence[Tensor]) -> State:
    """Return the state of a nesting and its tensors."""
    return _rebuilt(nesting, iter(tensors))


def _rebuilt(nesting: Any, tensors: Iterator[Tensor]) -> State:
    if nesting is None:
        return None
    if nesting == 1:
        return next(tensors)
    return tuple(_rebuilt(part, tensors) for part in nesting)
