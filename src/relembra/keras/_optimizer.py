"""Adam, RMSprop and SGD as Keras computes them, without what surrounds the arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import keras
import torch
from torch import Tensor

from relembra.keras._values import value_of

__all__ = ["apply_gradients"]

_ASKED = ("clipnorm", "global_clipnorm", "clipvalue", "weight_decay", "gradient_accumulation_steps")


def apply_gradients(
    optimizer: Any, gradients: Sequence[Tensor | None], variables: Sequence[Any]
) -> None:
    """Do what ``optimizer.apply(gradients, variables)`` does, to the last bit."""
    present = [g for g in gradients if g is not None]
    if len(present) < len(gradients) or not _is_plain(optimizer, variables):
        optimizer.apply(gradients, variables)
        return
    if type(optimizer) is _ADAM and all(v.dtype == "float32" for v in variables):
        _adam(optimizer, present, variables)
    else:
        optimizer._backend_update_step(present, variables, optimizer.learning_rate)
    value_of(optimizer._iterations).add_(1)


def _adam(optimizer: Any, gradients: list[Tensor], variables: Sequence[Any]) -> None:
    """Update as Keras' `Adam._parallel_update_step`, operation by operation (Kingma & Ba 2015)."""
    beta_1, beta_2 = optimizer.beta_1, optimizer.beta_2
    at = [optimizer._get_variable_index(v) for v in variables]
    values = [value_of(v) for v in variables]
    means = [value_of(optimizer._momentums[i]) for i in at]
    squares = [value_of(optimizer._velocities[i]) for i in at]
    rate = torch.as_tensor(keras.ops.convert_to_tensor(optimizer.learning_rate))
    step = (value_of(optimizer._iterations) + 1).to(torch.float32)
    power_1, power_2 = (torch.pow(_scalar(beta), step) for beta in (beta_1, beta_2))
    alpha = rate.to(torch.float32) * torch.sqrt(1 - power_2) / (1 - power_1)
    torch._foreach_mul_(means, beta_1)
    torch._foreach_add_(means, gradients, alpha=1 - beta_1)
    torch._foreach_mul_(squares, beta_2)
    torch._foreach_add_(squares, torch._foreach_mul(gradients, gradients), alpha=1 - beta_2)
    if optimizer.amsgrad:
        largest = [value_of(optimizer._velocity_hats[i]) for i in at]
        torch._foreach_maximum_(largest, squares)
        squares = largest
    roots = torch._foreach_sqrt(squares)
    torch._foreach_add_(roots, optimizer.epsilon)
    steps = torch._foreach_mul(means, alpha)
    torch._foreach_div_(steps, roots)
    torch._foreach_sub_(values, steps)


@lru_cache(maxsize=16)
def _scalar(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float32)


def _is_plain(optimizer: Any, variables: Sequence[Any]) -> bool:
    """Return whether `apply` comes to nothing but the update."""
    return (
        optimizer.built
        and type(optimizer) in _KINDS
        and not any(getattr(optimizer, name, None) for name in _ASKED)
        and not optimizer.use_ema
        and optimizer.loss_scale_factor is None
        and all(v.constraint is None and not v.overwrite_with_gradient for v in variables)
    )


# Keras makes an object of the backend's subclass.
_ADAM, _RMSPROP, _SGD = (
    type(kind(0.1))
    for kind in (keras.optimizers.Adam, keras.optimizers.RMSprop, keras.optimizers.SGD)
)
_KINDS = frozenset((_ADAM, _RMSPROP, _SGD))
