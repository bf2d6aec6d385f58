"""`recompute`: no bit differs from keeping every state, and memory grows with the square root."""

import math
from dataclasses import replace

import pytest
import torch
from tests.conformance import cases

from relembra import ConfigError, _native, nn
from relembra.engine import Activation, CellSpec, Request, choose, explain, recurrent
from relembra.nn import Trunk

# The core cuts where it cuts its chunks, 1536 steps of all rows together at three units.
ROWS, STEPS = 5, 3000

SPECS = {
    "lstm": CellSpec(kind="lstm"),
    "gru": CellSpec(kind="gru"),
    "rnn": CellSpec(kind="rnn"),
    "rnn zoneout": CellSpec(kind="rnn", zoneout_hidden=0.3),
    "gru relu": CellSpec(kind="gru", activation=Activation("relu"), recurrent_dropout=0.3),
    "lstm all": CellSpec(
        kind="lstm", peepholes=True, coupled=True, zoneout_hidden=0.1, zoneout_cell=0.2,
        recurrent_dropout=0.2, recurrent_dropout_kind="candidate",
    ),
    "lstm peepholes": CellSpec(kind="lstm", peepholes=True, zoneout_cell=0.2),
}  # fmt: skip
PARTS = ("lengths", "mask", "reset", "states")


def make_call(spec, rows, steps, parts, dtype=torch.float32):
    draw = torch.Generator().manual_seed(5)
    call = {}
    if "lengths" in parts:
        call["lengths"] = torch.randint(0, steps + 1, (rows,), generator=draw)
        call["lengths"][-1] = 0
    if "mask" in parts:
        call["mask"] = torch.rand(rows, steps, generator=draw) < 0.8
        call["mask"][-2:] = False  # rows without a step
    if "reset" in parts:
        call["reset"] = torch.rand(rows, steps, generator=draw) < 0.01
        call["reset"][:, -40:] |= torch.rand(rows, 40, generator=draw) < 0.3
    if "states" in parts:
        call |= cases.make_states(spec, rows, dtype=dtype)
    if "noise" in parts:
        call["noise"] = cases.make_noise(spec, rows, steps, dtype=dtype)
    return call


def train(x, parameters, spec, recompute, path="native", hold_output=False, **call):
    """Results and gradients of a step of training by name, and what lay on the tape, in bytes."""
    leaves = {"x": x, **parameters} | {n: v for n, v in call.items() if n in ("hidden", "cell")}
    leaves = {name: value.detach().clone().requires_grad_() for name, value in leaves.items()}
    own = {name: leaves[name] for name in parameters}
    states = {name: leaves[name] for name in ("hidden", "cell") if name in leaves}
    result = recurrent(
        leaves["x"], own, spec, recompute=recompute, path=path, hold_output=hold_output,
        **{**call, **states},
    )  # fmt: skip
    found = {"output": result.output, "final hidden": result.hidden, "final cell": result.cell}
    found = {name: value for name, value in found.items() if value is not None}
    draw = torch.Generator().manual_seed(9)
    upstream = [torch.randn(v.shape, generator=draw, dtype=x.dtype) for v in found.values()]
    tape = result.hidden.grad_fn.tape.bytes if path == "native" else 0
    gradients = torch.autograd.grad(tuple(found.values()), tuple(leaves.values()), upstream)
    return found | dict(zip(leaves, gradients, strict=True)), tape


def expect_same(ours, plain):
    assert ours.keys() == plain.keys()
    for name, value in plain.items():
        assert torch.equal(ours[name], value), name


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("parts", [(), ("lengths",), PARTS], ids=["dense", "ragged", "all"])
def test_no_bit_differs(name, parts):
    spec = cases.make_spec(SPECS[name], bidirectional=True)
    parameters = cases.make_parameters(spec, dtype=torch.float32)
    x = cases.make_input(spec, ROWS, STEPS, dtype=torch.float32)
    call = make_call(spec, ROWS, STEPS, {*parts, "noise"})
    plain, kept = train(x, parameters, spec, False, **call)
    for recompute in (True, 1, 777):
        ours, tape = train(x, parameters, spec, recompute, **call)
        expect_same(ours, plain)
        if kept > 1_000_000:  # more than a block of the core's
            assert tape < kept / 4
    ours, tape = train(x, parameters, spec, STEPS, **call)  # a single segment: all is kept
    expect_same(ours, plain)
    assert tape > kept / 4  # in blocks, the sizes of which depend on the calls before


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_no_bit_differs_in_float64_and_stacks(kind):
    spec = cases.make_spec(CellSpec(kind=kind), num_layers=3, bidirectional=True, dropout=0.3)
    parameters = cases.make_parameters(spec)
    x = cases.make_input(spec, ROWS, STEPS)
    call = make_call(spec, ROWS, STEPS, {"lengths", "reset", "noise"}, torch.float64)
    plain, kept = train(x, parameters, spec, False, **call)
    ours, tape = train(x, parameters, spec, True, **call)
    expect_same(ours, plain)
    assert tape < kept


@pytest.mark.parametrize(
    ("rows", "steps", "units", "parts"),
    [(4, 2000, 12, ()), (7, 2000, 12, ("lengths", "reset")), (1, 400, 180, ("states",))],
    ids=["teams", "ragged teams", "members"],
)
def test_no_bit_differs_with_threads(rows, steps, units, parts):
    spec = cases.make_spec(CellSpec(kind="lstm"), hidden_size=units, bidirectional=True)
    parameters = cases.make_parameters(spec, dtype=torch.float32)
    parameters = {name: value / units**0.5 for name, value in parameters.items()}
    x = cases.make_input(spec, rows, steps, dtype=torch.float32)
    call = make_call(spec, rows, steps, parts)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        plain, kept = train(x, parameters, spec, False, **call)
        ours, tape = train(x, parameters, spec, 10, **call)
    finally:
        torch.set_num_threads(before)
    expect_same(ours, plain)
    assert tape < kept


def test_held_outputs():
    spec = cases.make_spec(CellSpec(kind="gru"))
    parameters = cases.make_parameters(spec, dtype=torch.float32)
    x = cases.make_input(spec, ROWS, STEPS, dtype=torch.float32)
    call = make_call(spec, ROWS, STEPS, {"mask", "reset"}) | {"hold_output": True}
    plain, _ = train(x, parameters, spec, False, **call)
    expect_same(train(x, parameters, spec, True, **call)[0], plain)


def test_gradients_against_differences():
    spec = cases.make_spec(CellSpec(kind="lstm"), hidden_size=1, input_size=1)
    x = cases.make_input(spec, 2, STEPS).requires_grad_()
    names, parameters = zip(*cases.make_parameters(spec).items(), strict=True)
    for parameter in parameters:
        parameter.requires_grad_()

    def run(x, *values):
        result = recurrent(x, dict(zip(names, values, strict=True)), spec, recompute=5)
        assert result.path == "native"
        return result.output, result.cell

    assert torch.autograd.gradcheck(run, (x, *parameters), fast_mode=True)


def test_gradients_of_gradients():
    spec = cases.make_spec(CellSpec(kind="gru"), input_size=1, hidden_size=2)
    x = cases.make_input(spec, 1, 4).requires_grad_()
    parameters = cases.make_parameters(spec)

    def run(x):
        return recurrent(x, parameters, spec, recompute=2, path="native").output

    assert torch.autograd.gradgradcheck(run, (x,))


# ------------------------------------------------------------------ the reference path


@pytest.mark.parametrize("name", ["lstm all", "gru before layer_norm", "rnn layer_norm"])
@pytest.mark.parametrize("call", ["plain", "all hold"])
def test_the_reference_path_recomputes(name, call):
    spec = cases.make_spec(cases.CELLS[name], num_layers=2, bidirectional=True)
    parameters = cases.make_parameters(spec)
    x = cases.make_input(spec, cases.ROWS, cases.STEPS)
    asked = cases.make_call(spec, cases.CALLS[call])
    asked.pop("trace", None)
    plain, _ = train(x, parameters, spec, False, "reference", **asked)
    for recompute in (True, 1, 4, 6, 99):
        ours, _ = train(x, parameters, spec, recompute, "reference", **asked)
        for key, value in plain.items():
            cases.close(ours[key], value.detach())
    traced = [
        recurrent(x, parameters, spec, path="reference", trace=True, recompute=k, **asked).trace
        for k in (False, 4)
    ]
    cases.close(traced[1].hidden, traced[0].hidden.detach())


def test_the_reference_path_keeps_less():
    spec = cases.make_spec(CellSpec(kind="lstm", layer_norm=True), hidden_size=8)
    parameters = cases.make_parameters(spec)
    x = cases.make_input(spec, 2, 100)

    def kept(recompute):
        found = {}

        def note(tensor):
            found[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        own = {name: value.clone().requires_grad_() for name, value in parameters.items()}
        with torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):
            result = recurrent(x, own, spec, recompute=recompute, path="reference")
        assert result.output.requires_grad
        return sum(found.values())

    assert kept(True) < kept(False) / 5


# ------------------------------------------------------------------ memory


def peak_of(layer, x):
    """The most that the core held during a step of training, in bytes."""
    layer.zero_grad(set_to_none=True)
    before = _native.memory_use()["used"]
    _native.restart_peak()
    layer(x)[0].sum().backward()
    return _native.memory_use()["peak"] - before


@pytest.mark.parametrize("cell", [nn.LSTM, nn.GRU])
def test_memory_grows_with_the_square_root(cell):
    units = 64
    full = cell(2, units, batch_first=True)
    sparse = cell(2, units, batch_first=True, recompute=True)
    state = units * 4 * (2 if cell is nn.LSTM else 1)  # bytes
    step = units * 4 * (5 if cell is nn.LSTM else 4)  # bytes of what a step keeps
    sizes = (5_000, 20_000, 80_000)
    peaks = [peak_of(sparse, torch.randn(1, steps, 2)) for steps in sizes]
    assert peak_of(full, torch.randn(1, sizes[1], 2)) > sizes[1] * step
    constant = 3_000_000  # packed weights, private gradients, chunks that stay in the cache
    for steps, peak in zip(sizes, peaks, strict=True):
        root = math.isqrt(steps)
        assert peak < constant + 2 * root * (state + step)
    # Sixteen times the steps: not even twice the memory.
    assert peaks[2] < 2 * peaks[0]


def test_the_tape_keeps_states_at_borders_only():
    layer = nn.LSTM(1, 64, batch_first=True, recompute=384)
    tape = layer(torch.randn(1, 384 * 20, 1))[0].grad_fn.tape
    assert tape.bytes <= 2 * (20 * 2 * 64 * 4 + 4096)  # whole pages, and blocks as they come


# ------------------------------------------------------------------ what is refused


def test_other_kernels_keep_every_state():
    with pytest.raises(ConfigError, match="the torch path cannot compute this: PyTorch's kernels"):
        nn.GRU(2, 3, recompute=True, path="torch")(torch.zeros(4, 1, 2))
    with torch.no_grad():  # nothing is kept without gradients
        nn.GRU(2, 3, recompute=True, path="torch")(torch.zeros(4, 1, 2))
    layer = nn.LSTM(2, 3, layer_norm=True, recompute=True)
    assert explain(layer, torch.zeros(4, 1, 2)).path in ("native", "reference")


def test_graphs_and_transforms_are_refused_by_name():
    layer = nn.GRU(2, 3, recompute=4)
    spec, weights = layer.spec, layer.layer_weights()
    request = Request(spec=spec, weights=weights, x=torch.zeros(1, 5, 2), recompute=4)
    with pytest.raises(ConfigError, match="recompute=4 does not go through torch.compile"):
        torch.func.grad(lambda x: layer(x)[0].sum())(torch.zeros(5, 1, 2))
    with pytest.raises(ConfigError, match="recompute=4 does not go through"):
        choose(replace(request, x=request.x.to("meta")))


@pytest.mark.parametrize("value", [-1, 2.5, "sqrt", None])
def test_what_is_no_number_of_steps(value):
    for make in (lambda: nn.LSTM(2, 3, recompute=value), lambda: Trunk(recompute=value)):
        with pytest.raises(ConfigError, match=r"recompute is True, False or a number of steps"):
            make()


def test_modules_pass_it_on():
    assert "recompute=7" in repr(nn.RNN(2, 3, recompute=7))
    assert "recompute" not in repr(nn.RNN(2, 3))
    trunk = Trunk(cell="gru", units=3, recompute=True).build(2)
    assert trunk.body.recompute is True
    with pytest.raises(ConfigError, match="recompute mean nothing"):
        Trunk(cell="feedforward", recompute=True)


# ------------------------------------------------------------------ very many steps


@pytest.mark.parametrize("cell", [nn.LSTM, nn.GRU, nn.RNN])
def test_a_million_steps(cell):
    layer = cell(1, 1, batch_first=True, recompute=True)
    x = torch.randn(1, 1_000_000, 1, requires_grad=True)
    output, final = layer(x)
    output.sum().backward()
    half, state = layer(x[:, :700_001])
    rest, last = layer(x[:, 700_001:], state)
    assert torch.equal(output, torch.cat([half, rest], 1))
    assert torch.equal(final[0], last[0])
    assert x.grad.isfinite().all()
    assert x.grad[0, 0] != 0


def test_more_steps_than_the_core_counts():
    x = torch.zeros(1).expand(1, 2**31, 1)  # of one number
    layer = nn.LSTM(1, 1, batch_first=True, path="native")
    with pytest.raises(ConfigError, match="counts rows and steps up to 2147483647, got 1 and 2147"):
        layer(x)
    with pytest.raises(ValueError, match="2147483647"):
        torch.ops.relembra.stack(
            x[:0],
            list(layer.parameters()),
            None,
            None,
            None,
            None,
            None,
            [],
            [],
            "lstm",
            *(1, 1, 1, 1),
            False,
            ["weight_ih", "weight_hh", "bias_ih", "bias_hh"],
            *([], [], []),
            *(0.0, 0.0, False, False),
        )
