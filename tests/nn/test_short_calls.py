"""The short way of calls without gradients: when it is taken, and that nothing differs there."""

import pytest
import torch
from torch.func import functional_call
from torch.nn.utils import parametrizations

from relembra import nn
from relembra.engine import _inference

X = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))


def layer_of(kind="LSTM", **options):
    torch.manual_seed(1)
    return getattr(nn, kind)(4, 6, 2, batch_first=True, **options)


@pytest.fixture
def taken(monkeypatch):
    """How often the short way gave the answer."""
    answers = []
    run = _inference._run

    def spy(*args):
        answers.append(True)
        return run(*args)

    monkeypatch.setattr(_inference, "_run", spy)
    return answers


def usual(layer, x, hx=None):
    """The same by the way of calls that record gradients."""
    assert torch.is_grad_enabled()
    output, state = layer(x, hx)
    return [t.detach() for t in (output, *(state if isinstance(state, tuple) else (state,)))]


def short(layer, x, hx=None):
    with torch.no_grad():
        output, state = layer(x, hx)
    return [output, *(state if isinstance(state, tuple) else (state,))]


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("options", [{}, {"bidirectional": True}, {"bias": False}])
@pytest.mark.parametrize("given", [False, True])
def test_same_bits_as_the_usual_way(taken, kind, dtype, options, given):
    layer, x = layer_of(kind, dtype=dtype, **options), X.to(dtype)
    hx = None
    if given:
        hx = torch.randn(2 * layer.spec.directions, 3, 6, dtype=dtype)
        hx = (hx, hx.flip(0)) if kind == "LSTM" else hx
    expected = usual(layer, x, hx)
    assert not taken
    found = short(layer, x, hx)
    assert taken and layer.last_path == "native"
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("rows, steps", [(0, 5), (3, 0), (1, 1)])
def test_sizes_at_the_edge(taken, rows, steps):
    layer, x = layer_of(), torch.randn(rows, steps, 4)
    expected = usual(layer, x)
    found = short(layer, x)
    assert taken and all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_layouts(taken):
    layer = layer_of()
    time_major = X.transpose(0, 1).contiguous().transpose(0, 1)
    every_second = torch.randn(3, 10, 4)[:, ::2]
    for x in (time_major, every_second):
        assert torch.equal(short(layer, x)[0], usual(layer, x)[0])
    assert len(taken) == 2
    features = torch.randn(3, 5, 8)[:, :, ::2]  # not side by side: the usual way copies them
    assert torch.equal(short(layer, features)[0], usual(layer, features)[0])
    assert len(taken) == 2


def test_weights_of_now(taken):
    layer = layer_of()
    before = short(layer, X)[0]
    for write in (
        lambda: layer.weight_hh_l1.data.mul_(2),
        lambda: setattr(layer, "weight_ih_l0", torch.nn.Parameter(torch.ones(24, 4))),
        lambda: layer.load_state_dict(layer_of().state_dict()),
    ):
        with torch.no_grad():
            write()
        after = short(layer, X)[0]
        assert torch.equal(after, usual(layer, X)[0]) and not torch.equal(after, before)
        before = after
    assert len(taken) == 4


def test_where_it_is_not_taken(taken):
    layer = layer_of()
    layer(X)
    other = {n: torch.nn.Parameter(torch.zeros_like(p)) for n, p in layer.named_parameters()}
    with torch.no_grad():
        assert functional_call(layer, other, (X,))[0].abs().max() == 0
        taken.clear()
        layer(X, lengths=torch.tensor([5, 1, 0]))
        layer_of("LSTM", dropout=0.5)(X)  # training draws masks
        layer_of("LSTM", dtype=torch.bfloat16)(X.bfloat16())
        layer.path = "reference"
        layer(X)
        layer.path = "auto"
        with torch.autocast("cpu", dtype=torch.bfloat16):
            layer(X)
        torch.func.vmap(lambda x: layer(x)[0])(X[None])
        with pytest.raises(TypeError, match="a pair"):
            layer(X, torch.zeros(2, 3, 6))
        with pytest.raises(RuntimeError):
            layer(X[:, :, :3])
        normed = parametrizations.weight_norm(layer_of(), "weight_hh_l0")
        normed(X)
    assert not taken
