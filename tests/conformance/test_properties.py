"""What must hold for any shapes, lengths, masks and resets, on every path that takes them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conformance import cases

from relembra.engine import PATHS, CellSpec

EACH_PATH = pytest.mark.parametrize("path", PATHS)
FEW = settings(max_examples=40, deadline=None, derandomize=True, database=None)
CELLS = [
    CellSpec(kind="rnn"),
    CellSpec(kind="lstm"),
    CellSpec(kind="gru"),
    CellSpec(kind="gru", reset_after=False, zoneout_hidden=0.2),
    CellSpec(kind="lstm", peepholes=True, layer_norm=True, zoneout_cell=0.3),
    CellSpec(kind="lstm", recurrent_dropout=0.5, recurrent_dropout_kind="candidate"),
]


@st.composite
def problems(draw, parts=("lengths", "mask", "reset", "hold_output", "states", "noise")):
    """A stack, its input and the optional parts of a call, each there or not."""
    cell = draw(st.sampled_from(CELLS))
    spec = cases.make_spec(
        cell,
        input_size=draw(st.integers(1, 3)),
        hidden_size=draw(st.integers(1, 4)),
        num_layers=draw(st.integers(1, 3)),
        bidirectional=draw(st.booleans()),
        bias=draw(st.booleans()),
    )
    rows, steps = draw(st.integers(1, 4)), draw(st.integers(1, 6))
    seed = draw(st.integers(0, 99))
    call: dict = {}
    if "lengths" in parts and draw(st.booleans()):
        call["lengths"] = torch.tensor(
            draw(st.lists(st.integers(0, steps), min_size=rows, max_size=rows))
        )
    for name in ("mask", "reset"):
        if name in parts and draw(st.booleans()):
            bits = st.lists(st.booleans(), min_size=rows * steps, max_size=rows * steps)
            call[name] = torch.tensor(draw(bits)).reshape(rows, steps)
    if "hold_output" in parts and draw(st.booleans()):
        call["hold_output"] = True
    if "states" in parts and draw(st.booleans()):
        call |= cases.make_states(spec, rows, seed)
    if "noise" in parts and draw(st.booleans()):
        call["noise"] = cases.make_noise(spec, rows, steps, seed)
    x = cases.make_input(spec, rows, steps, seed)
    return spec, cases.make_parameters(spec, seed), x, call


def run(path, problem, **changed):
    spec, parameters, x, call = problem
    call = {**call, **changed}
    x = call.pop("x", x)
    return cases.compute(path, x, parameters, spec, call)


def same(a, b, tolerance=1e-12) -> None:
    cases.close(a.output, b.output, tolerance)
    cases.close(a.hidden, b.hidden, tolerance)
    if a.cell is not None:
        cases.close(a.cell, b.cell, tolerance)


def of_rows(value, rows, dim):
    return None if value is None else value.index_select(dim, rows)


def take_rows(call: dict, rows) -> dict:
    """The part of a call that belongs to these rows."""
    part = dict(call)
    for name, dim in {"lengths": 0, "mask": 0, "reset": 0, "hidden": 1, "cell": 1}.items():
        if name in call:
            part[name] = of_rows(call[name], rows, dim)
    if (noise := call.get("noise")) is not None:
        layers = [
            n._replace(**{k: of_rows(v, rows, 0) for k, v in n._asdict().items() if k != "weights"})
            for n in noise.layers
        ]
        between = tuple(of_rows(gap, rows, 0) for gap in noise.between)
        part["noise"] = noise._replace(layers=tuple(layers), between=between)
    return part


@EACH_PATH
@FEW
@given(problem=problems())
def test_equals_the_oracle(path, problem):
    spec, parameters, x, call = problem
    result = run(path, problem)
    if result is not None:
        cases.expect(result, spec, parameters, x, call)


@EACH_PATH
@pytest.mark.parametrize("filler", [float("nan"), float("inf"), -1e30])
@FEW
@given(problem=problems(parts=("lengths", "mask", "reset", "states", "hold_output")))
def test_padding_content_never_matters(path, filler, problem):
    """Neither for values nor for gradients, whatever stands in the steps that are not taken."""
    spec, parameters, x, call = problem
    rows, steps = x.shape[:2]
    taken = call.get("mask", torch.ones(rows, steps, dtype=torch.bool))
    taken = taken & (torch.arange(steps) < call.get("lengths", torch.full((rows,), steps))[:, None])
    results = []
    for padding in (0.0, filler):
        padded = torch.where(taken[..., None], x, padding).requires_grad_()
        leaves = {name: p.clone().requires_grad_() for name, p in parameters.items()}
        result = cases.compute(path, padded, leaves, spec, call)
        if result is None:
            return
        (result.output.square().sum() + result.hidden.sin().sum()).backward()
        gradients = {name: leaf.grad for name, leaf in leaves.items()}
        results.append((result, padded.grad, gradients))
    (a, dx_a, da), (b, dx_b, db) = results
    same(a, b)
    cases.close(dx_b, dx_a, 1e-10)
    assert not dx_b[~taken].any()
    for name, gradient in da.items():
        if gradient is not None:
            cases.close(db[name], gradient, 1e-10)


@EACH_PATH
@FEW
@given(problem=problems(), data=st.data())
def test_rows_are_independent(path, problem, data):
    """A row gives the same alone, in any company, and in any order."""
    spec, parameters, x, call = problem
    whole = run(path, problem)
    if whole is None:
        return
    order = torch.tensor(data.draw(st.permutations(range(x.shape[0]))))
    for rows in (order, order[:1]):
        part = cases.compute(path, x[rows], parameters, spec, take_rows(call, rows))
        cases.close(part.output, whole.output[rows], 1e-12)
        cases.close(part.hidden, whole.hidden[:, rows], 1e-12)
        if part.cell is not None:
            cases.close(part.cell, whole.cell[:, rows], 1e-12)


@EACH_PATH
@FEW
@given(problem=problems(parts=("lengths", "states")), extra=st.integers(1, 3))
def test_more_padding_changes_nothing(path, problem, extra):
    spec, parameters, x, call = problem
    rows, steps = x.shape[:2]
    lengths = call.get("lengths", torch.full((rows,), steps))
    more = torch.cat([x, torch.full((rows, extra, x.shape[2]), 7.0).double()], 1)
    a = run(path, problem, lengths=lengths)
    if a is None:
        return
    b = run(path, problem, lengths=lengths, x=more)
    assert not b.output[:, steps:].any()
    cases.close(b.output[:, :steps], a.output, 1e-12)
    cases.close(b.hidden, a.hidden, 1e-12)


@EACH_PATH
@FEW
@given(problem=problems(parts=("states", "noise")))
def test_left_padding_equals_none(path, problem):
    """Left padding as a mask gives what the bare rows give, each at its place."""
    spec, parameters, x, call = problem
    rows, steps = x.shape[:2]
    call.pop("noise", None)
    padded = torch.cat([torch.full((rows, 2, x.shape[2]), 9.0).double(), x], 1)
    mask = torch.arange(steps + 2).expand(rows, -1) >= 2
    a = run(path, (spec, parameters, x, call))
    b = run(path, (spec, parameters, padded, call), mask=mask)
    if b is None:
        return
    assert not b.output[:, :2].any()
    cases.close(b.output[:, 2:], a.output, 1e-12)
    cases.close(b.hidden, a.hidden, 1e-12)


@EACH_PATH
@FEW
@given(problem=problems(parts=("lengths", "states")), cut=st.integers(0, 6))
def test_chunks_equal_the_whole(path, problem, cut):
    """State carried from chunk to chunk; forward direction, any cut, also with ended rows."""
    spec, parameters, x, call = problem
    if spec.bidirectional:
        spec = cases.make_spec(
            spec.cell, input_size=spec.input_size, hidden_size=spec.hidden_size, bias=spec.bias
        )
        parameters, call = cases.make_parameters(spec), take_rows(call, torch.arange(x.shape[0]))
        call = {k: v[:1] if k in ("hidden", "cell") else v for k, v in call.items()}
    whole = run(path, (spec, parameters, x, call))
    cut = min(cut, x.shape[1])
    if whole is None or cut in (0, x.shape[1]):  # the torch path takes no empty input
        return
    lengths = call.pop("lengths", torch.full((x.shape[0],), x.shape[1]))
    first = {**call, "lengths": lengths.clamp(max=cut)}
    a = cases.compute(path, x[:, :cut], parameters, spec, first)
    second = {"lengths": (lengths - cut).clamp(min=0), "hidden": a.hidden}
    if a.cell is not None:
        second["cell"] = a.cell
    b = cases.compute(path, x[:, cut:], parameters, spec, second)
    cases.close(torch.cat([a.output, b.output], 1), whole.output, 1e-12)
    cases.close(b.hidden, whole.hidden, 1e-12)


@EACH_PATH
@FEW
@given(problem=problems(parts=("lengths", "states", "mask", "hold_output")))
def test_bidirectional_equals_two_single_ones(path, problem):
    """One layer: the reverse half is a forward layer over rows flipped within their lengths."""
    spec, _, x, call = problem
    rows, steps = x.shape[:2]
    both = cases.make_spec(
        spec.cell, input_size=spec.input_size, hidden_size=spec.hidden_size, bidirectional=True
    )
    one = cases.make_spec(spec.cell, input_size=spec.input_size, hidden_size=spec.hidden_size)
    parameters = cases.make_parameters(both)
    states = cases.make_states(both, rows)
    call = {k: v for k, v in call.items() if k not in ("hidden", "cell")}
    result = cases.compute(path, x, parameters, both, {**call, **states})
    if result is None:
        return
    steps_of = torch.arange(steps).expand(rows, -1)
    lengths = call.get("lengths", torch.full((rows,), steps))[:, None]
    flip = torch.where(steps_of < lengths, lengths - 1 - steps_of, steps_of)  # its own inverse
    for direction, end in enumerate(("", "_reverse")):
        weights = {f"{n}_l0": parameters[f"{n}_l0{end}"] for n in one.layer_shapes(0)}
        part = {**call, **{k: v[direction : direction + 1] for k, v in states.items()}}
        seen = x
        if direction:
            seen = x.gather(1, flip[..., None].expand_as(x))
            part |= {"mask": call["mask"].gather(1, flip)} if "mask" in call else {}
        single = cases.compute(path, seen, weights, one, part)
        output = single.output
        if direction:
            output = output.gather(1, flip[..., None].expand_as(output))
        half = result.output[..., direction * one.state_size :][..., : one.state_size]
        cases.close(half, output, 1e-12)
        cases.close(result.hidden[direction], single.hidden[0], 1e-12)


@EACH_PATH
@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_rows_of_length_zero_return_their_state(kind, path):
    spec = cases.make_spec(CellSpec(kind=kind), num_layers=2, bidirectional=True)
    x, states = cases.make_input(spec, 3, 4), cases.make_states(spec, 3)
    result = cases.compute(
        path, x, cases.make_parameters(spec), spec, {"lengths": torch.tensor([0, 4, 0]), **states}
    )
    assert torch.equal(result.hidden[:, [0, 2]], states["hidden"][:, [0, 2]])
    assert not torch.equal(result.hidden[:, 1], states["hidden"][:, 1])
    assert not result.output[[0, 2]].any()
    if kind == "lstm":
        assert torch.equal(result.cell[:, [0, 2]], states["cell"][:, [0, 2]])
    nothing = cases.compute(
        path, x, cases.make_parameters(spec), spec, {"lengths": torch.zeros(3).long(), **states}
    )
    assert torch.equal(nothing.hidden, states["hidden"])
    assert not nothing.output.any()
