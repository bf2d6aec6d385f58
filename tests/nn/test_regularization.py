"""Penalties against loops over what counts."""

import pytest
import torch

from relembra.nn import activation_penalty, temporal_penalty

X = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LENGTHS = torch.tensor([5, 1, 3])


def test_only_steps_inside_count():
    rows = [X[i, :n] for i, n in enumerate(LENGTHS.tolist())]
    other = X.clone()
    other[1, 1:] = torch.inf
    wanted = torch.cat(rows).square().mean()
    torch.testing.assert_close(activation_penalty(other, LENGTHS), wanted)
    wanted = torch.cat([row.diff(dim=0) for row in rows]).square().mean()
    torch.testing.assert_close(temporal_penalty(X, LENGTHS), wanted)


def test_without_lengths_all_steps_count():
    torch.testing.assert_close(activation_penalty(X), X.square().mean())
    torch.testing.assert_close(temporal_penalty(X), X.diff(dim=1).square().mean())


@pytest.mark.parametrize("penalty", [activation_penalty, temporal_penalty])
def test_gradients_and_nothing_to_count(penalty):
    x = X.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: penalty(x, LENGTHS), x)
    assert penalty(X[:, :0]).item() == penalty(X, torch.zeros(3, dtype=torch.long)).item() == 0.0
