"""Accelerated cells: the engine's step where it is taken, PyTorch's in all other calls."""

import copy

import pytest
import torch
from torch import nn

import relembra
from relembra._accelerate import _cells

KINDS = ("RNNCell", "LSTMCell", "GRUCell")


@pytest.fixture
def steps(monkeypatch):
    """Take the engine at any size, and count its steps."""
    monkeypatch.setattr(_cells, "LEAST_WORK", 0)
    taken = []
    real = _cells.run
    monkeypatch.setattr(_cells, "run", lambda *a: taken.append(1) or real(*a))
    return taken


def both(kind, **options):
    torch.manual_seed(0)
    theirs = getattr(nn, kind)(3, 4, **options)
    return theirs, relembra.accelerate(copy.deepcopy(theirs))


def as_tuple(state):
    return state if isinstance(state, tuple) else (state,)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(5, 3), (3,)])
def test_steps_are_those_of_torch(steps, kind, bias, shape):
    theirs, ours = both(kind, bias=bias)
    a = b = None
    with torch.no_grad():
        for x in torch.randn(4, *shape):
            a, b = ours(x, a), theirs(x, b)
            for mine, other in zip(as_tuple(a), as_tuple(b), strict=True):
                torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)
    assert len(steps) == 4


def test_relu(steps):
    theirs, ours = both("RNNCell", nonlinearity="relu")
    x, h = torch.randn(2, 3), torch.randn(2, 4)
    with torch.no_grad():
        torch.testing.assert_close(ours(x, h), theirs(x, h), rtol=1e-5, atol=1e-6)
    assert steps


@pytest.mark.parametrize("kind", KINDS)
def test_small_steps_are_torchs_own(steps, kind, monkeypatch):
    theirs, ours = both(kind)
    x = torch.randn(2, 3)
    monkeypatch.setattr(_cells, "LEAST_WORK", 10**6)
    for a, b in zip(as_tuple(ours(x)), as_tuple(theirs(x)), strict=True):
        assert torch.equal(a, b) and a.requires_grad
    with torch.no_grad():
        ours(x)
    assert not steps


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_through_several_steps(steps, kind):
    theirs, ours = both(kind)
    x = torch.randn(3, 2, 3)
    found = []
    for cell in (theirs, ours):
        state, given = None, x.clone().requires_grad_()
        for step in given:
            state = cell(step, state)
        loss = sum((t * t).sum() for t in as_tuple(state))
        found.append([loss, *torch.autograd.grad(loss, [given, *cell.parameters()])])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
    assert len(steps) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_transforms_with_gradients_are_torchs_own(steps, kind):
    theirs, ours = both(kind)
    weights, x = dict(theirs.named_parameters()), torch.randn(2, 3)

    def loss(weights, cell):
        return as_tuple(torch.func.functional_call(cell, weights, (x,)))[0].sum()

    mine, other = (torch.func.grad(loss)(weights, cell) for cell in (ours, theirs))
    for name in weights:
        assert torch.equal(mine[name], other[name])
    assert not steps


@pytest.mark.parametrize("kind", KINDS)
def test_errors_are_torchs_own(steps, kind):
    theirs, ours = both(kind)
    h = torch.zeros(2, 4)
    hx, bad = ((h, h), (h, h[:, :3])) if kind == "LSTMCell" else (h, h[:, :3])
    for given in ((torch.zeros(2, 5), hx), (torch.zeros(2, 3), bad), (torch.zeros(1, 1, 1, 3),)):
        with torch.no_grad():
            with pytest.raises(Exception) as expected:  # noqa: PT011
                theirs(*given)
            with pytest.raises(type(expected.value)) as found:
                ours(*given)
        assert str(found.value) == str(expected.value)
    assert not steps
