"""Pooling against plain loops over rows, and its promise about bits."""

import pytest
import torch

from relembra import ConfigError, DataError
from relembra.nn import Pooling
from relembra.nn._pooling import sum_over_steps

KINDS = ["last", "mean", "max", "attention"]
LENGTHS = torch.tensor([7, 0, 1, 5])
X = torch.randn(4, 7, 6, generator=torch.Generator().manual_seed(0))


def expected(pool, row):
    """For one row (T, F) of at least one step."""
    if pool.kind == "last":
        return torch.cat([row[-1, :3], row[0, 3:]]) if pool.bidirectional else row[-1]
    if pool.kind == "mean":
        return row.double().mean(0).float()
    if pool.kind == "max":
        return row.max(0).values
    weights = torch.softmax(pool.score(torch.tanh(pool.hidden(row))), 0)
    return (weights * row).sum(0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_values(kind, bidirectional):
    pool = Pooling(kind, 6, bidirectional=bidirectional)
    x = X.clone()
    x[3, 5:] = torch.nan  # beyond the length
    got = pool(x, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        wanted = expected(pool, x[row, :length]) if length else torch.zeros(6)
        torch.testing.assert_close(got[row], wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("features", [1, 6])
def test_bits_in_any_company(kind, features):
    pool = Pooling(kind, features).eval()
    x = torch.randn(4, 700, features, generator=torch.Generator().manual_seed(1))
    lengths = torch.tensor([700, 0, 1, 50])
    with torch.no_grad():
        together = pool(torch.cat([x, torch.randn(4, 1000, features)], 1), lengths)
        for row, length in enumerate(lengths.tolist()):
            alone = pool(x[row : row + 1, :length], torch.tensor([length]))[0]
            if kind == "attention":
                torch.testing.assert_close(alone, together[row], rtol=0, atol=1e-6)
            else:
                assert torch.equal(alone, together[row])


@pytest.mark.parametrize("kind", KINDS)
def test_gradients(kind):
    pool = Pooling(kind, 6).double()
    x = X.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: pool(x, LENGTHS), x)


def test_sum_is_the_same_tree_for_any_padding():
    generator = torch.Generator().manual_seed(3)
    for steps in range(1, 34):
        x = torch.randn(2, steps, 3, generator=generator)
        wanted = sum_over_steps(x)
        for more in (1, 2, 31):
            padded = torch.cat([x, torch.zeros(2, more, 3)], 1)
            assert torch.equal(sum_over_steps(padded), wanted)
        torch.testing.assert_close(wanted, x.sum(1))


def test_a_lone_negative_zero():
    x = torch.tensor([[[-0.0]]])
    assert not sum_over_steps(x).signbit().any()


def test_all_steps_count_without_lengths():
    assert torch.equal(Pooling("max", 6)(X), X.max(1).values)
    assert Pooling("mean", 6)(X[:, :0]).tolist() == [[0.0] * 6] * 4


def test_refusals():
    with pytest.raises(ConfigError, match="unknown pooling 'sum'; known: last, mean, max, att"):
        Pooling("sum", 3)
    with pytest.raises(DataError, match=r"\(4, 7, 6\), expected \(B, T, 5\)"):
        Pooling("mean", 5)(X)
