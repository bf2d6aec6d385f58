"""Errors: torch's own where torch checks, ours by name where an option makes no sense."""

import re

import pytest
import torch
from torch import nn as torch_nn
from torch.nn.utils.rnn import pack_sequence

from relembra import ConfigError, DataError, nn

KINDS = ("RNN", "LSTM", "GRU")
EACH_KIND = pytest.mark.parametrize("kind", KINDS)
Z = torch.zeros


def hx(kind, h, c=None):
    return (h, h if c is None else c) if kind == "LSTM" else h


BAD_CALLS = {
    "1-D input": lambda k: (Z(3), None),
    "4-D input": lambda k: (Z(5, 2, 3, 1), None),
    "features": lambda k: (Z(5, 2, 4), None),
    "dtype": lambda k: (Z(5, 2, 3, dtype=torch.float64), None),
    "2-D state of a batch": lambda k: (Z(5, 2, 3), hx(k, Z(2, 4))),
    "3-D state of a row": lambda k: (Z(5, 3), hx(k, Z(2, 1, 4))),
    "layers of the state": lambda k: (Z(5, 2, 3), hx(k, Z(1, 2, 4))),
    "rows of the state": lambda k: (Z(5, 2, 3), hx(k, Z(2, 3, 4))),
    "units of the state": lambda k: (Z(5, 2, 3), hx(k, Z(2, 2, 5))),
}


def error_of(layer, call):
    with pytest.raises((ValueError, RuntimeError)) as caught:
        layer(*call)
    return caught.value


@EACH_KIND
@pytest.mark.parametrize("name", BAD_CALLS)
def test_same_errors_as_torch(kind, name):
    call = BAD_CALLS[name](kind)
    theirs = error_of(getattr(torch_nn, kind)(3, 4, 2), call)
    ours = error_of(getattr(nn, kind)(3, 4, 2), call)
    assert type(ours) is type(theirs)
    assert str(ours) == str(theirs)


def test_cell_state_of_another_size():
    call = (Z(5, 2, 3), (Z(1, 2, 2), Z(1, 2, 2)))
    ours = error_of(nn.LSTM(3, 4, proj_size=2), call)
    assert str(ours) == str(error_of(torch_nn.LSTM(3, 4, proj_size=2), call))


def test_state_of_the_other_kind():
    with pytest.raises(TypeError, match="LSTM: hx must be a pair"):
        nn.LSTM(3, 4)(Z(5, 2, 3), Z(1, 2, 4))
    with pytest.raises(TypeError, match="LSTM: hx must be a pair .*got 3"):
        nn.LSTM(3, 4)(Z(5, 2, 3), (Z(1, 2, 4),) * 3)
    for kind in (nn.RNN, nn.GRU):
        with pytest.raises(TypeError, match="hx must be a tensor h_0"):
            kind(3, 4)(Z(5, 2, 3), (Z(1, 2, 4), Z(1, 2, 4)))


@EACH_KIND
@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"lengths": torch.tensor([5])}, r"lengths has shape (1,), expected (2,)"),
        ({"lengths": torch.tensor([5, 6])}, "lengths must lie in 0…5, got values from 5 to 6"),
        ({"lengths": torch.tensor([-1, 2])}, "lengths must lie in 0…5, got values from -1 to 2"),
        ({"lengths": torch.tensor([1.0, 2.0])}, "lengths must be integers, got torch.float32"),
        ({"mask": torch.ones(5, 2).bool()}, "mask has shape (5, 2), expected (2, 5)"),
        ({"mask": torch.ones(2, 5)}, "mask has dtype torch.float32, expected torch.bool"),
        ({"reset": torch.ones(2, 4).bool()}, "reset has shape (2, 4), expected (2, 5)"),
    ],
)
def test_what_torch_does_not_have(kind, call, message):
    with pytest.raises(DataError, match=re.escape(message)):
        getattr(nn, kind)(3, 4)(Z(5, 2, 3), **call)


@EACH_KIND
@pytest.mark.parametrize("name", ["lengths", "mask", "reset"])
def test_packed_input_carries_its_lengths(kind, name):
    packed = pack_sequence([Z(3, 3), Z(2, 3)])
    with pytest.raises(ConfigError, match="a packed input carries its lengths"):
        getattr(nn, kind)(3, 4)(packed, **{name: torch.ones(2, 3).bool()})


@EACH_KIND
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_size": 0}, "hidden_size"),
        ({"hidden_size": 2.5}, "hidden_size .*2.5"),
        ({"input_size": 0}, "input_size"),
        ({"num_layers": 0}, "num_layers"),
        ({"dropout": 1.5}, r"dropout is a probability in \[0, 1\], got 1.5"),
        ({"dropout": True}, "dropout is a probability"),
        ({"recurrent_dropout": 1.0}, r"recurrent_dropout is a probability in \[0, 1\), got 1.0"),
        ({"recurrent_dropout_kind": "all"}, "recurrent_dropout_kind 'all'; known: state"),
        ({"zoneout": -0.1}, "zoneout_hidden is a probability"),
    ],
)
def test_options_out_of_range(kind, options, message):
    with pytest.raises(ConfigError, match=message):
        getattr(nn, kind)(**{"input_size": 3, "hidden_size": 4, **options})


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("RNN", {"nonlinearity": "tanhh"}, "unknown activation 'tanhh'; known: tanh, sigmoid"),
        ("RNN", {"recurrent_dropout_kind": "candidate"}, "no candidate apart from its state"),
        ("LSTM", {"activation": "swish"}, "unknown activation 'swish'"),
        ("LSTM", {"proj_size": 4}, "projection must be smaller than hidden_size 4, got 4"),
        ("LSTM", {"proj_size": -1}, "projection is a size >= 0, got -1"),
        ("LSTM", {"zoneout": (0.1, 1.0)}, "zoneout_cell is a probability"),
        ("LSTM", {"forget_bias": 1.0, "bias": False}, "forget_bias 1.0 needs the biases"),
        ("GRU", {"gate_activation": "hard"}, "unknown activation 'hard'"),
    ],
)
def test_options_that_make_no_sense(kind, options, message):
    with pytest.raises(ConfigError, match=message):
        getattr(nn, kind)(3, 4, **options)


@pytest.mark.parametrize(
    ("kind", "option"),
    [("GRU", "proj_size"), ("RNN", "proj_size"), ("GRU", "peepholes"), ("RNN", "coupled"),
     ("GRU", "forget_bias"), ("RNN", "reset_after"), ("LSTM", "reset_after")],
)  # fmt: skip
def test_options_of_other_cells(kind, option):
    with pytest.raises(TypeError, match=f"unexpected keyword argument '{option}'"):
        getattr(nn, kind)(3, 4, **{option: 1})


@EACH_KIND
def test_dropout_of_a_single_layer_is_said_as_torch_says_it(kind):
    texts = []
    for module in (torch_nn, nn):
        with pytest.warns(UserWarning, match="dropout option adds dropout") as said:
            getattr(module, kind)(3, 4, dropout=0.5)
        texts.append(str(said[0].message))
        filename = said[0].filename
    assert texts[0] == texts[1]
    assert filename == __file__
