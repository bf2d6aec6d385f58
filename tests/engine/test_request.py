import re

import pytest
import torch

from relembra import DataError
from relembra.engine import CellSpec, LayerNoise, Request, StackNoise, StackSpec

B, T, INPUTS, H, P = 2, 5, 3, 4, 2
LSTM = StackSpec(
    cell=CellSpec(kind="lstm", projection=P), input_size=INPUTS, hidden_size=H, num_layers=2
)
GRU = StackSpec(cell=CellSpec(kind="gru"), input_size=INPUTS, hidden_size=H)


def request(spec=LSTM, **parts) -> Request:
    weights = spec.weights({k: torch.zeros(s) for k, s in spec.parameter_shapes().items()})
    return Request(**{"spec": spec, "weights": weights, "x": torch.zeros(B, T, INPUTS), **parts})


def noise(layer=LayerNoise(), layers=2, between=(None,)):  # noqa: B008  immutable
    return StackNoise((layer,) * layers, between)


def test_a_complete_request_passes():
    layer = LayerNoise(
        state=torch.zeros(B, P),
        candidate=torch.zeros(B, T, H),
        weights=torch.zeros(4 * H, P),
        zoneout_hidden=torch.zeros(B, T, P),
        zoneout_cell=torch.zeros(B, T, H),
    )
    request(
        lengths=torch.tensor([0, T]),
        mask=torch.ones(B, T).bool(),
        reset=torch.zeros(B, T).bool(),
        hidden=torch.zeros(2, B, P),
        cell=torch.zeros(2, B, H),
        noise=noise(layer, between=(torch.zeros(B, T, P),)),
    ).check()


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"x": torch.zeros(T, INPUTS)}, "input has 2 dimensions, expected 3: (B, T, I)"),
        ({"x": torch.zeros(INPUTS)}, "input has 1 dimensions, expected 3"),
        ({"x": torch.zeros(B, T, 7)}, "input has 7 features, expected 3"),
        ({"lengths": torch.zeros(B, 1).long()}, "lengths has shape (2, 1), expected (2,)"),
        ({"lengths": torch.tensor([1.0, 2.0])}, "lengths must be integers, got torch.float32"),
        ({"lengths": torch.tensor([True, False])}, "lengths must be integers, got torch.bool"),
        ({"lengths": torch.tensor([3, 9])}, "lengths must lie in 0…5, got values from 3 to 9"),
        ({"mask": torch.ones(T, B).bool()}, "mask has shape (5, 2), expected (2, 5)"),
        ({"mask": torch.ones(B, T).long()}, "mask has dtype torch.int64, expected torch.bool"),
        ({"reset": torch.ones(B, T)}, "reset has dtype torch.float32, expected torch.bool"),
        ({"hidden": torch.zeros(2, B, H)}, "hidden state has shape (2, 2, 4), expected (2, 2, 2)"),
        ({"cell": torch.zeros(1, B, H)}, "cell state has shape (1, 2, 4), expected (2, 2, 4)"),
        ({"noise": noise(layers=1)}, "noise is for 1 layers and directions and 1 gaps"),
        ({"noise": noise(between=())}, "and 0 gaps between layers, expected 2 and 1"),
        (
            {"noise": noise(LayerNoise(state=torch.ones(1, P)))},
            "noise 'state' has shape (1, 2), expected (2, 2)",
        ),
        (
            {"noise": noise(LayerNoise(zoneout_cell=torch.ones(B, T, P)))},
            "noise 'zoneout_cell' has shape (2, 5, 2), expected (2, 5, 4)",
        ),
        (
            {"noise": noise(between=(torch.ones(B, T, H),))},
            "noise between layers has shape (2, 5, 4), expected (2, 5, 2)",
        ),
    ],
)
def test_what_does_not_fit_is_named(parts, message):
    with pytest.raises(DataError, match=re.escape(message)):
        request(**parts).check()


def test_a_cell_state_where_there_is_none():
    with pytest.raises(DataError, match="a gru has no cell state, but an initial one was given"):
        request(GRU, cell=torch.zeros(1, B, H)).check()


def test_initial_states_are_zero_where_none_are_given():
    hidden, cell = request().initial()
    assert hidden.shape == (2, B, P) and cell.shape == (2, B, H)
    assert not hidden.any() and not cell.any()
    hidden, cell = request(GRU).initial()
    assert hidden.shape == (1, B, H) and cell is None


def test_inside():
    assert request().inside() is None
    inside = request(lengths=torch.tensor([2, 0])).inside()
    assert inside.tolist() == [[True, True, False, False, False], [False] * 5]
