"""One layer, computed Keras' own way and on the engine."""

from typing import Any

import keras
import numpy as np
import torch

import relembra.keras

STEPS, ROWS, INPUTS, UNITS = 6, 4, 3, 5


def filled(layer: Any, shape: tuple[int, ...] = (ROWS, STEPS, INPUTS)) -> Any:
    """Build a layer and fill its weights with numbers of which none is special."""
    layer.build(shape)
    draw = np.random.default_rng(1)
    layer.set_weights([draw.uniform(-0.6, 0.6, w.shape) for w in layer.get_weights()])
    return layer


def inputs(dtype: str = "float32") -> torch.Tensor:
    draw = np.random.default_rng(2).normal(size=(ROWS, STEPS, INPUTS))
    return torch.tensor(draw, dtype=getattr(torch, dtype), requires_grad=True)


def flat(result: Any) -> list[torch.Tensor]:
    return list(result) if isinstance(result, (list, tuple)) else [result]


def run(layer: Any, x: torch.Tensor, **call: Any) -> list[np.ndarray]:
    """Return outputs, gradients of input and weights, and what the layer keeps (seeds, states)."""
    kept = [v for owner in owners(layer) for v in (owner.cell.seed_generator.state, *states(owner))]
    before = [v.value.clone() for v in kept]
    outputs = flat(layer(x, **call))
    total = sum(
        (t.double() * torch.linspace(0.5, 1.5, t.numel()).view(t.shape)).sum() for t in outputs
    )
    leaves = [x, *(v.value for v in layer.trainable_variables)]
    gradients = torch.autograd.grad(total, leaves)
    after = [v.value.clone() for v in kept]
    for variable, value in zip(kept, before, strict=True):
        variable.assign(value)
    return [t.detach().double().numpy() for t in (*outputs, *gradients, *after)]


def owners(layer: Any) -> list[Any]:
    both = [getattr(layer, name, None) for name in ("forward_layer", "backward_layer")]
    return [owner for owner in both if owner is not None] or [layer]


def states(layer: Any) -> list[Any]:
    return layer.states or []


def both(layer: Any, x: torch.Tensor, **call: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return what the engine gives and what Keras' own way gives."""
    ours = run(layer, x, **call)
    relembra.keras.disable()
    theirs = run(layer, x, **call)
    relembra.keras.enable()
    return ours, theirs


def assert_same(layer: Any, x: torch.Tensor, tolerance: float = 2e-6, **call: Any) -> None:
    ours, theirs = both(layer, x, **call)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        scale = max(1.0, float(np.abs(b).max(initial=0.0)))
        np.testing.assert_allclose(a, b, atol=tolerance * scale, rtol=0)


KINDS = {
    "lstm": keras.layers.LSTM,
    "gru": keras.layers.GRU,
    "rnn": keras.layers.SimpleRNN,
}
