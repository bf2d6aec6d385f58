import dataclasses

import pytest
import torch

from relembra import ConfigError
from relembra.engine import Activation, CellSpec, StackSpec

FOREIGN = {
    "rnn": {
        "peepholes": True, "coupled": True, "projection": 2, "forget_bias": 1.0,
        "zoneout_cell": 0.1, "state_activation": Activation("tanh"), "reset_after": False,
        "gate_activation": Activation("hard_sigmoid"),
    },
    "gru": {
        "peepholes": True, "coupled": True, "projection": 2, "forget_bias": 1.0,
        "zoneout_cell": 0.1, "state_activation": Activation("tanh"),
    },
    "lstm": {"reset_after": False},
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "option", "value"),
    [(kind, *item) for kind, table in FOREIGN.items() for item in table.items()],
    ids=str,
)
def test_options_of_other_cells_are_refused_by_name(kind, option, value):
    with pytest.raises(ConfigError, match=f"a {kind} cell has no option '{option}' "):
        CellSpec(kind=kind, **{option: value})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "mgu"}, "unknown cell 'mgu'; known: rnn, lstm, gru"),
        ({"recurrent_dropout": 1.0}, r"recurrent_dropout is a probability in \[0, 1\), got 1.0"),
        ({"recurrent_dropout": -0.1}, "recurrent_dropout is a probability"),
        ({"recurrent_dropout": float("nan")}, "recurrent_dropout is a probability"),
        ({"zoneout_hidden": 1.0}, "zoneout_hidden is a probability"),
        ({"zoneout_cell": 2.0}, "zoneout_cell is a probability"),
        (
            {"recurrent_dropout_kind": "h"},
            "unknown recurrent_dropout_kind 'h'; known: state, gates",
        ),
        ({"kind": "rnn", "recurrent_dropout_kind": "candidate"}, "a rnn cell has no candidate"),
        ({"projection": -1}, "projection is a size >= 0, got -1"),
    ],
)
def test_cell_refusals(options, message):
    with pytest.raises(ConfigError, match=message):
        CellSpec(**{"kind": "lstm", **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_size": 0}, "input_size must be a whole number of at least 1, got 0"),
        ({"hidden_size": -2}, "hidden_size must be a whole number of at least 1, got -2"),
        ({"hidden_size": 2.0}, "hidden_size must be a whole number of at least 1, got 2.0"),
        ({"num_layers": True}, "num_layers must be a whole number of at least 1, got True"),
        ({"dropout": -0.5}, r"dropout is a probability in \[0, 1\], got -0.5"),
        ({"dropout": True}, r"dropout is a probability in \[0, 1\], got True"),
        ({"cell": CellSpec(kind="lstm", projection=4)}, "smaller than hidden_size 4, got 4"),
        ({"cell": CellSpec(kind="lstm", forget_bias=1.0), "bias": False}, "forget_bias 1.0 needs"),
    ],
)
def test_stack_refusals(options, message):
    plain = {"cell": CellSpec(kind="lstm"), "input_size": 3, "hidden_size": 4}
    with pytest.raises(ConfigError, match=message):
        StackSpec(**{**plain, **options})


def test_specs_are_values():
    cell = CellSpec(kind="gru", layer_norm=True)
    assert cell == CellSpec(kind="gru", layer_norm=True)
    assert len({cell, CellSpec(kind="gru", layer_norm=True), CellSpec(kind="gru")}) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        cell.layer_norm = False
    assert dataclasses.replace(cell, layer_norm=False) == CellSpec(kind="gru")


@pytest.mark.parametrize(
    ("cell", "gates", "groups"),
    [
        (CellSpec(kind="rnn"), ("state",), (1,)),
        (CellSpec(kind="gru"), ("reset", "update", "candidate"), (2, 1)),
        (CellSpec(kind="lstm"), ("input", "forget", "candidate", "output"), (4,)),
        (CellSpec(kind="lstm", coupled=True), ("input", "candidate", "output"), (3,)),
    ],
)
def test_gates_in_torchs_order(cell, gates, groups):
    assert cell.gate_names == gates
    assert cell.norm_groups == groups


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("projection", [0, 2])
def test_shapes_are_torchs(projection, bias, bidirectional):
    options = {"num_layers": 11, "bias": bias, "bidirectional": bidirectional}
    spec = StackSpec(
        cell=CellSpec(kind="lstm", projection=projection), input_size=3, hidden_size=4, **options
    )
    theirs = torch.nn.LSTM(3, 4, proj_size=projection, **options)
    expected = {name: tuple(p.shape) for name, p in theirs.named_parameters()}
    assert spec.parameter_shapes() == expected
    assert list(spec.parameter_shapes()) == list(expected)


def test_shapes_of_the_options():
    cell = CellSpec(kind="lstm", peepholes=True, coupled=True, layer_norm=True, projection=2)
    spec = StackSpec(cell=cell, input_size=3, hidden_size=4)
    assert spec.layer_shapes(0) == {
        "weight_ih": (12, 3), "weight_hh": (12, 2), "bias_ih": (12,), "bias_hh": (12,),
        "weight_hr": (2, 4), "peephole": (2, 4), "gain_ih": (12,), "gain_hh": (12,),
        "gain_c": (4,), "bias_c": (4,),
    }  # fmt: skip
    without = dataclasses.replace(spec, bias=False)
    assert not [name for name in without.layer_shapes(0) if name.startswith("bias")]


def test_weights_are_collected_by_name():
    spec = StackSpec(
        cell=CellSpec(kind="gru"), input_size=3, hidden_size=4, num_layers=2, bidirectional=True
    )
    parameters = {name: torch.zeros(shape) for name, shape in spec.parameter_shapes().items()}
    weights = spec.weights(parameters)
    assert len(weights) == 4
    assert weights[3].bias_hh is parameters["bias_hh_l1_reverse"]
    assert weights[2].weight_ih is parameters["weight_ih_l1"]
    assert weights[0].peephole is None
