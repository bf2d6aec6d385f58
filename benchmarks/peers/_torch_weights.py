"""A network in plain torch with the weights of ours, and the proof that it computes the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from relembra.nn._convolutions import StepNorm

# The beginnings of our names, the longer ones first, and those of the twins.
_NAMES = (
    ("trunk.body", "body.rnn"),
    ("encoder.embedding.words.weight", "encoder.words.weight"),
    ("encoder.embedding.characters.weight", "encoder.letters.weight"),
    ("encoder.embedding.reader", "encoder.reader"),
    ("encoder.embedding.weight", "encoder.words.weight"),
    ("front.convolutions.taps", "front.layers.convolutions"),
    ("front.convolutions.norms", "front.layers.norms"),
    ("head.projection", "projection"),
    ("head.output", "head"),
    ("head.hidden", "chord.hidden"),
    ("head.below", "chord.below"),
    ("head.above", "chord.above"),
    ("pooling.", ""),
    ("crf.", "chain."),
)


def _renamed(name: str, known: dict[str, Any]) -> str:
    """Return the name in the twin of a parameter of ours."""
    found = name
    for old, new in _NAMES:
        if name.startswith(old):
            found = new + name.removeprefix(old)
            break
    if name == "head.bias" and "bias" in known:
        found = "bias"
    return found if found in known else f"stem.{found}"


def copy_weights(network: nn.Module, twin: nn.Module) -> None:
    """Give the twin the weights of ours, and what normalisations have seen.

    Raises
    ------
    ValueError
        It has others, or more or fewer of them.
    """
    left = dict(twin.named_parameters())
    counts = [sum(p.numel() for p in module.parameters()) for module in (network, twin)]
    if counts[0] != counts[1]:
        raise ValueError(f"ours has {counts[0]} parameters, the one in torch {counts[1]}")
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            other = left.pop(_renamed(name, left), None)
            if other is None or other.numel() != parameter.numel():
                raise ValueError(f"the one in torch has no {name} of {parameter.numel()} numbers")
            # Taps are (maps, I window) here and (maps, I, window) there.
            other.copy_(parameter.view(other.shape))
        for own, other in zip(_of(StepNorm, network), _of(nn.BatchNorm1d, twin), strict=True):
            other.running_mean.copy_(own.mean)
            other.running_var.copy_(own.variance)


def _of(kind: type[nn.Module], module: nn.Module) -> list[Any]:
    return [one for one in module.modules() if isinstance(one, kind)]


@contextmanager
def _without_noise(*modules: nn.Module) -> Iterator[None]:
    before = [module.training for module in modules]
    for module in modules:
        module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in zip(modules, before, strict=True):
            module.train(training)


def check_loss(objective: Any, twin: Any, batch: Any) -> float:
    """Return the loss of a batch without dropout and noise, the same from both.

    Raises
    ------
    AssertionError
        It is not.
    """
    with _without_noise(objective.module, twin):
        ours = float(objective.loss(batch, None)[0])
        twin.begin()
        theirs = float(twin.loss(*twin.rows(batch)))
    # Long sequences of float32 differ in the fifth digit.
    assert abs(ours - theirs) <= 1e-4 * abs(ours), f"our loss is {ours}, that in torch {theirs}"
    return ours
