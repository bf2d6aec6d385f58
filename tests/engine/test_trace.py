"""The trace of the native path: the bits of the results, and gradients that go through it."""

import pytest
import torch
from tests.conformance import cases

from relembra import ConfigError, SlowPathWarning
from relembra.engine import Activation, CellSpec, recurrent

CELLS = {
    "lstm": CellSpec(kind="lstm"),
    "gru": CellSpec(kind="gru"),
    "rnn": CellSpec(kind="rnn"),
    "relu": CellSpec(kind="rnn", activation=Activation("relu")),
    "every lstm": CellSpec(kind="lstm", peepholes=True, zoneout_hidden=0.2, zoneout_cell=0.4),
    "coupled": CellSpec(kind="lstm", coupled=True, peepholes=True, recurrent_dropout=0.4),
    "every gru": CellSpec(
        kind="gru", recurrent_dropout=0.4, recurrent_dropout_kind="candidate", zoneout_hidden=0.3
    ),
    "every rnn": CellSpec(kind="rnn", activation=cases.SHIFTED, zoneout_hidden=0.3),
}
EACH_CELL = pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
STACK = {"num_layers": 3, "bidirectional": True, "dropout": 0.3}


def problem(cell, rows, steps, dtype, **sizes):
    """A ragged batch with holes and segments in three layers and both directions."""
    spec = cases.make_spec(cell, **STACK, **sizes)
    source = torch.Generator().manual_seed(rows)
    call = cases.make_states(spec, rows, dtype=dtype)
    call["noise"] = cases.make_noise(spec, rows, steps, dtype=dtype)
    call["lengths"] = torch.randint(0, steps + 1, (rows,), generator=source)
    call["mask"] = torch.rand(rows, steps, generator=source) > 0.2
    call["reset"] = torch.rand(rows, steps, generator=source) > 0.8
    x = cases.make_input(spec, rows, steps, dtype=dtype)
    return spec, cases.make_parameters(spec, dtype=dtype), x, call


@EACH_CELL
@pytest.mark.parametrize("threads", [1, 3])
def test_states_have_the_bits_of_the_results(cell, threads):
    spec, parameters, x, call = problem(cell, 12, 20, torch.float32, hidden_size=37)
    weights = {name: p.requires_grad_() for name, p in parameters.items()}
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        result = recurrent(x, weights, spec, path="native", **call)
        with torch.no_grad():
            bare = recurrent(x, weights, spec, path="native", trace=True, **call)
        traced = recurrent(x, weights, spec, path="native", trace=True, **call)
    finally:
        torch.set_num_threads(before)
    for one in (bare, traced):
        assert torch.equal(one.output, result.output)
        taken = call["mask"] & (torch.arange(20) < call["lengths"][:, None])
        last = torch.cat([one.trace.hidden[4], one.trace.hidden[5]], -1)
        assert torch.equal(torch.where(taken[..., None], last, 0.0), result.output)
        for states, final in ((one.trace.hidden, result.hidden), (one.trace.cell, result.cell)):
            if states is not None:  # the state is held to the end of the walk
                assert torch.equal(states[::2, :, -1], final[::2])
                assert torch.equal(states[1::2, :, 0], final[1::2])
        for gate in one.trace.gates.values():
            assert not gate[:, ~taken].any() and gate[:, taken].abs().sum() > 0
    cases.close(traced.trace.hidden, bare.trace.hidden, 0)


def gradients(path, problem, loss, trace=True, again=False):
    spec, parameters, x, call = problem
    leaves = [x, call["hidden"], *parameters.values()]
    leaves = [leaf.clone().requires_grad_() for leaf in leaves]
    weights = dict(zip(parameters, leaves[2:], strict=True))
    call = {**call, "hidden": leaves[1]}
    result = recurrent(leaves[0], weights, spec, path=path, trace=trace, **call)
    found = torch.autograd.grad(loss(result), leaves, create_graph=again)
    if not again:
        return found
    return torch.autograd.grad(sum(g.square().sum() for g in found), leaves)


def outside(result):
    return result.output.sin().sum() + result.hidden.square().sum()


def inside(result):
    """A loss of each part of a trace, and of the output."""
    trace = result.trace
    cell = 0.0 if trace.cell is None else trace.cell.square().sum()
    gates = sum((k + 1) * g.sin().sum() for k, g in enumerate(trace.gates.values()))
    return result.output.sin().sum() + trace.hidden.exp().sum() + cell + gates


@EACH_CELL
def test_looking_changes_no_gradient(cell):
    """And none takes the slow path for it: warnings are errors."""
    given = problem(cell, 5, 6, torch.float32)
    for got, wanted in zip(
        gradients("native", given, outside), gradients("native", given, outside, False), strict=True
    ):
        assert torch.equal(got, wanted)


@EACH_CELL
@pytest.mark.parametrize("again", [False, True], ids=["first", "second"])
def test_gradients_through_the_trace(cell, again):
    given = problem(cell, 3, 4, torch.float64)
    with pytest.warns(SlowPathWarning, match=r"states and gates of single steps \(trace=True\)"):
        found = gradients("native", given, inside, again=again)
    for got, wanted in zip(found, gradients("reference", given, inside, again=again), strict=True):
        cases.close(got, wanted, 1e-10)


def test_a_transform_is_refused_by_name():
    spec, parameters, x, _ = problem(CELLS["gru"], 3, 4, torch.float64)

    def traced(x, path):
        return recurrent(x, parameters, spec, path=path, trace=True).trace.gates["update"]

    with pytest.raises(ConfigError, match="in graphs and transforms the native core returns no"):
        torch.func.vmap(traced, in_dims=(0, None))(x[None], "native")
    each = torch.func.vmap(traced, in_dims=(0, None))(x[None], "auto")
    cases.close(each[0], traced(x, "native"))


@pytest.mark.parametrize(("rows", "steps"), [(0, 4), (3, 0)])
def test_empty(rows, steps):
    spec = cases.make_spec(CELLS["lstm"], num_layers=2)
    x = cases.make_input(spec, rows, steps)
    call = {"trace": True, **cases.make_states(spec, rows)}
    result = recurrent(x, cases.make_parameters(spec), spec, path="native", **call)
    assert result.trace.hidden.shape == result.trace.cell.shape == (2, rows, steps, 3)
    assert {gate.shape for gate in result.trace.gates.values()} == {(2, rows, steps, 3)}
