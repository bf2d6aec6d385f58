"""Half, single and double precision on every path."""

import pytest
import torch
from tests.conformance import cases
from tests.conformance.cases import EACH_CELL

from relembra.engine import PATHS, Activation, CellSpec

EACH_PATH = pytest.mark.parametrize("path", PATHS)
TOLERANCES = {torch.float32: 2e-5, torch.bfloat16: 0.15, torch.float16: 0.03}
EACH_DTYPE = pytest.mark.parametrize("dtype", TOLERANCES, ids=str)


def check(path, cell, asked, dtype, **layout):
    spec = cases.make_spec(cell, **layout)
    parameters = cases.make_parameters(spec, dtype=dtype)
    x = cases.make_input(spec, cases.ROWS, cases.STEPS, dtype=dtype)
    call = cases.make_call(spec, asked, dtype=dtype)
    result = cases.compute(path, x, parameters, spec, call)
    if result is None:
        return
    assert result.output.dtype == result.hidden.dtype == dtype
    wide = {
        name: value.double() if name in ("hidden", "cell") else value
        for name, value in call.items()
    }
    cases.expect(result, spec, parameters, x, wide, TOLERANCES[dtype])


@EACH_DTYPE
@EACH_CELL
def test_reference(cell, dtype):
    check("reference", cell, {"lengths", "mask", "reset", "noise", "states"}, dtype)


@EACH_PATH
@EACH_DTYPE
@pytest.mark.parametrize(
    "asked", [{"states"}, {"lengths", "states"}], ids=lambda asked: " ".join(sorted(asked))
)
@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_plain_cells(kind, asked, dtype, path):
    check(path, CellSpec(kind=kind), asked, dtype, num_layers=2, bidirectional=True)


INITIAL = [
    *(CellSpec(kind=kind) for kind in ("rnn", "lstm", "gru")),
    *(CellSpec(kind=kind, layer_norm=True) for kind in ("rnn", "lstm", "gru")),
    CellSpec(kind="lstm", layer_norm=True, peepholes=True, activation=Activation("relu")),
    CellSpec(kind="lstm", projection=20),
    CellSpec(kind="lstm", activation=Activation("gelu")),
    CellSpec(kind="gru", reset_after=False),
    CellSpec(kind="gru", reset_after=False, layer_norm=True),
]


# PyTorch itself says so of every single-precision LSTM with a projection.
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@EACH_PATH
@pytest.mark.parametrize("cell", INITIAL)
def test_single_precision_error(cell, path):
    """At default initialisation, within 1e-6 of the largest output.

    Layer normalisation makes steep gates: there no more than twice what plain operations err.
    """
    spec = cases.make_spec(cell, input_size=8, hidden_size=32)
    parameters = {
        name: torch.ones_like(p) if name.startswith("gain") else p.div(0.6).clamp(-1, 1) / 32**0.5
        for name, p in cases.make_parameters(spec, dtype=torch.float32).items()
    }
    x = cases.make_input(spec, 4, 30, dtype=torch.float32)
    result = cases.compute(path, x, parameters, spec, {})
    if result is None:
        return
    wide = {name: p.double() for name, p in parameters.items()}
    exact = cases.compute("reference", x.double(), wide, spec, {}).output
    bound = 1e-6 * float(exact.abs().max())
    if cell.layer_norm:
        plain = cases.compute("reference", x, parameters, spec, {}).output
        bound = max(bound, 2 * float((plain - exact).abs().max()))
    assert float((result.output - exact).abs().max()) <= bound
    cases.expect(result, spec, parameters, x, {}, bound)


@EACH_PATH
@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize(
    "asked", [{"states"}, {"lengths", "states"}], ids=lambda asked: " ".join(sorted(asked))
)
def test_autocast(kind, asked, path):
    """Under autocast the result is near; nothing breaks for want of one type."""
    spec = cases.make_spec(CellSpec(kind=kind), num_layers=2)
    parameters = cases.make_parameters(spec, dtype=torch.float32)
    x = cases.make_input(spec, cases.ROWS, cases.STEPS, dtype=torch.float32)
    call = cases.make_call(spec, asked, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = cases.compute(path, x, parameters, spec, call)
    if result is None:
        return
    exact = cases.compute("reference", x, parameters, spec, call)
    cases.close(result.output.float(), exact.output, 0.1)
