"""What torch's tools do to modules: copying, pickling, parametrizing, casting, calling."""

import copy
import pickle

import pytest
import torch
from torch import nn as torch_nn
from torch.func import functional_call, grad, vmap
from torch.nn.utils import parametrizations

from relembra import nn

OPTIONS = {
    "RNN": {"layer_norm": True, "zoneout": 0.1},
    "LSTM": {"peepholes": True, "coupled": True, "layer_norm": True, "proj_size": 2},
    "GRU": {"reset_after": False, "gate_activation": "hard_sigmoid"},
}
LAYERS = [(kind, {}) for kind in OPTIONS] + list(OPTIONS.items())
EACH_LAYER = pytest.mark.parametrize(("kind", "options"), LAYERS)
X = torch.randn(5, 2, 3, generator=torch.Generator().manual_seed(0))


def make(kind, options, **more):
    torch.manual_seed(3)
    path = "reference" if options else "auto"
    return getattr(nn, kind)(3, 4, 2, bidirectional=True, path=path, **options, **more).eval()


@EACH_LAYER
@pytest.mark.parametrize("through", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_compute_the_same(kind, options, through):
    layer = make(kind, options)
    layer(X)
    twin = through(layer)
    assert twin.spec == layer.spec
    assert torch.equal(twin(X)[0], layer(X)[0])
    with torch.no_grad():
        twin.weight_hh_l0.zero_()
    assert not torch.equal(twin(X)[0], layer(X)[0])


@EACH_LAYER
def test_state_dict_round_trip(kind, options):
    layer, other = make(kind, options), make(kind, options)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(-1, 1)
    assert not other.load_state_dict(layer.state_dict()).missing_keys
    assert torch.equal(other(X)[0], layer(X)[0])


@EACH_LAYER
def test_functional_call(kind, options):
    layer, other = make(kind, options), make(kind, options)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(0.5)
    got = functional_call(layer, dict(other.named_parameters()), (X,))
    assert torch.equal(got[0], other(X)[0])
    assert not torch.equal(got[0], layer(X)[0])


@EACH_LAYER
def test_per_sample_gradients_of_a_module(kind, options):
    layer = make(kind, {**options}).requires_grad_(False)
    layer.path = "reference"
    weights = dict(layer.named_parameters())

    def loss(weights, x):
        return functional_call(layer, weights, (x,))[0].square().sum()

    each = vmap(grad(loss), in_dims=(None, 1))(weights, X)
    for row in range(2):
        for name, expected in grad(loss)(weights, X[:, row]).items():
            torch.testing.assert_close(each[name][row], expected, rtol=1e-4, atol=1e-5)


@EACH_LAYER
def test_weight_norm_is_seen(kind, options):
    layer = make(kind, options)
    before = layer(X)[0]
    parametrizations.weight_norm(layer, "weight_hh_l0")
    torch.testing.assert_close(layer(X)[0], before)
    with torch.no_grad():
        layer.parametrizations.weight_hh_l0.original0.mul_(2.0)
    after = layer(X)[0]
    assert not torch.allclose(after, before)
    after.sum().backward()
    assert layer.parametrizations.weight_hh_l0.original0.grad.abs().sum() > 0
    assert len(layer.all_weights[0]) == len(layer.spec.layer_shapes(0))
    torch.testing.assert_close(layer.all_weights[0][1], layer.weight_hh_l0)


@EACH_LAYER
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16], ids=str)
def test_to_another_dtype(kind, options, dtype):
    layer = make(kind, options)
    expected = layer(X)[0]
    output, _ = layer.to(dtype)(X.to(dtype))
    assert output.dtype == dtype
    tolerance = 1e-5 if dtype == torch.float64 else 0.05
    torch.testing.assert_close(output.float(), expected, rtol=tolerance, atol=tolerance)


def test_dtype_and_device_of_the_constructor():
    layer = nn.GRU(3, 4, device="meta", dtype=torch.float64)
    assert {(p.device.type, p.dtype) for p in layer.parameters()} == {("meta", torch.float64)}


def test_in_a_sequential_with_an_optimiser():
    """A layer trains: the mean of a short sequence is learnt."""
    torch.manual_seed(0)
    layer, head = nn.LSTM(1, 8, batch_first=True), torch_nn.Linear(8, 1)
    optimiser = torch.optim.Adam([*layer.parameters(), *head.parameters()], 0.02)
    losses = []
    for _ in range(60):
        x = torch.rand(16, 4, 1)
        loss = (head(layer(x)[0][:, -1]) - x.mean(1)).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.05 * losses[0]


def test_a_batch_of_empty_rows_trains():
    for path in ("torch", "reference"):
        layer = nn.GRU(3, 4, path=path)
        layer(X, lengths=torch.tensor([0, 0]))[0].sum().backward()
        assert all(not p.grad.any() for p in layer.parameters())


def test_forget_bias():
    """The forget gate's two biases begin at that sum; all others as torch draws them."""
    torch.manual_seed(0)
    plain = nn.LSTM(3, 4, 2, bidirectional=True)
    torch.manual_seed(0)
    layer = nn.LSTM(3, 4, 2, bidirectional=True, forget_bias=1.5)
    for end in layer.spec.suffixes():
        total = layer.get_parameter("bias_ih" + end) + layer.get_parameter("bias_hh" + end)
        assert total[4:8].tolist() == [1.5] * 4
    for name, value in plain.named_parameters():
        mine = layer.get_parameter(name)
        keep = torch.ones(len(value), dtype=torch.bool)
        if name.startswith("bias"):
            keep[4:8] = False
        assert torch.equal(mine[keep], value[keep]), name


def test_forget_bias_of_coupled_gates():
    """The forget gate is one minus the input gate: s(1.5) forgotten means s(-1.5) taken in."""
    layer = nn.LSTM(1, 3, coupled=True, forget_bias=1.5, path="reference")
    with torch.no_grad():
        layer.weight_ih_l0.zero_(), layer.weight_hh_l0.zero_()
    _, _, trace = layer(torch.zeros(1, 1, 1), trace=True)
    forget = 1 - trace.gates["input"].flatten()
    torch.testing.assert_close(forget, torch.full((3,), 1.5).sigmoid())


def test_gains_begin_at_one_and_shifts_at_zero():
    layer = nn.LSTM(3, 4, layer_norm=True)
    assert (layer.gain_ih_l0 == 1).all() and (layer.gain_hh_l0 == 1).all()
    assert (layer.gain_c_l0 == 1).all() and not layer.bias_c_l0.any()


def test_repr_names_the_options():
    layer = nn.LSTM(3, 4, peepholes=True, gate_activation="hard_sigmoid", proj_size=2)
    expected = "LSTM(3, 4, proj_size=2, gate_activation=hard_sigmoid, peepholes=True)"
    assert repr(layer) == expected
