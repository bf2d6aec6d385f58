"""The linear-chain CRF against brute force over all paths."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from relembra import ConfigError, DataError
from relembra.nn import LinearChainCRF
from relembra.nn._crf_sums import Chain, Logs, Scaled, log_total

K, T = 3, 4


def make(labels, allowed=None, scale=1.0, seed=0, dtype=torch.float64):
    crf = LinearChainCRF(labels, allowed).to(dtype)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * scale)
    return crf


def randn(*shape, seed=1, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def paths(crf, emissions, allowed=None):
    """Every path of one row (T, K) and its score."""
    steps, labels = emissions.shape
    begins, ends = crf.begins.tolist(), crf.ends.tolist()
    transitions, emissions = crf.transitions.tolist(), emissions.tolist()
    rules = None if allowed is None else allowed.tolist()
    for path in itertools.product(range(labels), repeat=steps):
        edges = list(itertools.pairwise((labels, *path, labels)))
        if rules is not None and not all(rules[i][j] for i, j in edges):
            continue
        score = begins[path[0]] + ends[path[-1]]
        score += sum(emissions[t][label] for t, label in enumerate(path))
        yield path, score + sum(transitions[i][j] for i, j in edges[1:-1])


def rules(labels, seed):
    """Random rules under which some path of every length exists: label 0 may do all."""
    generator = torch.Generator().manual_seed(seed)
    allowed = torch.rand(labels + 1, labels + 1, generator=generator) < 0.6
    allowed[0, [0, -1]] = allowed[-1, 0] = True
    return allowed


@given(
    labels=st.integers(1, 4),
    lengths=st.lists(st.integers(0, 5), min_size=1, max_size=4),
    scale=st.sampled_from([0.1, 3.0, 100.0, 1000.0]),
    seed=st.integers(0, 999),
    ruled=st.booleans(),
)
def test_against_brute_force(labels, lengths, scale, seed, ruled):
    allowed = rules(labels, seed) if ruled else None
    crf = make(labels, allowed, scale, seed)
    emissions = randn(len(lengths), max(lengths) + 1, labels, seed=seed) * scale
    lengths = torch.tensor(lengths)
    tags, scores = crf.decode(emissions, lengths)
    marginals = crf.marginals(emissions, lengths)
    probability = crf.log_likelihood(emissions, tags, lengths)
    for row, length in enumerate(lengths.tolist()):
        assert not tags[row, length:].any() and not marginals[row, length:].any()
        if not length:
            assert scores[row] == probability[row] == 0
            continue
        found = dict(paths(crf, emissions[row, :length], allowed))
        best = max(found, key=found.get)
        total = float(torch.tensor(list(found.values()), dtype=torch.float64).logsumexp(0))
        assert tuple(tags[row, :length].tolist()) == best
        assert math.isclose(scores[row].item(), found[best], rel_tol=1e-12, abs_tol=1e-9)
        assert math.isclose(probability[row].item(), found[best] - total, abs_tol=1e-8)
        expected = torch.zeros(length, labels, dtype=torch.float64)
        for path, score in found.items():
            expected[range(length), path] += math.exp(score - total)
        torch.testing.assert_close(marginals[row, :length], expected, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("ruled", [False, True])
@pytest.mark.parametrize("scale", [1.0, 400.0])  # the second goes through the log semiring
def test_gradients(ruled, scale):
    allowed = rules(K, 5) if ruled else None
    crf = make(K, allowed, 1.0)
    emissions = (randn(4, T, K) * scale).requires_grad_()
    lengths = torch.tensor([T, 1, 0, 2])
    tags, _ = crf.decode(emissions.flip(0), lengths)  # allowed ones, but not the likeliest
    parameters = dict(crf.named_parameters())

    def likelihood(emissions, *values):
        given = dict(zip(parameters, values, strict=True))
        return torch.func.functional_call(crf, given, (emissions, tags, lengths))

    # Steep scores make large second derivatives, which finite differences see as errors.
    assert torch.autograd.gradcheck(
        likelihood, (emissions, *parameters.values()), eps=1e-7 if scale > 1 else 1e-6, atol=1e-4
    )


def chain_of(scale, allowed=None):
    crf = make(5, allowed, scale, seed=3)
    emissions = randn(6, 9, 5) * scale
    return crf._chain(emissions.detach(), torch.tensor([9, 0, 1, 2, 7, 9]))


@pytest.mark.parametrize("ruled", [False, True])
def test_both_ways_agree(ruled):
    with torch.no_grad():
        chain = chain_of(3.0, rules(5, 7) if ruled else None)
        weights = randn(6, seed=4)
        scaled, logs = Scaled(chain), Logs(chain)
        assert scaled.is_exact()
        torch.testing.assert_close(scaled.log_total, logs.log_total, rtol=1e-12, atol=1e-12)
        for a, b in zip(scaled.expected(weights), logs.expected(weights), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-12)


def test_what_falls_out_of_range_goes_through_the_log_semiring():
    """The only path that may end was the unlikeliest by 2000 nats."""
    allowed = torch.eye(3, dtype=torch.bool)
    allowed[2, :2] = allowed[1, 2] = True  # both labels begin, none changes, label 1 ends
    crf = LinearChainCRF(2, allowed)
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.zero_()
    emissions = torch.zeros(1, 10, 2)
    emissions[0, :, 0] = 200.0
    with torch.no_grad():
        assert not Scaled(crf._chain(emissions.double(), torch.tensor([10]))).is_exact()
    tags, _ = crf.decode(emissions)
    assert tags.tolist() == [[1] * 10]
    assert crf.log_likelihood(emissions, tags).tolist() == [0.0]
    assert crf.marginals(emissions)[0, :, 1].tolist() == [1.0] * 10


def test_what_cannot_be_reached_does_not_overflow():
    """Label 0 may not begin: its emissions, however high, must not spoil the gradient."""
    allowed = torch.eye(3, dtype=torch.bool)
    allowed[2, 1] = allowed[:2, 2] = True
    crf = make(2, allowed)
    emissions = torch.zeros(1, 50, 2, dtype=torch.float64)
    emissions[..., 0] = 500.0
    emissions.requires_grad_()
    crf.log_likelihood(emissions, torch.ones(1, 50, dtype=torch.long)).sum().backward()
    assert emissions.grad.abs().max() < 1e-12
    assert crf.transitions.grad.isfinite().all()


def test_a_literal_case():
    """Two labels, two steps: total = e^(0+0) + e^(0+2) + e^(1+0) + e^(1+2+1)."""
    crf = make(2)
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.zero_()
        crf.transitions[1, 1] = 1.0
    emissions = torch.tensor([[[0.0, 1.0], [0.0, 2.0]]], dtype=torch.float64)
    tags, score = crf.decode(emissions)
    assert tags.tolist() == [[1, 1]] and score.tolist() == [4.0]
    total = 1 + math.exp(2) + math.exp(1) + math.exp(4)
    expected = 2 - math.log(total)
    assert crf.log_likelihood(emissions, torch.tensor([[0, 1]])).item() == pytest.approx(expected)
    first = (math.exp(1) + math.exp(4)) / total
    assert float(crf.marginals(emissions)[0, 0, 1]) == pytest.approx(first)


def test_company_and_padding_leave_the_bits():
    allowed = rules(7, 2)
    crf = make(7, allowed, dtype=torch.float32)
    emissions = randn(9, 30, 7, dtype=torch.float32)
    lengths = torch.tensor([30, 0, 1, 2, 29, 17, 8, 8, 3])
    tags, scores = crf.decode(emissions, lengths)
    for row, length in enumerate(lengths.tolist()):
        alone, score = crf.decode(emissions[row : row + 1, :length])
        assert torch.equal(alone[0], tags[row, :length])
        assert torch.equal(score[0], scores[row])


def test_what_stands_beyond_the_length_does_not_matter():
    crf = make(K)
    emissions, lengths = randn(2, 5, K), torch.tensor([3, 5])
    tags = torch.tensor([[0, 1, 2, 0, 0], [0, 1, 2, 2, 1]])
    other, far = emissions.clone(), tags.clone()
    other[0, 3:] = 1e9
    far[0, 3:] = -100
    expected = crf.log_likelihood(emissions, tags, lengths)
    torch.testing.assert_close(crf.log_likelihood(other, far, lengths), expected)


def test_float32_sums_in_float64():
    crf, twin = make(K, dtype=torch.float32), make(K)
    emissions, tags = randn(2, 200, K, dtype=torch.float32), torch.zeros(2, 200, dtype=torch.long)
    got = crf.log_likelihood(emissions, tags)
    assert got.dtype == torch.float32
    wanted = twin.log_likelihood(emissions.double(), tags)
    torch.testing.assert_close(got.double(), wanted, rtol=1e-6, atol=0)


def test_backward_twice_gives_the_same():
    crf = make(K)
    loss = -crf.log_likelihood(randn(2, T, K), torch.zeros(2, T, dtype=torch.long)).sum()
    first = torch.autograd.grad(loss, crf.transitions, retain_graph=True)[0]
    assert torch.equal(torch.autograd.grad(loss, crf.transitions)[0], first)


def test_no_steps_and_no_rows():
    crf = make(K)
    empty = torch.zeros(2, 0, K, dtype=torch.float64)
    tags = torch.zeros(2, 0, dtype=torch.long)
    assert crf.log_likelihood(empty, tags).tolist() == [0.0, 0.0]
    assert crf.decode(empty)[0].shape == (2, 0) and crf.marginals(empty).shape == (2, 0, K)
    none = torch.zeros(0, 4, K, dtype=torch.float64)
    assert crf.decode(none)[0].shape == (0, 4)
    assert crf.log_likelihood(none, torch.zeros(0, 4, dtype=torch.long)).shape == (0,)


def test_rules_are_part_of_the_state():
    crf, other = make(K, rules(K, 1)), make(K, torch.ones(K + 1, K + 1, dtype=torch.bool))
    other.load_state_dict(crf.state_dict())
    assert torch.equal(other.forbidden, crf.forbidden)


def test_refusals():
    with pytest.raises(ConfigError, match=r"\(3, 3\), expected \(4, 4\)"):
        LinearChainCRF(3, torch.ones(3, 3))
    with pytest.raises(ConfigError, match="no label begin"):
        LinearChainCRF(2, torch.zeros(3, 3))
    allowed = torch.ones(3, 3, dtype=torch.bool)
    allowed[1, 0] = allowed[2, 1] = False
    crf = LinearChainCRF(2, allowed)
    emissions = torch.zeros(2, 3, 2)
    good = torch.tensor([0, 0, 1])
    with pytest.raises(DataError, match="row 1 goes from label 1 to label 0 at step 2"):
        crf.log_likelihood(emissions, torch.stack([good, torch.tensor([0, 1, 0])]))
    with pytest.raises(DataError, match="row 0 goes from the edge to label 1 at step 0"):
        crf.log_likelihood(emissions, torch.stack([good + 1 - good, good]))
    with pytest.raises(DataError, match="row 0 has the tag 2 at step 1, expected 0 to 1"):
        crf.log_likelihood(emissions, torch.tensor([[0, 2, 0], [0, 0, 0]]))
    with pytest.raises(DataError, match=r"\(2, 3, 2\), expected \(B, T, 3\)"):
        LinearChainCRF(3).decode(emissions)
    with pytest.raises(DataError, match=r"between 0 and 3, got \[4, 1\]"):
        crf.decode(emissions, torch.tensor([4, 1]))
    allowed[0, 2] = False  # only label 1 ends, and it may not begin
    with pytest.raises(DataError, match="row 1 has 1 steps, and no path"):
        LinearChainCRF(2, allowed).decode(emissions, torch.tensor([3, 1]))
    with pytest.raises(DataError, match="row 1 has 1 steps, and no path"):
        LinearChainCRF(2, allowed).marginals(emissions, torch.tensor([3, 1]))


def test_log_total_of_nothing_learned():
    """All scores zero: every one of K^n paths counts once."""
    zeros = torch.zeros(3, 2, 4, dtype=torch.float64)
    flat = torch.zeros(4, dtype=torch.float64)
    chain = Chain(zeros, torch.zeros(4, 4).double(), flat, flat, torch.tensor([3, 1]))
    torch.testing.assert_close(log_total(chain).exp(), torch.tensor([64.0, 4.0]).double())
