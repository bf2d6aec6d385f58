"""The optimiser by name, its state by name of the parameter, and the gradient's norm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from relembra._errors import ConfigError
from relembra.training._settings import Training

__all__ = ["clip", "load_state", "make_optimizer", "state_tensors", "trainable"]


def trainable(module: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters to train, by name.

    Raises
    ------
    ConfigError
        There are none, all are frozen, or some have no shape yet.
    """
    name = type(module).__name__
    everything = dict(module.named_parameters())
    if not everything:
        raise ConfigError(f"{name} has no parameters; there is nothing to train")
    lazy = [key for key, p in everything.items() if isinstance(p, nn.UninitializedParameter)]
    if lazy:
        raise ConfigError(f"{name}.{lazy[0]} has no shape yet; call the module once before")
    chosen = {key: p for key, p in everything.items() if p.requires_grad}
    if not chosen:
        raise ConfigError(
            f"all {len(everything)} parameters of {name} are frozen (requires_grad is False); "
            "unfreeze those that should learn"
        )
    return chosen


def make_optimizer(
    training: Training, parameters: Mapping[str, nn.Parameter]
) -> torch.optim.Optimizer:
    """Return the optimiser of the settings, in its fused form where that exists."""
    chosen = list(parameters.values())
    fused = all(p.is_floating_point() and p.device.type in ("cpu", "cuda") for p in chosen)
    rate, decay = training.learning_rate, training.weight_decay
    if training.optimizer == "adam":
        return torch.optim.Adam(chosen, lr=rate, weight_decay=decay, fused=fused)
    if training.optimizer == "adamw":
        return torch.optim.AdamW(chosen, lr=rate, weight_decay=decay, fused=fused)
    return torch.optim.SGD(
        chosen, lr=rate, momentum=training.momentum, weight_decay=decay, fused=fused
    )


def state_tensors(
    optimizer: torch.optim.Optimizer, parameters: Mapping[str, nn.Parameter]
) -> dict[str, Tensor]:
    """Return the optimiser's moments and counts, as ``quantity/parameter``."""
    return {
        f"{quantity}/{name}": value
        for name, parameter in parameters.items()
        for quantity, value in optimizer.state.get(parameter, {}).items()
        if isinstance(value, Tensor)
    }


def load_state(
    optimizer: torch.optim.Optimizer,
    parameters: Mapping[str, nn.Parameter],
    tensors: Mapping[str, Tensor],
) -> None:
    """Restore what :func:`state_tensors` gave."""
    optimizer.state.clear()
    for key, value in tensors.items():
        quantity, name = key.split("/", 1)
        parameter = parameters[name]
        state: dict[str, Any] = optimizer.state[parameter]
        state[quantity] = value.to(parameter.device)


def clip(parameters: list[nn.Parameter], limit: float | None) -> float:
    """Scale the gradient down to a norm; return the norm that it had.

    A norm that is not finite is returned without touching the gradient.

    Raises
    ------
    ConfigError
        No parameter has a gradient.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    if not gradients:
        raise ConfigError("the loss depends on no trainable parameter; nothing can be learned")
    total = torch.nn.utils.get_total_norm(gradients)
    norm = float(total)
    if limit is not None and limit < norm < float("inf"):
        torch.nn.utils.clip_grads_with_norm_(parameters, limit, total)
    return norm
