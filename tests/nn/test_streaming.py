"""Step by step gives the bits of the whole sequence; states are copied, saved, taken up again."""

import copy
import re
import warnings
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.parametrizations import weight_norm

from relembra import ConfigError, DataError, SlowPathWarning, nn
from relembra._files import read_tensors, write_tensors

CELLS = {
    "lstm": nn.LSTM,
    "gru": nn.GRU,
    "rnn": nn.RNN,
    "relu": partial(nn.RNN, nonlinearity="relu"),
    "softsign": partial(nn.RNN, nonlinearity="softsign", zoneout=0.3),
    "peepholes": partial(nn.LSTM, peepholes=True, zoneout=(0.1, 0.2), activation="elu"),
    "coupled": partial(nn.LSTM, coupled=True, peepholes=True, state_activation="identity"),
    "hard gru": partial(nn.GRU, gate_activation="hard_sigmoid", zoneout=0.2),
}


def made(cell, *sizes, dtype=torch.float32, seed=0):
    torch.manual_seed(seed)
    return CELLS[cell](*sizes, dtype=dtype).eval()


def stepped(layer, x, state):
    """The outputs (T, B, P) of one step after another; checks which path ran."""
    outputs = []
    for frame in x:
        y, same = layer.step(frame, state)
        assert same is state
        outputs.append(y)
    return torch.stack(outputs) if outputs else x.new_zeros(0, x.shape[1], layer.hidden_size)


def parts(hx):
    return hx if isinstance(hx, tuple) else (hx,)


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(parts(a), parts(b), strict=True))


@given(
    cell=st.sampled_from(sorted(CELLS)),
    inputs=st.integers(1, 40),
    units=st.integers(1, 70),
    layers=st.integers(1, 3),
    rows=st.integers(1, 9),
    cuts=st.lists(st.integers(0, 6), min_size=1, max_size=4),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    seed=st.integers(0, 99),
)
def test_steps_and_chunks_have_the_bits_of_the_whole(
    cell, inputs, units, layers, rows, cuts, dtype, seed
):
    layer = made(cell, inputs, units, layers, dtype=dtype, seed=seed)
    x = torch.randn(sum(cuts) + 1, rows, inputs, dtype=dtype)
    with torch.no_grad():
        whole, final = layer(x)
    assert layer.last_path == "native"
    state = layer.start(rows)
    assert state.path == "native"
    assert torch.equal(stepped(layer, x, state), whole)
    assert same(state.hx(), final)
    # Chunks, in turn as a sequence and step by step, the state handed on.
    outputs, hx, at = [], None, 0
    for i, length in enumerate([*cuts, 1]):
        chunk = x[at : at + length]
        at += length
        if i % 2 and length:
            with torch.no_grad():
                y, hx = layer(chunk, hx)
        else:
            state = layer.start(rows, hx=hx)
            y, hx = stepped(layer, chunk, state), state.hx()
        outputs.append(y)
    assert torch.equal(torch.cat(outputs), whole)
    assert same(hx, final)


@given(rows=st.integers(1, 40), units=st.sampled_from([16, 100, 160]), threads=st.integers(1, 4))
def test_company_and_threads_change_no_bits(rows, units, threads):
    layer = made("lstm", 40, units)
    x = torch.randn(2, rows, 40)
    alone = torch.stack([stepped(layer, x[:, r : r + 1], layer.start()) for r in range(rows)], 1)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        together = stepped(layer, x, layer.start(rows))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(together, alone.squeeze(2))


def test_any_memory_layout_of_the_input():
    layer = made("gru", 6, 5)
    x = torch.randn(3, 6)
    expected, _ = layer.step(x, layer.start(3))
    for view in (x.t().contiguous().t(), torch.randn(3, 12)[:, ::2].copy_(x), x[None][0]):
        assert torch.equal(layer.step(view, layer.start(3))[0], expected)


@pytest.mark.parametrize("cell", CELLS)
def test_the_weights_are_those_of_the_start(cell):
    layer = made(cell, 3, 4, 2)
    x = torch.randn(5, 2, 3)
    with torch.no_grad():
        expected, _ = layer(x)
    state = layer.start(2)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.data.mul_(2.0)
    assert torch.equal(stepped(layer, x, state), expected)
    assert torch.equal(stepped(layer, x, layer.start(2)), layer(x)[0])


def test_parametrized_weights_are_packed_as_they_are():
    layer = made("lstm", 3, 4)
    weight_norm(layer, "weight_hh_l0")
    x = torch.randn(5, 1, 3)
    assert torch.equal(stepped(layer, x, layer.start()), layer(x)[0].detach())


def test_out_is_written_and_returned():
    layer = made("lstm", 3, 4)
    x = torch.randn(2, 3)
    expected, _ = layer.step(x, layer.start(2))
    out = torch.empty(2, 4)
    y, _ = layer.step(x, layer.start(2), out=out)
    assert y is out
    assert torch.equal(out, expected)
    slow = nn.LSTM(3, 4, path="reference")
    y, _ = slow.step(x, slow.start(2), out=out)
    assert y is out


def test_outputs_stay_when_steps_go_on():
    layer = made("rnn", 2, 3)
    state = layer.start()
    first, _ = layer.step(torch.ones(1, 2), state)
    kept = first.clone()
    layer.step(torch.ones(1, 2), state)
    assert torch.equal(first, kept)


@pytest.mark.parametrize("copying", [lambda s: s.copy(), copy.copy, copy.deepcopy])
@pytest.mark.parametrize("path", ["native", "reference"])
def test_copies_go_their_own_way(copying, path):
    layer = nn.LSTM(3, 4, 2, path=path)
    x = torch.randn(6, 2, 3)
    state = layer.start(2)
    stepped(layer, x[:3], state)
    other = copying(state)
    expected = stepped(layer, x[3:], state)
    assert torch.equal(stepped(layer, x[3:], other), expected)
    assert same(state.hx(), other.hx())


@pytest.mark.parametrize("cell", CELLS)
def test_a_saved_state_goes_on(cell, tmp_path):
    layer = made(cell, 3, 4, 2)
    x = torch.randn(6, 2, 3)
    state = layer.start(2)
    stepped(layer, x[:3], state)
    write_tensors(tmp_path / "state", state.tensors(), {}, kind="stream")
    expected = stepped(layer, x[3:], state)
    tensors, _ = read_tensors(tmp_path / "state", kind="stream")
    resumed = layer.start(tensors=tensors)
    assert resumed.batch_size == 2
    assert torch.equal(stepped(layer, x[3:], resumed), expected)


def test_what_is_given_to_start_is_not_changed():
    layer = made("lstm", 3, 4)
    hx = torch.randn(1, 2, 4), torch.randn(1, 2, 4)
    before = copy.deepcopy(hx)
    layer.step(torch.randn(2, 3), layer.start(hx=hx))
    assert same(hx, before)


VARIANTS = [
    nn.LSTM(3, 4, activation="gelu"),
    nn.LSTM(3, 21, 2, proj_size=18, layer_norm=True),
    nn.LSTM(3, 4, 2, proj_size=2, coupled=True, zoneout=0.1),
    nn.LSTM(3, 37, layer_norm=True, peepholes=True),
    nn.GRU(3, 33, 2, layer_norm=True),
    nn.GRU(3, 20, reset_after=False, layer_norm=True),
    nn.GRU(3, 4, 3, reset_after=False),
    nn.RNN(3, 40, 2, layer_norm=True),
]


@pytest.mark.parametrize("layer", VARIANTS, ids=lambda layer: repr(layer))
def test_steps_of_the_variants_have_the_bits_of_the_whole(layer):
    layer = copy.deepcopy(layer).eval()
    for rows in (1, 5):
        x = torch.randn(6, rows, 3)
        state = layer.start(rows)
        assert state.path == "native"
        output = stepped(layer, x, state)
        with torch.no_grad():
            expected, hx = layer(x)
        assert torch.equal(output, expected)
        assert same(state.hx(), hx)


@pytest.mark.parametrize("layer", VARIANTS, ids=lambda layer: repr(layer))
def test_other_types_take_the_reference_path_and_say_so_once(layer):
    layer = copy.deepcopy(layer).eval().bfloat16()
    x = torch.randn(5, 2, 3).bfloat16()
    with pytest.warns(SlowPathWarning, match="takes the slow reference path") as said:
        state = layer.start(2)
    assert [w.filename for w in said] == [__file__]
    assert state.path == "reference"
    output = stepped(layer, x, state.copy())
    assert not output.requires_grad
    with torch.no_grad():
        torch.testing.assert_close(output, layer(x)[0])
    expected = stepped(layer, x[:1], state.copy())
    for parameter in layer.parameters():
        parameter.data.zero_()
    assert torch.equal(stepped(layer, x[:1], state), expected)  # a snapshot here too


def test_noise_is_off_in_training_mode_and_nothing_is_drawn():
    layer = nn.LSTM(3, 4, 2, dropout=0.9, recurrent_dropout=0.5).train()
    x = torch.randn(4, 1, 3)
    before = torch.get_rng_state()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        output = stepped(layer, x, layer.start())
    assert torch.equal(torch.get_rng_state(), before)
    with torch.no_grad():
        assert torch.equal(output, layer.eval()(x)[0])


def test_inference_mode():
    layer = made("lstm", 3, 4)
    x = torch.randn(4, 1, 3)
    expected = stepped(layer, x, layer.start())
    with torch.inference_mode():
        state = layer.start()
        first = stepped(layer, x[:2], state)
    assert torch.equal(torch.cat([first, stepped(layer, x[2:], state)]), expected)


def test_what_does_not_fit_is_refused():
    layer = made("lstm", 3, 4)
    state = layer.start(2)
    good = torch.zeros(2, 3)
    wrong = [
        (torch.zeros(2, 4), None, "input of a step has shape (2, 4), expected (2, 3)"),
        (torch.zeros(3), None, "input of a step has shape (3,), expected (2, 3)"),
        (good.double(), None, "is torch.float64 on cpu, but the stream was started in"),
        (good.clone().requires_grad_(), None, "requires a gradient"),
        (good.numpy(), None, "must be a tensor, got ndarray"),
        (good, torch.zeros(2, 3), "out has shape (2, 3), expected (2, 4)"),
        (good, torch.zeros(2, 4).double(), "out is torch.float64"),
        (good, torch.zeros(4, 2).t(), "out must be contiguous"),
        (good, torch.zeros(2, 4).requires_grad_(), "out requires a gradient"),
    ]
    for x, out, message in wrong:
        with pytest.raises(DataError, match=re.escape(message)):
            layer.step(x, state, out=out)
    with pytest.raises(ConfigError, match="another kind of layer"):
        nn.GRU(3, 4).step(good, state)
    with pytest.raises(ConfigError, match="made by start, got NoneType"):
        layer.step(good, None)


def test_what_cannot_start_is_refused():
    layer = made("lstm", 3, 4)
    with pytest.raises(ConfigError, match="bidirectional layer cannot be streamed"):
        nn.GRU(3, 4, bidirectional=True).start()
    for size in (0, -1, True, 1.5):
        with pytest.raises(ConfigError, match="batch_size must be a whole number"):
            layer.start(size)
    state = torch.zeros(1, 2, 4)
    with pytest.raises(DataError, match=r"hx must be a pair \(h, c\)"):
        layer.start(hx=state)
    with pytest.raises(DataError, match="hx must be a tensor h"):
        nn.GRU(3, 4).start(hx=(state, state))
    with pytest.raises(DataError, match=r"initial hidden state has shape \(2, 2, 4\)"):
        layer.start(hx=(torch.zeros(2, 2, 4), state))
    with pytest.raises(DataError, match="2 dimensions, expected 3"):
        layer.start(hx=(state[0], state[0]))
    with pytest.raises(DataError, match=r"has the tensors \['hidden'\], expected"):
        layer.start(tensors={"hidden": state})
    with pytest.raises(ConfigError, match="got both"):
        layer.start(hx=(state, state), tensors={"hidden": state, "cell": state})
