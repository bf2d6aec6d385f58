"""Layers from ONNX and as ONNX: its own node tests through our import, and round trips."""

import numpy as np
import onnx
import onnx.reference
import pytest
import torch
from onnx.backend.test.case import node as node_cases
from onnx.backend.test.case.node import gru, lstm, rnn  # noqa: F401  they fill the list of cases

from relembra import ConfigError, nn
from relembra._errors import ArtifactError
from relembra.nn._gate_orders import OnnxArrays
from relembra.nn._onnx import layer_of_node

# `collect_testcases` would make the cases of all operators, which takes long.
CASES = [
    case
    for case in node_cases._NodeTestCases
    if case.model.graph.node[0].op_type in ("LSTM", "GRU", "RNN")
]


def run_node(node, given):
    """Compute a node with a layer of ours, in ONNX' layouts."""
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    named = dict(zip(node.input, given, strict=True)) if "" not in node.input else None
    if named is None:
        named = dict(zip([name for name in node.input if name], given, strict=True))
    slots = [named.get(name) if name else None for name in (*node.input, *[""] * 8)[:8]]
    x, W, R, B, lengths, h0, c0, P = slots
    layer = layer_of_node(node.op_type, attributes, OnnxArrays(W, R, B, P))
    by_rows = bool(attributes.get("layout", 0))
    if by_rows:
        x = x.swapaxes(0, 1)
        h0, c0 = (None if s is None else s.swapaxes(0, 1) for s in (h0, c0))
    directions, rows, units = W.shape[0], x.shape[1], R.shape[2]
    hx = None
    if h0 is not None or c0 is not None:
        empty = np.zeros((directions, rows, units), x.dtype)
        hx = tuple(torch.tensor(empty if s is None else s) for s in (h0, c0))
        hx = hx if node.op_type == "LSTM" else hx[0]
    steps = None if lengths is None else torch.tensor(lengths)
    y, state = layer(torch.tensor(x), hx, lengths=steps)
    y = y.detach().numpy().reshape(*y.shape[:2], directions, units).swapaxes(1, 2)
    states = [s.detach().numpy() for s in (state if isinstance(state, tuple) else (state,))]
    if by_rows:
        y, states = y.transpose(2, 0, 1, 3), [s.swapaxes(0, 1) for s in states]
    return [y, *states]


@pytest.mark.filterwarnings("ignore::relembra.SlowPathWarning")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_onnx_own_node_tests(case):
    (node,) = case.model.graph.node
    for given, expected in case.data_sets:
        found = run_node(node, given)
        wanted = [i for i, name in enumerate(node.output) if name]
        for index, value in zip(wanted, expected, strict=True):
            np.testing.assert_allclose(found[index], value, rtol=1e-3, atol=1e-6)


def test_there_are_node_tests():
    assert len(CASES) >= 13


LAYERS = [
    ("LSTM", {}),
    ("LSTM", {"num_layers": 2, "bidirectional": True}),
    ("LSTM", {"peepholes": True}),
    ("LSTM", {"coupled": True, "peepholes": True}),
    ("LSTM", {"gate_activation": "hard_sigmoid", "state_activation": "softsign"}),
    ("LSTM", {"bias": False}),
    ("LSTM", {"activation": "relu"}),
    ("GRU", {"bidirectional": True}),
    ("GRU", {"reset_after": False, "num_layers": 2}),
    ("GRU", {"activation": "elu"}),
    ("RNN", {"nonlinearity": "relu", "bidirectional": True}),
    ("RNN", {"nonlinearity": "identity"}),
]


@pytest.mark.filterwarnings("ignore::relembra.SlowPathWarning")
@pytest.mark.parametrize(("kind", "options"), LAYERS)
def test_onnx_computes_what_we_do(kind, options):
    layer = getattr(nn, kind)(3, 4, **options)
    onnx.checker.check_model(nn.to_onnx(layer, lengths=True), full_check=True)
    # The reference of ONNX knows one direction, no coupling, and no other activations.
    if not set(options) <= {"num_layers", "peepholes", "reset_after", "bias"}:
        return
    x = torch.randn(5, 2, 3)
    plain = onnx.reference.ReferenceEvaluator(nn.to_onnx(layer))
    y, state = layer(x)
    expected = [y, *(state if isinstance(state, tuple) else (state,))]
    for a, b in zip(plain.run(None, {"input": x.numpy()}), expected, strict=True):
        np.testing.assert_allclose(a, b.detach().numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("kind", "options"), LAYERS)
def test_round_trips_keep_every_bit(kind, options, tmp_path):
    options = {k: v for k, v in options.items() if k != "num_layers"}
    layer = getattr(nn, kind)(3, 4, **options)
    onnx.save(nn.to_onnx(layer), tmp_path / "layer.onnx")
    again = nn.from_onnx(tmp_path / "layer.onnx")
    cell, other = layer.spec.cell, again.spec.cell
    assert (cell.kind, cell.coupled, cell.reset_after, cell.peepholes) == (
        other.kind,
        other.coupled,
        other.reset_after,
        other.peepholes,
    )
    assert cell.activation.name == other.activation.name
    assert cell.gate_activation.slope == pytest.approx(other.gate_activation.slope, rel=1e-7)
    for name, value in layer.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])


def test_nodes_are_picked_by_name():
    model = nn.to_onnx(nn.GRU(3, 4, num_layers=2))
    with pytest.raises(ConfigError, match=r"found 2; the model has: GRU_0 \(GRU\), GRU_1 \(GRU\)"):
        nn.from_onnx(model)
    assert nn.from_onnx(model, "GRU_1", batch_first=True).input_size == 4
    with pytest.raises(ConfigError, match="named 'Y_7'"):
        nn.from_onnx(model, "Y_7")


def test_computed_weights_are_refused():
    model = nn.to_onnx(nn.RNN(3, 4))
    del model.graph.initializer[:]
    with pytest.raises(ArtifactError, match="W of the node"):
        nn.from_onnx(model)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"clip": 3.0}, "clips at 3"),
        ({"activations": [b"LeakyRelu"]}, "LeakyRelu"),
        ({"activations": [b"Affine"], "activation_alpha": [2.0]}, "Affine"),
        ({"activations": [b"Tanh", b"Tanh"]}, "expected 1 activations"),
    ],
)
def test_what_we_do_not_compute_is_refused(attributes, message):
    arrays = OnnxArrays(np.zeros((1, 4, 3), np.float32), np.zeros((1, 4, 4), np.float32))
    with pytest.raises(ConfigError, match=message):
        layer_of_node("RNN", attributes, arrays)


def test_options_that_onnx_lacks_are_refused():
    with pytest.raises(ConfigError, match="projection"):
        nn.to_onnx(nn.LSTM(3, 4, proj_size=2))
    with pytest.raises(ConfigError, match="gelu"):
        nn.to_onnx(nn.RNN(3, 4, nonlinearity="gelu"))


def test_the_reverse_direction():
    W, R = np.random.default_rng(0).normal(size=(2, 1, 8, 4)).astype(np.float32)
    layer = layer_of_node("LSTM", {"direction": b"reverse"}, OnnxArrays(W[:, :, :3], R[..., :2]))
    x, lengths = torch.randn(5, 2, 3), torch.tensor([2, 5])
    y, (h, _) = layer(x, lengths=lengths)
    first = layer.layer(x[:2, :1].flip(0))
    torch.testing.assert_close(y[:2, :1], first[0].flip(0))
    torch.testing.assert_close(h[:, :1], first[1][0])
    assert not y[2:, 0].any()


def test_what_is_no_model_is_said(tmp_path):
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"not a model")
    for path in (bad, tmp_path / "absent.onnx"):
        with pytest.raises(ArtifactError, match=path.name):
            nn.from_onnx(path)
    with pytest.raises(ConfigError, match="a path or an onnx.ModelProto, got bytes"):
        nn.from_onnx(b"")
