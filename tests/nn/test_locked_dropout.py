"""One mask for all steps, and nothing in evaluation."""

import pytest
import torch

from relembra import ConfigError
from relembra.nn import LSTM, LockedDropout


def test_each_row_has_one_mask_for_all_steps():
    torch.manual_seed(0)
    y = LockedDropout(0.25)(torch.ones(200, 7, 50))
    assert torch.equal(y, y[:, :1].expand_as(y))
    assert y.unique().tolist() == [0.0, pytest.approx(1 / 0.75)]
    assert float((y == 0).float().mean()) == pytest.approx(0.25, abs=0.02)
    assert not torch.equal(y[0], y[1])


def test_evaluation_and_rate_zero_change_nothing():
    x = torch.randn(2, 3, 4)
    assert LockedDropout(0.9).eval()(x) is x
    before = torch.get_rng_state()
    assert LockedDropout(0.0)(x) is x
    assert torch.equal(torch.get_rng_state(), before)


def test_masks_come_from_torchs_generator():
    layer, x = LockedDropout(0.5), torch.ones(3, 4, 5)
    torch.manual_seed(1)
    first = layer(x)
    torch.manual_seed(1)
    assert torch.equal(layer(x), first) and not torch.equal(layer(x), first)


@pytest.mark.parametrize("rate", [-0.1, 1.0, True, float("nan")])
def test_a_rate_is_a_probability_below_one(rate):
    with pytest.raises(ConfigError, match=r"rate is a probability in \[0, 1\)"):
        LockedDropout(rate)


@pytest.mark.parametrize("path", ["native", "reference"])
def test_between_layers(path):
    """With masks of one row for all steps, a layer above that only copies shows them."""
    torch.manual_seed(0)
    layer = LSTM(3, 8, 2, batch_first=True, dropout=0.5, locked_dropout=True, path=path)
    torch.manual_seed(5)
    x = torch.randn(2, 6, 3, requires_grad=True)
    torch.manual_seed(6)
    output, _ = layer(x)
    torch.manual_seed(6)
    kept = torch.empty(2, 1, 8).bernoulli_(0.5) * 2  # what the layer drew
    lower, upper = LSTM(3, 8, batch_first=True), LSTM(8, 8, batch_first=True)
    state = layer.state_dict()
    lower.load_state_dict({k: v for k, v in state.items() if k.endswith("l0")})
    upper.load_state_dict({k.replace("l1", "l0"): v for k, v in state.items() if "l1" in k})
    torch.testing.assert_close(output, upper(lower(x)[0] * kept)[0])
    output.sum().backward()
    assert layer.last_path == path and x.grad.isfinite().all()
    assert "locked_dropout=True" in repr(layer)
