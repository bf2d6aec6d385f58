"""What acceleration did to a model, looked up in the model itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import nn

from relembra._accelerate._classes import class_refusal, is_accelerated
from relembra._accelerate._spec import structural_refusal

__all__ = ["Acceleration", "is_recurrent", "refusal_of", "survey"]

_NAMES = frozenset({"RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"})


@dataclass(frozen=True)
class Acceleration:
    """Which recurrent layers of a model run on the engine, and which do not.

    Parameters
    ----------
    replaced
        Class names of accelerated layers, by the layer's name in the model ('' is the root).
    left
        Why a layer was left as it is, by its name.

    Examples
    --------
    >>> import torch, relembra
    >>> model = torch.nn.ModuleDict({"scan": torch.nn.GRU(3, 4)})
    >>> print(relembra.acceleration(model))
    not accelerated: scan (GRU): relembra.accelerate was not called
    """

    replaced: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"accelerated: {_shown(n)} ({c})" for n, c in self.replaced.items()]
        lines += [f"not accelerated: {reason}" for reason in self.left.values()]
        return "\n".join(lines) or "the model has no recurrent layer of torch.nn"


def _shown(name: str) -> str:
    return name or "the model itself"


def is_recurrent(module: nn.Module) -> bool:
    """Whether a module is a recurrent layer of PyTorch, scripted or quantised ones among them."""
    if isinstance(module, nn.RNNBase | nn.RNNCellBase):
        return True
    scripted = getattr(module, "original_name", None)
    home = type(module).__module__
    return scripted in _NAMES or (home.startswith("torch.ao.") and _bare_name(module) in _NAMES)


def _bare_name(module: nn.Module) -> str:
    return type(module).__name__


def refusal_of(module: nn.Module) -> str | None:
    """Return why a recurrent layer cannot be accelerated, or None."""
    if isinstance(module, nn.RNNBase | nn.RNNCellBase):
        return class_refusal(module) or structural_refusal(module)
    if hasattr(module, "original_name"):
        return "a ScriptModule is compiled already: accelerate the model before scripting it"
    return "a quantised layer computes in integers, which the engine does not"


def survey(model: nn.Module) -> Acceleration:
    """Look through a model."""
    report = Acceleration()
    for name, module in model.named_modules():
        if not is_recurrent(module):
            continue
        kind = getattr(module, "original_name", _bare_name(module))
        if is_accelerated(module):
            report.replaced[name] = kind
        else:
            reason = refusal_of(module) or "relembra.accelerate was not called"
            report.left[name] = f"{_shown(name)} ({kind}): {reason}"
    return report
