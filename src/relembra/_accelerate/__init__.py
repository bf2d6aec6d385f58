"""`accelerate`: the recurrent layers of any PyTorch model on our engine, in place.

Examples
--------
>>> import torch, relembra
>>> model = torch.nn.LSTM(3, 4)
>>> relembra.accelerate(model) is model and isinstance(model, torch.nn.LSTM)
True
>>> print(relembra.acceleration(model))
accelerated: the model itself (AcceleratedLSTM)
>>> relembra.restore(model)
LSTM(3, 4)
"""

from __future__ import annotations

import warnings
from typing import TypeVar

from torch import nn

from relembra._accelerate._classes import accelerated_class, is_accelerated, restored_class
from relembra._accelerate._report import Acceleration, is_recurrent, refusal_of, survey
from relembra._accelerate._stacks import SAID
from relembra._errors import ConfigError, SlowPathWarning

__all__ = ["Acceleration", "accelerate", "acceleration", "restore"]

Model = TypeVar("Model", bound=nn.Module)


def accelerate(model: Model, *, verbose: bool = False) -> Model:
    """Make every recurrent layer of a PyTorch model run on our engine, in place.

    Layers of `torch.nn.RNN`, `LSTM`, `GRU` and their cells keep their identity, their parameters,
    hooks, parametrizations and names; only their class changes, to one derived from PyTorch's. So
    optimizers, wrappers (`torch.compile`, DistributedDataParallel) and checkpoints made before or
    after go on working. What the engine does not take (CUDA, half precision, autocast, wrong input)
    runs PyTorch's own forward, and on the CPU that is said once, as a `SlowPathWarning`.

    Parameters
    ----------
    model
        A module that has recurrent layers somewhere, or is one.
    verbose
        Print what was replaced and what was not.

    Returns
    -------
    model
        The same object. `acceleration` says what was done; `restore` undoes it.

    Raises
    ------
    ConfigError
        It is no module.

    Examples
    --------
    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.GRU(3, 4))
    >>> accelerate(model, verbose=True)
    accelerated: 0 (AcceleratedGRU)
    Sequential(
      (0): AcceleratedGRU(3, 4)
    )
    """
    _check(model, "accelerate")
    for module in model.modules():
        if is_recurrent(module) and not is_accelerated(module) and refusal_of(module) is None:
            module.__class__ = accelerated_class(module)
    report = survey(model)
    if verbose:
        print(report)
    if not report.replaced:
        warnings.warn(f"nothing was accelerated: {report}", SlowPathWarning, stacklevel=2)
    return model


def restore(model: Model) -> Model:
    """Undo `accelerate`: give every layer PyTorch's class back, in place.

    Parameters
    ----------
    model
        A model that was accelerated, whole or in part.

    Returns
    -------
    model
        The same object.

    Raises
    ------
    ConfigError
        It is no module, or others derived a class of their own from an accelerated one.
    """
    _check(model, "restore")
    accelerated = [module for module in model.modules() if is_accelerated(module)]
    classes = [restored_class(module) for module in accelerated]  # all or nothing
    for module, cls in zip(accelerated, classes, strict=True):
        module.__class__ = cls
        module.__dict__.pop(SAID, None)
    return model


def acceleration(model: nn.Module) -> Acceleration:
    """Say which recurrent layers of a model run on the engine, and why the others do not.

    Parameters
    ----------
    model
        Any module.

    Returns
    -------
    Acceleration
        Print it, or look at its `replaced` and `left`.
    """
    _check(model, "acceleration")
    return survey(model)


def _check(model: object, name: str) -> None:
    if not isinstance(model, nn.Module):
        raise ConfigError(
            f"relembra.{name} takes a torch.nn.Module, got {type(model).__name__}: give it the "
            "model itself, before functions are made of it"
        )
