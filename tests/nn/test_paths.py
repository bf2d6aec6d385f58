"""Which path ran, what is said about it and how often, and what a trace shows."""

import copy
import warnings

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

from relembra import ConfigError, SlowPathWarning, nn
from relembra.engine import explain

X = torch.randn(5, 2, 3, generator=torch.Generator().manual_seed(0))
MASK = torch.ones(2, 5, dtype=torch.bool)
PACKED = pack_sequence([torch.zeros(3, 3), torch.zeros(1, 3)])
KINDS = (nn.RNN, nn.LSTM, nn.GRU)

HALF = torch.bfloat16
SLOW = [
    (
        nn.RNN(3, 4, nonlinearity="gelu", dtype=HALF),
        {},
        "PyTorch's rnn does not know the activation",
    ),
    (nn.RNN(3, 4, layer_norm=True, dtype=HALF), {}, "float64, not in torch.bfloat16"),
    (nn.LSTM(3, 4, layer_norm=True, peepholes=True, dtype=HALF), {}, "layer normalisation"),
    (nn.GRU(3, 4, reset_after=False, dtype=HALF), {}, "the reset gate before the product"),
    (nn.LSTM(3, 4, layer_norm=True), {"trace": True}, "several stages"),
]
FAST = [
    (nn.RNN(3, 4, nonlinearity="relu"), {}),
    (nn.LSTM(3, 4, 2, bidirectional=True, dropout=0.5), {}),
    (nn.LSTM(3, 4, forget_bias=1.0, state_activation="tanh"), {}),
    (nn.GRU(3, 4), {"lengths": torch.tensor([5, 0])}),
    (nn.GRU(3, 4, gate_activation="logistic"), {"hold_output": True}),
    (nn.GRU(3, 4, recurrent_dropout=0.5, recurrent_dropout_kind="weights"), {}),
    (nn.LSTM(3, 4, recurrent_dropout=0.5).eval(), {}),
    (nn.RNN(3, 4, nonlinearity="sigmoid"), {}),
    (nn.RNN(3, 4, nonlinearity="gelu"), {}),
    (nn.RNN(3, 4, layer_norm=True), {}),
    (nn.LSTM(3, 4, activation="gelu"), {}),
    (nn.LSTM(3, 4, layer_norm=True, peepholes=True), {}),
    (nn.LSTM(3, 4, proj_size=2), {}),
    (nn.GRU(3, 4, layer_norm=True), {}),
    (nn.GRU(3, 4, reset_after=False), {}),
    (nn.LSTM(3, 4, activation="relu"), {}),
    (nn.LSTM(3, 4, state_activation="identity"), {}),
    (nn.LSTM(3, 4, gate_activation="hard_sigmoid"), {}),
    (nn.LSTM(3, 4, peepholes=True), {}),
    (nn.LSTM(3, 4, coupled=True, peepholes=True), {}),
    (nn.LSTM(3, 4, zoneout=0.1), {}),
    (nn.GRU(3, 4, recurrent_dropout=0.1), {}),
    (nn.LSTM(3, 4, recurrent_dropout=0.1, recurrent_dropout_kind="candidate"), {}),
    (nn.GRU(3, 4), {"mask": MASK}),
    (nn.GRU(3, 4), {"mask": MASK, "hold_output": True}),
    (nn.LSTM(3, 4), {"reset": MASK}),
    (nn.LSTM(3, 4, 2), {"trace": True}),
]


@pytest.mark.parametrize(
    ("layer", "call", "reason"), SLOW, ids=lambda v: v if type(v) is str else ""
)
def test_slow_path_is_said_once_with_its_reason(layer, call, reason):
    layer = copy.deepcopy(layer)
    x = X.to(layer.weight_ih_l0.dtype)
    with pytest.warns(SlowPathWarning, match=reason.replace("'", ".")) as said:
        layer(x, **call)
    assert [w.filename for w in said] == [__file__]  # it points at who called the layer
    assert f"{type(layer).__name__} takes the slow reference path" in str(said[0].message)
    assert layer.last_path == "reference"
    layer(x, **call)  # warnings are errors: a second one would fail
    choice = explain(layer, x, **call)
    assert (choice.path, choice.slow) == ("reference", True)
    assert reason in choice.reason and str(choice) == f"reference: {choice.reason}"


@pytest.mark.parametrize(("layer", "call"), FAST)
def test_fast_path_is_silent(layer, call):
    layer = copy.deepcopy(layer)
    assert layer.last_path is None
    call_for_explain = {k: v for k, v in call.items() if k != "hold_output"}
    choice = explain(layer, X, **call_for_explain)
    assert layer.last_path is None  # nothing is computed
    assert (choice.path, choice.slow) == ("native", False)
    assert "our own kernels" in choice.reason
    layer(X, **call)
    assert layer.last_path == "native"


def test_another_reason_is_said_again():
    layer, x = nn.GRU(3, 4, dtype=torch.bfloat16), X.bfloat16()
    with pytest.warns(SlowPathWarning, match="take no mask"):
        layer(x, mask=MASK)
    with pytest.warns(SlowPathWarning, match="cannot reset the state"):
        layer(x, reset=MASK)
    layer(x)
    assert layer.last_path == "torch"


def test_packed_input_points_at_its_caller_too():
    layer, packed = nn.GRU(3, 4, reset_after=False, dtype=HALF), PACKED.to(HALF)
    with pytest.warns(SlowPathWarning) as said:
        layer(packed)
    assert said[0].filename == __file__
    assert explain(layer, packed).path == "reference"
    assert explain(nn.GRU(3, 4), PACKED).path == "native"


def test_path_asked_for():
    layer = nn.LSTM(3, 4, layer_norm=True, path="reference")
    layer(X)
    assert layer.last_path == "reference"
    assert str(explain(layer, X)) == "reference: asked for"
    with pytest.raises(
        ConfigError, match="torch path cannot compute this: PyTorch's lstm does not know"
    ):
        nn.LSTM(3, 4, peepholes=True, path="torch")(X)
    with pytest.raises(
        ConfigError, match=r"unknown path 'fast'; known: auto, native, torch, reference"
    ):
        nn.LSTM(3, 4, path="fast")(X)


def test_explaining_changes_nothing_that_is_drawn():
    layer = nn.LSTM(3, 4, 2, dropout=0.5)
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    explain(layer, X)
    explain(layer, X[:, 0])
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("shape", [(0, 2, 3), (5, 0, 3)])
def test_empty_input_is_no_slow_path(shape):
    layer = nn.LSTM(3, 4)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        layer(torch.zeros(shape))
    assert not said
    assert not explain(layer, torch.zeros(shape)).slow


@pytest.mark.parametrize("kind", KINDS)
def test_training_noise_only_in_training(kind):
    layer = kind(3, 4, recurrent_dropout=0.5, zoneout=0.3, path="reference")
    assert not torch.equal(layer(X)[0], layer(X)[0])
    layer.eval()
    assert torch.equal(layer(X)[0], layer(X)[0])


@pytest.mark.parametrize("path", ["native", "reference"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_trace_shows_what_the_output_is_made_of(kind, path):
    layer = kind(3, 4, 2, bidirectional=True, path=path)
    output, state, trace = layer(X, trace=True)
    h = state[0] if isinstance(state, tuple) else state
    last = torch.cat([trace.hidden[2], trace.hidden[3]], -1)  # (B, T, 2H)
    assert torch.equal(last.transpose(0, 1), output)
    assert torch.equal(trace.hidden[::2, :, -1], h[::2])
    assert torch.equal(trace.hidden[1::2, :, 0], h[1::2])
    gates = {name: gate.shape for name, gate in trace.gates.items()}
    assert gates == dict.fromkeys(layer.spec.cell.gate_names, (4, 2, 5, 4))
    if isinstance(layer, nn.LSTM):
        assert torch.equal(trace.cell[::2, :, -1], state[1][::2])
        shown = trace.gates["output"] * trace.cell.tanh()
        torch.testing.assert_close(shown, trace.hidden)
    else:
        assert trace.cell is None


@pytest.mark.parametrize("path", ["native", "reference"])
def test_trace_of_an_lstm_by_its_own_equation(path):
    """c_t = f c_{t-1} + i g at every step, forward."""
    layer = nn.LSTM(3, 4, path=path, batch_first=True)
    _, _, trace = layer(X.transpose(0, 1), trace=True)
    before = torch.nn.functional.pad(trace.cell[0], (0, 0, 1, 0))[:, :-1]
    i, f, g = (trace.gates[name][0] for name in ("input", "forget", "candidate"))
    torch.testing.assert_close(f * before + i * g, trace.cell[0])
