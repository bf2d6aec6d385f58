"""A row's result has the same bits in any batch, padding, number of threads, and step by step."""

import contextlib

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from relembra.engine import Activation, CellSpec, StackSpec, recurrent

CELLS = [
    CellSpec(kind="rnn"),
    CellSpec(kind="rnn", activation=Activation("relu")),
    CellSpec(kind="lstm"),
    CellSpec(kind="gru"),
]
VARIANTS = [
    CellSpec(kind="rnn", layer_norm=True),
    CellSpec(kind="lstm", activation=Activation("gelu"), zoneout_hidden=0.2),
    CellSpec(kind="lstm", layer_norm=True, peepholes=True, zoneout_cell=0.1),
    CellSpec(kind="lstm", projection=9),
    CellSpec(kind="lstm", projection=17, layer_norm=True, coupled=True),
    CellSpec(kind="gru", layer_norm=True),
    CellSpec(kind="gru", reset_after=False),
    CellSpec(kind="gru", reset_after=False, layer_norm=True),
]
LARGE = [CellSpec(kind=kind) for kind in ("rnn", "lstm", "gru")] + VARIANTS
# The last are around where a product begins to be a sum of several.
SIZES = st.one_of(st.integers(1, 40), st.integers(41, 150), st.sampled_from([192, 193, 330]))


@st.composite
def problems(draw, both_directions=True):
    cell = draw(st.sampled_from(CELLS + VARIANTS))
    least = cell.projection + 1
    spec = StackSpec(
        cell=cell,
        input_size=draw(SIZES),
        hidden_size=draw(SIZES.map(lambda size: max(size, least))),
        num_layers=draw(st.integers(1, 2)),
        bidirectional=draw(st.booleans()) if both_directions else False,
        bias=draw(st.booleans()),
    )
    rows, steps = draw(st.integers(1, 20)), draw(st.integers(1, 9))
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    source = torch.Generator().manual_seed(draw(st.integers(0, 999)))

    def normal(*shape):
        return torch.randn(*shape, dtype=dtype, generator=source)

    scale = spec.hidden_size**-0.5
    parameters = {k: normal(*shape) * scale for k, shape in spec.parameter_shapes().items()}
    count = spec.num_layers * spec.directions
    call = {"hidden": normal(count, rows, spec.state_size)}
    if spec.cell.has_cell_state:
        call["cell"] = normal(count, rows, spec.hidden_size)
    return spec, parameters, normal(rows, steps, spec.input_size), call


def run(spec, parameters, x, **call):
    return recurrent(x, parameters, spec, path="native", **call)


@contextlib.contextmanager
def threads(count):
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    yield
    torch.set_num_threads(before)


def take(call, rows):
    return {
        name: value[rows] if name in ("lengths", "mask", "reset") else value[:, rows]
        for name, value in call.items()
    }


def equal(a, b, rows=slice(None)):
    assert torch.equal(a.output, b.output[rows])
    assert torch.equal(a.hidden, b.hidden[:, rows])
    assert a.cell is None or torch.equal(a.cell, b.cell[:, rows])


@given(problems(), st.data())
def test_any_company(problem, data):
    spec, parameters, x, call = problem
    if data.draw(st.booleans()):
        steps = st.integers(0, x.shape[1])
        lengths = data.draw(st.lists(steps, min_size=len(x), max_size=len(x)))
        call["lengths"] = torch.tensor(lengths)
    if data.draw(st.booleans()):
        source = torch.Generator().manual_seed(1)
        for name in ("mask", "reset"):
            call[name] = torch.rand(x.shape[:2], generator=source) > 0.5
    whole = run(spec, parameters, x, **call)
    order = torch.tensor(data.draw(st.permutations(range(len(x)))))
    for rows in (order[:1], order[: len(x) // 2 + 1], order):
        equal(run(spec, parameters, x[rows], **take(call, rows)), whole, rows)


@given(problems(), st.integers(2, 5))
def test_any_number_of_threads(problem, count):
    spec, parameters, x, call = problem
    with threads(1):
        one = run(spec, parameters, x, **call)
    with threads(count):
        equal(run(spec, parameters, x, **call), one)


@pytest.mark.parametrize("cell", LARGE)
@pytest.mark.parametrize("rows", [1, 3, 64])
def test_threads_where_the_work_is_worth_them(cell, rows):
    """Large enough that rows are parted, or that the units of one row are."""
    spec = StackSpec(cell=cell, input_size=9, hidden_size=260, bidirectional=True)
    source = torch.Generator().manual_seed(0)
    parameters = {
        k: torch.randn(s, generator=source) / 16 for k, s in spec.parameter_shapes().items()
    }
    x = torch.randn(rows, 12, 9, generator=source, requires_grad=True)
    results = []
    for count in (1, 2, 4):
        with threads(count):
            result = run(spec, parameters, x)
            (gradient,) = torch.autograd.grad(result.output.sin().sum(), x)
            results.append((result, gradient))
    for result, gradient in results[1:]:
        equal(result, results[0][0])
        assert torch.equal(gradient, results[0][1])


@given(problems(), st.integers(1, 3), st.booleans())
def test_any_padding(problem, extra, left):
    spec, parameters, x, call = problem
    rows, steps = x.shape[:2]
    bare = run(spec, parameters, x, **call)
    filler = torch.full((rows, extra, x.shape[2]), float("nan"), dtype=x.dtype)
    if left:
        mask = (torch.arange(steps + extra) >= extra).expand(rows, -1)
        padded = run(spec, parameters, torch.cat([filler, x], 1), mask=mask, **call)
        own = slice(extra, None)
    else:
        lengths = torch.full((rows,), steps)
        padded = run(spec, parameters, torch.cat([x, filler], 1), lengths=lengths, **call)
        own = slice(0, steps)
    assert torch.equal(padded.output[:, own], bare.output)
    assert torch.equal(padded.hidden, bare.hidden)


@given(problems(both_directions=False), st.data())
def test_step_by_step(problem, data):
    spec, parameters, x, call = problem
    whole = run(spec, parameters, x, **call)
    outputs, state = [], call
    for t in range(x.shape[1]):
        result = run(spec, parameters, x[:, t : t + 1], **state)
        state = {"hidden": result.hidden}
        if result.cell is not None:
            state["cell"] = result.cell
        outputs.append(result.output)
    assert torch.equal(torch.cat(outputs, 1), whole.output)
    assert torch.equal(result.hidden, whole.hidden)
    assert result.cell is None or torch.equal(result.cell, whole.cell)


@given(problems(), st.booleans())
def test_memory_layout_means_nothing(problem, odd):
    spec, parameters, x, call = problem
    expected = run(spec, parameters, x, **call)
    time_major = x.transpose(0, 1).contiguous().transpose(0, 1)
    equal(run(spec, parameters, time_major, **call), expected)
    features_apart = x.transpose(1, 2).contiguous().transpose(1, 2)
    equal(run(spec, parameters, features_apart, **call), expected)


@pytest.mark.parametrize("cell", LARGE)
def test_training_repeats_its_bits(cell):
    """The same number of threads gives the same gradients, bit for bit."""
    spec = StackSpec(cell=cell, input_size=7, hidden_size=90, num_layers=2)
    source = torch.Generator().manual_seed(0)
    parameters = {
        k: (torch.randn(s, generator=source) / 9).requires_grad_()
        for k, s in spec.parameter_shapes().items()
    }
    x = torch.randn(33, 20, 7, generator=source)
    lengths = torch.randint(0, 21, (33,), generator=source)
    with threads(3):
        runs = [
            torch.autograd.grad(
                run(spec, parameters, x, lengths=lengths).output.square().sum(),
                list(parameters.values()),
            )
            for _ in range(3)
        ]
    for again in runs[1:]:
        assert all(torch.equal(a, b) for a, b in zip(again, runs[0], strict=True))
