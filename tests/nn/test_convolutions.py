"""Convolutions over steps against PyTorch's own, and their promise about bits."""

import pytest
import torch
from torch.nn import functional

from relembra import ConfigError, DataError
from relembra.nn import Convolutions
from relembra.nn._convolutions import StepNorm

LENGTHS = torch.tensor([9, 0, 1, 5])
X = torch.randn(4, 9, 3, generator=torch.Generator().manual_seed(0))


def trained(**settings):
    """Some whose running averages are not those of a new one."""
    torch.manual_seed(1)
    front = Convolutions(3, 6, **settings)
    for _ in range(3):
        front(2 * X + 1, LENGTHS)
    return front.eval()


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("window", [1, 4, 5])
def test_a_row_is_what_pytorch_makes_of_it_alone(causal, window):
    front = trained(window=window, layers=2, causal=causal)
    x = X.clone()
    x[3, 5:] = torch.nan  # beyond the length
    got = front(x, LENGTHS)
    before = window - 1 if causal else (window - 1) // 2
    for row, length in enumerate(LENGTHS.tolist()):
        assert not got[row, length:].any()
        if not length:
            continue
        wanted = x[row : row + 1, :length].mT  # (1, I, T)
        for taps, norm in zip(front.taps, front.norms, strict=True):
            wanted = functional.pad(wanted, (before, window - 1 - before))
            wanted = functional.conv1d(wanted, taps.weight.unflatten(1, (-1, window)))
            wanted = functional.batch_norm(
                wanted, norm.mean, norm.variance, norm.weight, norm.bias, eps=norm.epsilon
            ).relu()
        torch.testing.assert_close(got[row, :length], wanted[0].mT, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
def test_bits_in_any_company(causal):
    front = trained(window=5, layers=2, causal=causal)
    x = torch.randn(4, 300, 3, generator=torch.Generator().manual_seed(1))
    lengths = torch.tensor([300, 0, 1, 50])
    with torch.no_grad():
        together = front(torch.cat([x, torch.randn(4, 70, 3)], 1), lengths)
        for row, length in enumerate(lengths.tolist()):
            alone = front(x[row : row + 1, :length], torch.tensor([length]))[0]
            assert torch.equal(alone, together[row, :length])


@pytest.mark.parametrize("window", [1, 2, 7])
def test_step_by_step_has_the_same_bits(window):
    front = trained(window=window, layers=3, causal=True)
    with torch.no_grad():
        whole, state = front(X), front.start(4)
        for step in range(X.shape[1]):
            found, state = front.step(X[:, step], state)
            assert torch.equal(found, whole[:, step])


def test_a_causal_one_does_not_see_what_follows():
    front = trained(window=4, layers=2, causal=True)
    changed = X.clone()
    changed[:, 6:] += 1
    assert torch.equal(front(X)[:, :6], front(changed)[:, :6])
    assert not torch.equal(front(X)[:, 6], front(changed)[:, 6])


@pytest.mark.parametrize("training", [True, False])
def test_gradients(training):
    front = trained(window=3, layers=2).double().train(training)
    x = X.double().requires_grad_()

    def call(x, *weights):
        named = dict(zip(dict(front.named_parameters()), weights, strict=True))
        return torch.func.functional_call(front, named, (x, LENGTHS))

    assert torch.autograd.gradcheck(call, (x, *front.parameters()))


def test_padding_is_not_in_the_statistics():
    norm, other = StepNorm(3), StepNorm(3)
    inside = torch.arange(9) < LENGTHS[:, None]
    x = X.masked_fill(~inside[..., None], 1e6)
    found = norm(x, inside)
    alone = other(x[inside][None], torch.ones(1, int(LENGTHS.sum()), dtype=torch.bool))
    assert torch.equal(found[inside], alone[0])
    assert torch.equal(norm.variance, other.variance)
    torch.testing.assert_close(norm.mean, x[inside].mean(0))  # the first batch counts alone
    torch.testing.assert_close(found[inside].mean(0), torch.zeros(3), atol=1e-6, rtol=0)


def test_a_lone_step_is_taken_by_the_running_averages():
    front = trained().train()
    before = front.norms[0].mean.clone()
    found = front(X[:1, :1], torch.tensor([1]))
    assert torch.equal(found, front.eval()(X[:1, :1]))
    assert torch.equal(front.norms[0].mean, before)


def test_refusals():
    refused = {"maps": (0, 2.5), "window": (0, True), "layers": (0,), "dropout": (1.5,)}
    for wrong in ({name: value} for name, values in refused.items() for value in values):
        with pytest.raises(ConfigError):
            Convolutions(3, **{"maps": 2, **wrong})
    with pytest.raises(ConfigError, match="causal=True"):
        Convolutions(3, 2).start(1)
    front = Convolutions(3, 2, causal=True).eval()
    for x, lengths in ((X[..., :2], LENGTHS), (X[0], LENGTHS), (X, LENGTHS[:2])):
        with pytest.raises(DataError, match="expected"):
            front(x, lengths)
    with pytest.raises(DataError, match="expected"):
        front.step(torch.zeros(1, 4), front.start(1))
