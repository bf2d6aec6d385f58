"""What the settings of a trunk do to its module."""

import pytest
import torch

from relembra import ConfigError
from relembra.nn import CELLS, LockedDropout, Trunk

RECURRENT = [cell for cell in CELLS if cell != "feedforward"]
X = torch.randn(3, 6, 4, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("cell", RECURRENT)
def test_weight_drop_drops_recurrent_weights(cell):
    trunk = Trunk(cell=cell, units=5, weight_drop=0.5).build(4)
    output, _ = trunk(X)
    output.sum().backward()
    grad = trunk.body.weight_hh_l0.grad
    lost = (grad == 0).float().mean()
    assert 0.2 < float(lost) < 0.8  # a dropped weight gets no gradient at any step
    assert trunk.body.last_path == "native"
    whole = Trunk(cell=cell, units=5).build(4)
    whole.load_state_dict(trunk.state_dict())
    assert torch.equal(trunk.eval()(X)[0], whole.eval()(X)[0])


@pytest.mark.parametrize("cell", CELLS)
def test_locked_dropout_everywhere(cell):
    torch.manual_seed(0)
    trunk = Trunk(cell=cell, units=8, layers=2, dropout=0.5, locked_dropout=True).build(4)
    output, _ = trunk(X)
    zero = output == 0
    assert zero.any() and torch.equal(zero, zero[:, :1].expand_as(zero))
    assert not [m for m in trunk.modules() if isinstance(m, torch.nn.Dropout)]
    # Features that are gone between the layers get no gradient in the weights above, for any row
    # alone.
    trunk.zero_grad()
    trunk(X[:1])[0].sum().backward()
    above = trunk.body.layers[1].weight if cell == "feedforward" else trunk.body.weight_ih_l1
    columns = (above.grad == 0).all(0)
    assert 0 < int(columns.sum()) < 8


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("locked", [False, True])
def test_input_dropout(cell, locked):
    torch.manual_seed(0)
    settings = Trunk(cell=cell, units=5, input_dropout=0.5, locked_dropout=locked)
    trunk = settings.build(4)
    x = X.clone().requires_grad_()
    trunk(x)[0].sum().backward()
    lost = x.grad == 0
    assert lost.any() and not lost.all()
    assert torch.equal(lost, lost[:, :1].expand_as(lost)) == locked
    assert isinstance(trunk.input_dropout, LockedDropout) == locked
    assert torch.equal(trunk.eval()(X)[0], trunk(X)[0])


@pytest.mark.parametrize("cell", CELLS)
def test_walk_leaves_the_output_as_it_is_before_the_dropout(cell):
    trunk = Trunk(cell=cell, units=5, dropout=0.5).build(4)
    raw, state = trunk.walk(X)
    plain, same = trunk.eval()(X)
    torch.testing.assert_close(raw, plain)
    assert [s.shape for s in state] == [s.shape for s in same]
    torch.manual_seed(2)
    dropped = trunk.train()(X)[0]
    torch.manual_seed(2)
    torch.testing.assert_close(trunk.dropout(raw), dropped)


def test_refusals():
    with pytest.raises(ConfigError, match="give one of them, got 0.2 and 0.5"):
        Trunk(recurrent_dropout=0.2, weight_drop=0.5)
    with pytest.raises(ConfigError, match="a feedforward trunk has no state"):
        Trunk(cell="feedforward", weight_drop=0.5)
    for name in ("dropout", "input_dropout", "recurrent_dropout", "weight_drop", "zoneout"):
        for rate in (1.0, "half", None, True):
            with pytest.raises(ConfigError, match=f"^{name} is a probability"):
                Trunk(**{name: rate})
    for name in ("units", "layers"):
        for count in (0, 2.5, "many", None, True):
            with pytest.raises(ConfigError, match=f"^Trunk.{name} is {count!r}; it must be a who"):
                Trunk(**{name: count})
