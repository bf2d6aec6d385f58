"""Every cell × option × path against the NumPy oracle, in float64."""

import pytest
import torch
from tests.conformance import cases
from tests.conformance.cases import EACH_CALL, EACH_CELL, LAYOUTS

from relembra.engine import PATHS, CellSpec

EACH_PATH = pytest.mark.parametrize("path", PATHS)


def test_every_path_says_what_it_takes():
    assert set(cases.TAKES) == set(PATHS)


@EACH_PATH
@EACH_CALL
@EACH_CELL
def test_equals_the_oracle(cell, call, path):
    for layout in LAYOUTS:
        spec = cases.make_spec(cell, **layout)
        parameters = cases.make_parameters(spec)
        x = cases.make_input(spec, cases.ROWS, cases.STEPS)
        arguments = cases.make_call(spec, call)
        result = cases.compute(path, x, parameters, spec, arguments)
        if result is not None:
            cases.expect(result, spec, parameters, x, arguments)


@EACH_PATH
@pytest.mark.parametrize("call", [{"noise"}, {"noise", "lengths"}], ids=["noise", "lengths"])
@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_three_layers_each_gap_with_its_own_mask(kind, call, path):
    """With two layers there is but one mask, which cannot be taken for another."""
    spec = cases.make_spec(CellSpec(kind=kind), num_layers=3, bidirectional=True, dropout=0.4)
    parameters = cases.make_parameters(spec)
    x = cases.make_input(spec, cases.ROWS, cases.STEPS)
    arguments = cases.make_call(spec, call)
    result = cases.compute(path, x, parameters, spec, arguments)
    cases.expect(result, spec, parameters, x, arguments)


@EACH_PATH
@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize(("rows", "steps"), [(0, 4), (3, 0), (0, 0), (1, 1), (2, 1)])
def test_small_and_empty(kind, rows, steps, path):
    spec = cases.make_spec(CellSpec(kind=kind), input_size=1, hidden_size=1, bidirectional=True)
    parameters = cases.make_parameters(spec)
    x = cases.make_input(spec, rows, steps)
    call = cases.make_states(spec, rows)
    if path == "torch" and not rows * steps:
        with pytest.raises(cases.ConfigError, match="empty"):
            cases.recurrent(x, parameters, spec, path=path, **call)
        return
    result = cases.recurrent(x, parameters, spec, path=path, **call)
    assert result.output.shape == (rows, steps, 2)
    cases.expect(result, spec, parameters, x, call)


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_empty_trace(kind):
    spec = cases.make_spec(CellSpec(kind=kind))
    x = cases.make_input(spec, 2, 0)
    call = {"trace": True, "lengths": torch.zeros(2, dtype=torch.long)}
    result = cases.recurrent(x, cases.make_parameters(spec), spec, **call)
    cases.expect(result, spec, cases.make_parameters(spec), x, call)


@EACH_PATH
@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.int16, torch.uint8])
def test_lengths_of_any_integer_type(dtype, path):
    spec = cases.make_spec(CellSpec(kind="lstm"), bidirectional=True)
    parameters = cases.make_parameters(spec)
    x = cases.make_input(spec, cases.ROWS, cases.STEPS)
    result = cases.recurrent(x, parameters, spec, lengths=cases.LENGTHS.to(dtype), path=path)
    cases.expect(result, spec, parameters, x, {"lengths": cases.LENGTHS})


def _column(*values):
    return torch.tensor(values, dtype=torch.float64)[:, None]


def test_literal_numbers():
    """One LSTM step by hand, so that oracle and engine cannot be wrong together."""
    spec = cases.make_spec(CellSpec(kind="lstm"), input_size=1, hidden_size=1)
    parameters = {
        "weight_ih_l0": _column(1.0, 2.0, 3.0, 4.0),
        "weight_hh_l0": _column(0.5, -0.5, 0.25, -0.25),
        "bias_ih_l0": _column(0.1, 0.2, 0.3, 0.4).flatten(),
        "bias_hh_l0": torch.zeros(4).double(),
    }
    x = _column(0.5)[None]
    call = {"hidden": _column(0.2)[None], "cell": _column(-0.4)[None]}
    # i = s(0.5+0.1+0.1), f = s(1-0.1+0.2), g = tanh(1.5+0.05+0.3), o = s(2-0.05+0.4)
    # c = f * -0.4 + i * g = 0.7502601056 * -0.4 + 0.6681877722 * 0.9517459572
    # h = o * tanh(c) = 0.9129342276 * 0.3237593718
    result = cases.recurrent(x, parameters, spec, path="reference", **call)
    assert float(result.cell) == pytest.approx(0.335840968549867, abs=1e-12)
    assert float(result.hidden) == pytest.approx(0.29557098424533024, abs=1e-12)
    cases.expect(result, spec, parameters, x, call)
