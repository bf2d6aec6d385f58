"""Packed weights are kept for inference, and never outlive what they were made of."""

import copy
import gc
from functools import partial

import pytest
import torch
from torch.nn.utils import parametrizations
from torch.nn.utils.parametrize import cached

from relembra import nn
from relembra.engine import _packed

X = torch.randn(2, 5, 40, generator=torch.Generator().manual_seed(0))


OPTIONS = {
    "peepholes": partial(nn.LSTM, peepholes=True, zoneout=0.1),
    "lstm": nn.LSTM,
    "gru": nn.GRU,
    "rnn": nn.RNN,
}


def layer_of(kind="lstm", seed=0):
    torch.manual_seed(seed)
    layer = OPTIONS[kind](40, 50, 2, batch_first=True).eval()
    layer.kind = kind
    return layer


def fresh(layer):
    """What the weights as they are now give: by a copy, of which nothing is kept."""
    other = copy.deepcopy(layer)
    with torch.no_grad():
        return other(X)[0]


def entries(layer):
    return [_packed._keeping.get(id(p)) for p in layer.parameters()]


@pytest.fixture(params=sorted(OPTIONS))
def layer(request):
    """A layer whose weights are kept packed."""
    layer = layer_of(request.param)
    with torch.no_grad():
        layer(X)
    assert entries(layer)[0] is not None
    return layer


def check(layer):
    """That the layer's answer is of its present weights, both times."""
    expected = fresh(layer)
    with torch.no_grad():
        assert torch.equal(layer(X)[0], expected)
        assert torch.equal(layer(X)[0], expected)
    return expected


def test_they_are_packed_once(layer):
    packed = entries(layer)[0].packed
    with torch.no_grad():
        layer(X)
    with torch.inference_mode():
        layer(X)
    assert entries(layer)[0].packed is packed
    layer(X)  # with gradients: packed for itself
    assert entries(layer)[0].packed is packed
    check(layer)


@torch.no_grad()
def _copy(layer):
    for p in layer.parameters():
        p.copy_(torch.randn_like(p))


def _data_copy(layer):
    for p in layer.parameters():
        p.data.copy_(torch.randn_like(p))


def _data_one_element(layer):
    layer.weight_hh_l1.data[3, 4] += 1.0


def _data_bias(layer):
    layer.bias_ih_l0.data[-1] += 1.0


def _data_negated(layer):
    for p in layer.parameters():
        p.data.neg_()


def _data_replaced(layer):
    layer.weight_ih_l0.data = torch.randn_like(layer.weight_ih_l0)


def _numpy(layer):
    layer.weight_ih_l0.detach().numpy()[0, 0] = 1.0


def _inference(layer):
    with torch.inference_mode():
        layer.weight_hh_l0.mul_(2.0)


def _loaded(layer):
    layer.load_state_dict(layer_of(layer.kind, seed=1).state_dict())


def _assigned(layer):
    other = layer_of(layer.kind, seed=1)
    layer.load_state_dict(other.state_dict(), assign=True)


def _optimized(layer):
    layer(X)[0].sum().backward()
    torch.optim.Adam(layer.parameters(), lr=0.1).step()


def _fused(layer):
    layer(X)[0].sum().backward()
    torch.optim.SGD(layer.parameters(), lr=0.1, fused=True).step()


def _reset(layer):
    layer.reset_parameters()


def _data_peephole(layer):
    if layer.kind == "peepholes":
        layer.peephole_l1.data[-1, -1] += 1.0
    else:
        layer.bias_hh_l1.data[-1] += 1.0


def _parameter(layer):
    layer.weight_hh_l0 = torch.nn.Parameter(torch.randn_like(layer.weight_hh_l0))


def _vector(layer):
    vector = torch.nn.utils.parameters_to_vector(layer.parameters())
    torch.nn.utils.vector_to_parameters(vector * 2.0, layer.parameters())


WRITES = [
    _copy,
    _data_copy,
    _data_one_element,
    _data_bias,
    _data_negated,
    _data_replaced,
    _numpy,
    _inference,
    _loaded,
    _assigned,
    _optimized,
    _fused,
    _reset,
    _data_peephole,
    _parameter,
    _vector,
]


@pytest.mark.parametrize("write", WRITES, ids=lambda f: f.__name__)
def test_every_write_is_seen(layer, write):
    before = fresh(layer)
    write(layer)
    after = check(layer)
    assert not torch.equal(before, after)


def test_swapped_averages(layer):
    average = torch.optim.swa_utils.AveragedModel(layer)
    _copy(layer)
    average.update_parameters(layer)
    check(average.module)
    held = [p.detach().clone() for p in layer.parameters()]
    one = check(layer)
    with torch.no_grad():
        for p, q in zip(layer.parameters(), average.parameters(), strict=True):
            p.copy_(q + 0.25)
    assert not torch.equal(check(layer), one)
    for p, q in zip(layer.parameters(), held, strict=True):
        p.data.copy_(q)
    assert torch.equal(check(layer), one)


@pytest.mark.parametrize("norm", [parametrizations.weight_norm, parametrizations.spectral_norm])
def test_parametrized_weights_are_never_kept(norm):
    gc.collect()
    layer = layer_of().eval()
    before = set(_packed._keeping)
    norm(layer, "weight_hh_l0")
    with torch.no_grad(), cached():
        first = layer(X)[0]
    with torch.no_grad():
        assert torch.equal(layer(X)[0], first)
        original = next(layer.parametrizations.weight_hh_l0.parameters())
        original += torch.randn_like(original)
        second = layer(X)[0]
        assert not torch.equal(second, first)
        assert torch.equal(second, copy.deepcopy(layer)(X)[0])
    assert set(_packed._keeping) <= before


def test_functional_calls_see_their_own_weights(layer):
    others = {k: v * 2.0 for k, v in layer.state_dict().items()}
    with torch.no_grad():
        kept = layer(X)[0]
        called = torch.func.functional_call(layer, others, (X,))[0]
        assert not torch.equal(kept, called)
        assert torch.equal(layer(X)[0], kept)


def test_inference_tensors_are_never_kept():
    with torch.inference_mode():
        layer = layer_of()
        first = layer(X)[0]
        layer.weight_ih_l0.mul_(2.0)
        assert not torch.equal(layer(X)[0], first)
        assert entries(layer) == [None] * 8


def test_copies_have_their_own(layer):
    other = copy.deepcopy(layer)
    with torch.no_grad():
        other(X)
        other.weight_hh_l1.zero_()
    assert not torch.equal(check(other), check(layer))


def test_other_equations_with_the_same_weights():
    tanh = nn.RNN(40, 60, batch_first=True)
    relu = nn.RNN(40, 60, batch_first=True, nonlinearity="relu")
    relu.load_state_dict(tanh.state_dict(), assign=True)
    for name, parameter in tanh.named_parameters():
        setattr(relu, name, parameter)
    for _ in range(2):
        check(tanh)
        check(relu)


def test_nothing_is_left_of_layers_that_are_gone():
    gc.collect()
    before = len(_packed._keeping)
    for seed in range(5):
        with torch.no_grad():
            layer_of(seed=seed)(X)
    gc.collect()
    assert len(_packed._keeping) <= before


def test_linear_weights_too():
    layer, x = nn.Linear(40, 50), torch.randn(3, 40)
    with torch.no_grad():
        first = layer(x)
        for write in (lambda: layer.weight.data.neg_(), lambda: layer.bias.data.add_(1.0)):
            write()
            second = layer(x)
            assert torch.equal(second, copy.deepcopy(layer)(x))
            assert not torch.equal(second, first)
            first = second
