"""The classes that layers are given, made so that ``isinstance(layer, nn.LSTM)`` stays true.

A layer keeps its identity: only ``layer.__class__`` changes, so hooks, optimizers, wrappers and
whoever else holds it see the same object with the same parameters.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from torch import nn
from torch.nn.utils import parametrize

from relembra._accelerate._cells import AcceleratedCell
from relembra._accelerate._stacks import AcceleratedStack
from relembra._errors import ConfigError

__all__ = [
    "AcceleratedGRU",
    "AcceleratedGRUCell",
    "AcceleratedLSTM",
    "AcceleratedLSTMCell",
    "AcceleratedRNN",
    "AcceleratedRNNCell",
    "accelerated_class",
    "class_refusal",
    "is_accelerated",
    "restored_class",
]


class AcceleratedRNN(AcceleratedStack, nn.RNN):
    """`torch.nn.RNN` on the engine."""


class AcceleratedLSTM(AcceleratedStack, nn.LSTM):
    """`torch.nn.LSTM` on the engine."""


class AcceleratedGRU(AcceleratedStack, nn.GRU):
    """`torch.nn.GRU` on the engine."""


class AcceleratedRNNCell(AcceleratedCell, nn.RNNCell):
    """`torch.nn.RNNCell` on the engine."""

    _gates = 1


class AcceleratedLSTMCell(AcceleratedCell, nn.LSTMCell):
    """`torch.nn.LSTMCell` on the engine."""

    _gates = 4


class AcceleratedGRUCell(AcceleratedCell, nn.GRUCell):
    """`torch.nn.GRUCell` on the engine."""

    _gates = 3


_OURS: dict[type, type] = {
    nn.RNN: AcceleratedRNN,
    nn.LSTM: AcceleratedLSTM,
    nn.GRU: AcceleratedGRU,
    nn.RNNCell: AcceleratedRNNCell,
    nn.LSTMCell: AcceleratedLSTMCell,
    nn.GRUCell: AcceleratedGRUCell,
}
_CELLS: list[tuple[type, type[AcceleratedCell]]] = [
    (nn.RNNCell, AcceleratedRNNCell),
    (nn.LSTMCell, AcceleratedLSTMCell),
    (nn.GRUCell, AcceleratedGRUCell),
]
_THEIRS = {ours: theirs for theirs, ours in _OURS.items()}
_made: WeakKeyDictionary[type, type] = WeakKeyDictionary()  # for subclasses of users

# A subclass with one of these computes something that we do not know.
_OWN = (
    "forward",
    "__call__",
    "__getattr__",
    "__getattribute__",
    "check_forward_args",
    "check_hidden_size",
    "check_input",
    "get_expected_cell_size",
    "get_expected_hidden_size",
    "permute_hidden",
)
_ORIGIN = "_relembra_origin"


def is_accelerated(module: nn.Module) -> bool:
    """Whether a layer's calls come to the engine."""
    return isinstance(module, AcceleratedStack | AcceleratedCell)


def class_refusal(module: nn.Module) -> str | None:
    """Return why a layer of torch.nn, or of a class derived from it, has to be left alone."""
    if "forward" in vars(module):
        return "the object has a forward of its own"
    for cls in type(module).__mro__:
        if cls in _OURS:
            return None
        for name in _OWN:
            if name in vars(cls):
                return f"its class {cls.__name__} has a {name} of its own"
    return f"{type(module).__name__} is no layer of torch.nn that is known"


def accelerated_class(module: nn.Module) -> type:
    """Return the class that makes a layer ours."""
    cls = type(module)
    if _is_parametrized(module):
        return _on_top(cls, _derived(cls.__bases__[0]))
    return _derived(cls)


def restored_class(module: nn.Module) -> type:
    """Return the class that an accelerated layer had."""
    cls = type(module)
    if _is_parametrized(module):
        return _on_top(cls, _origin(cls.__bases__[0]))
    return _origin(cls)


def _is_parametrized(module: nn.Module) -> bool:
    """Whether the class is one that `parametrize` made for this object alone."""
    cls = type(module)
    return parametrize.is_parametrized(module) and cls.__name__.startswith("Parametrized")


def _on_top(cls: type, base: type) -> type:
    """Return a parametrized class with another base; PyTorch takes parametrizations off by it."""
    names = {k: v for k, v in vars(cls).items() if k not in ("__dict__", "__weakref__")}
    return type(f"Parametrized{base.__name__}", (base,), names)


def _derived(cls: type) -> type:
    if cls in _OURS:
        return _OURS[cls]
    if cls not in _made:
        mixin: Any = AcceleratedStack
        names: dict[str, Any] = {"__module__": cls.__module__, _ORIGIN: cls}
        if issubclass(cls, nn.RNNCellBase):
            mixin = AcceleratedCell
            names["_gates"] = next(
                ours._gates for theirs, ours in _CELLS if issubclass(cls, theirs)
            )
        _made[cls] = type(f"Accelerated{cls.__name__}", (mixin, cls), names)
    return _made[cls]


def _origin(cls: type) -> type:
    found: Any = _THEIRS.get(cls) or vars(cls).get(_ORIGIN)
    if found is None:
        raise ConfigError(
            f"{cls.__name__} was made by others on top of an accelerated class: take theirs off "
            "before relembra.restore"
        )
    return found  # type: ignore[no-any-return]


def remade(cls: type) -> Any:
    """Return an empty object of the accelerated form of a class; for pickles and copies."""
    made = _derived(cls)
    return object.__new__(made)


def reduced(module: nn.Module) -> Any | None:
    """Return how to pickle an object whose class was made here, or None where it is importable."""
    origin = vars(type(module)).get(_ORIGIN)
    if origin is None:
        return None
    return remade, (origin,), module.__getstate__()
