"""The native path as torch operators, and under the transforms of `torch.func`."""

import copy
import pickle
from dataclasses import replace

import pytest
import torch
from tests.conformance import cases
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import forward_ad
from torch.func import functional_call, grad, jacfwd, jacrev, vmap
from torch.library import opcheck
from torch.utils._python_dispatch import TorchDispatchMode

from relembra import ConfigError, DataError, SlowPathWarning, nn
from relembra.engine import Activation, CellSpec, Request, StackNoise, choose, explain, recurrent
from relembra.engine._form import MASKS, Operands, form_of, operands_of
from relembra.engine._operators import call_stack

OPERATORS = torch.ops.relembra
CELLS = {
    "lstm": CellSpec(kind="lstm"),
    "gru": CellSpec(kind="gru"),
    "rnn": CellSpec(kind="rnn"),
}
OPTIONS = {
    "every lstm": CellSpec(
        kind="lstm", peepholes=True, zoneout_hidden=0.2, zoneout_cell=0.4, recurrent_dropout=0.4,
        recurrent_dropout_kind="candidate", gate_activation=cases.KERAS_2,
        activation=Activation("elu", alpha=0.4), state_activation=Activation("softsign"),
    ),
    "coupled lstm": CellSpec(kind="lstm", coupled=True, peepholes=True, recurrent_dropout=0.4),
    "every gru": CellSpec(
        kind="gru", activation=Activation("relu"), zoneout_hidden=0.3, recurrent_dropout=0.4
    ),
    "gru by gate": CellSpec(
        kind="gru", recurrent_dropout=0.4, recurrent_dropout_kind="gates", zoneout_hidden=0.3
    ),
    "every rnn": CellSpec(
        kind="rnn", activation=cases.SHIFTED, zoneout_hidden=0.3, recurrent_dropout=0.4,
        recurrent_dropout_kind="weights",
    ),
}  # fmt: skip
CELLS |= OPTIONS
EACH_CELL = pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS.keys())
EACH_LAYOUT = pytest.mark.parametrize("layout", cases.LAYOUTS, ids=["one", "two ways", "stack"])
SEEN = {k: v for k, v in cases.CALLS.items() if not v & {"trace", "hold_output"}}
SEEN |= {"everything": {"lengths", "mask", "reset", "states", "noise"}}
EACH_CALL = pytest.mark.parametrize("asked", SEEN.values(), ids=SEEN.keys())


def leaves(tensors):
    """Fresh leaves of autograd with these values, None and lists as they are."""
    if isinstance(tensors, list):
        return [leaves(t) for t in tensors]
    return tensors if tensors is None else tensors.detach().clone()


def problem(cell, layout, asked, *, time_major=False, dtype=torch.float64):
    """Operands without gradients, the form, and the request that they come from."""
    spec = cases.make_spec(cell, **layout)
    x = cases.make_input(spec, cases.ROWS, cases.STEPS, dtype=dtype)
    if time_major:
        x = x.transpose(0, 1).contiguous().transpose(0, 1)
    parameters = cases.make_parameters(spec, dtype=dtype)
    call = cases.make_call(spec, asked, dtype=dtype)
    request = Request(spec=spec, weights=spec.weights(parameters), x=x, **call)
    operands = Operands(*(leaves(t) for t in operands_of(request)))
    if time_major:
        operands = operands._replace(x=x)
    return operands, form_of(replace(request, x=x)), request


def train(operands: Operands):
    """Ask for the gradients of x, states and weights; return those that are there."""
    given = [operands.x, operands.hidden, operands.cell, *operands.weights]
    return [t.requires_grad_() for t in given if t is not None]


@EACH_CELL
@EACH_LAYOUT
@EACH_CALL
def test_operator_has_the_bits_of_the_direct_call(cell, layout, asked):
    operands, form, request = problem(cell, layout, asked)
    inputs = train(operands)
    results = call_stack(operands, form)
    weights = dict(zip(request.spec.parameter_shapes(), operands.weights, strict=True))
    call = {name: getattr(request, name) for name in ("lengths", "mask", "reset")}
    call["noise"] = noise = request.noise
    if noise:  # the weights among the operands are masked already
        call["noise"] = noise._replace(
            layers=tuple(own._replace(weights=None) for own in noise.layers)
        )
    state = {"hidden": operands.hidden, "cell": operands.cell}
    direct = recurrent(operands.x, weights, request.spec, path="native", **call, **state)
    expected = (direct.output, direct.hidden, direct.cell)
    for got, wanted in zip(results, expected, strict=True):
        assert (got is None and wanted is None) or torch.equal(got, wanted)
    sums = [sum(t.sin().sum() for t in ts if t is not None) for ts in (results, expected)]
    for got, wanted in zip(*(torch.autograd.grad(s, inputs) for s in sums), strict=True):
        assert torch.equal(got, wanted)


OPCHECKED = [({}, {"states"}), (cases.LAYOUTS[2], SEEN["everything"])]


PLAIN_OR_MASKED = [(cell, 0) for cell in CELLS if cell not in OPTIONS]
PLAIN_OR_MASKED += [(cell, 1) for cell in CELLS]


@pytest.mark.parametrize(("cell", "at"), PLAIN_OR_MASKED)
def test_opcheck(cell, at):
    operands, form, _ = problem(CELLS[cell], *OPCHECKED[at])
    train(operands)
    opcheck(OPERATORS.stack.default, (*operands, *form))


@pytest.mark.parametrize("time_major", [False, True])
@pytest.mark.parametrize(("layout", "asked"), OPCHECKED, ids=["plain", "everything"])
def test_opcheck_of_the_training_operators(layout, asked, time_major):
    cell = CELLS["every lstm" if "noise" in asked else "lstm"]
    operands, form, _ = problem(cell, layout, asked, time_major=time_major)
    torch.use_deterministic_algorithms(True)  # fills the parts of the tape that are not used
    try:
        opcheck(OPERATORS.stack_train.default, (*operands, *form))
        output, hidden, cell, tape = OPERATORS.stack_train(*operands, *form)
        assert tape.dtype == torch.uint8
        assert (output.stride(0) < output.stride(1)) == time_major
        saved = (*operands, *form, output, tape)
        upstream = (output.cos(), None, None)
        opcheck(OPERATORS.stack_backward.default, (*saved, *upstream, True))
        upstream = (None, hidden.cos(), cell.cos())
        opcheck(OPERATORS.stack_backward.default, (*saved, *upstream, False))
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("threads", [(1, 3), (3, 1)], ids=["more", "fewer"])
def test_threads_may_change_between_forward_and_backward(threads):
    """The tape knows how it was laid out."""
    cell = CELLS["lstm"]
    spec = cases.make_spec(cell, input_size=20, hidden_size=64)
    x = cases.make_input(spec, 16, 20)
    request = Request(spec=spec, weights=spec.weights(cases.make_parameters(spec)), x=x)
    given, form = operands_of(request), form_of(request)
    before = torch.get_num_threads()
    try:
        for change in (threads, threads[:1] * 2):
            torch.set_num_threads(change[0])
            output, _, _, tape = OPERATORS.stack_train(*given, *form)
            torch.set_num_threads(change[1])
            found = OPERATORS.stack_backward(*given, *form, output, tape, output, None, None, True)
            if change == threads:
                changed = found
    finally:
        torch.set_num_threads(before)
    cases.close(changed[0], found[0])
    for got, wanted in zip(changed[3], found[3], strict=True):
        cases.close(got, wanted)


def test_operator_looks_at_lengths_when_it_runs():
    operands, form, _ = problem(CELLS["gru"], {}, set())
    for lengths in ([0, 7, 1, 1, 1], [-1, 1, 1, 1, 1]):
        operands = operands._replace(lengths=torch.tensor(lengths))
        with pytest.raises(DataError, match=r"lengths must lie in 0…6, got values from"):
            call_stack(operands, form)


def test_second_derivatives_are_for_the_direct_call():
    operands, form, _ = problem(CELLS["gru"], {}, set())
    train(operands)
    output = call_stack(operands, form)[0]
    (d_x,) = torch.autograd.grad(output.sin().sum(), operands.x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        d_x.sum().backward()


# ------------------------------------------------------------------ torch.func

PARTS = {"mask": cases.MASK, "reset": cases.RESET, "lengths": cases.LENGTHS}


def layers(kind, **options):
    """The same layer on the path that is chosen and on the reference path."""
    torch.manual_seed(0)
    layer = kind(2, 3, batch_first=True, dtype=torch.float64, **options)
    other = copy.deepcopy(layer)
    other.path = "reference"
    return layer.requires_grad_(False), other.requires_grad_(False)


def sampled():
    """Three samples of a batch with parts that differ."""
    torch.manual_seed(1)
    x = torch.randn(3, cases.ROWS, cases.STEPS, 2, dtype=torch.float64)
    parts = {name: torch.stack([p, p.flip(0), p.roll(1, 0)]) for name, p in PARTS.items()}
    return x, parts


def loss_of(layer):
    def loss(weights, x, parts):
        output, state = functional_call(layer, weights, (x,), parts)
        h = state[0] if isinstance(state, tuple) else state
        return output.sin().sum() + h.square().sum()

    return loss


def each_transform(layer):
    """Results under many transforms, by name."""
    weights = dict(layer.named_parameters())
    ensemble = {name: torch.stack([w, 2 * w, -w]) for name, w in weights.items()}
    loss = loss_of(layer)
    x, parts = sampled()
    first = {name: p[0] for name, p in parts.items()}

    def total(weights):
        return vmap(loss, in_dims=(None, 0, 0))(weights, x, parts).sum()

    def penalty(weights):
        return sum(g.square().sum() for g in grad(loss)(weights, x[0], first).values())

    yield "rows folded", vmap(loss, in_dims=(None, 0, 0))(weights, x, parts)
    yield (
        "another dimension",
        vmap(loss, in_dims=(None, 1, None))(weights, x.transpose(0, 1), first),
    )
    yield "gradient", grad(loss)(weights, x[0], first)
    yield "per sample", vmap(grad(loss), in_dims=(None, 0, 0))(weights, x, parts)
    yield "per sample of x", vmap(grad(loss, 1), in_dims=(None, 0, 0))(weights, x, parts)
    yield "gradient of a vmap", grad(total)(weights)
    yield "ensemble", vmap(loss, in_dims=(0, 0, 0))(ensemble, x, parts)
    yield "ensemble's gradients", vmap(grad(loss), in_dims=(0, None, None))(ensemble, x[0], first)
    inner = vmap(loss, in_dims=(None, 0, 0))
    yield "vmap of vmap", vmap(inner, in_dims=(0, None, None))(ensemble, x, parts)
    yield "jacobian", jacrev(lambda x: layer(x, **first)[0].sum(1))(x[0])
    yield "hessian", jacrev(jacrev(lambda x: loss(weights, x, first)))(x[0])
    yield "gradient of a gradient", grad(penalty)(weights)
    outer = x[0].clone().requires_grad_()
    inside = grad(loss, 1)(weights, outer, first).square().sum()
    yield "autograd around it", torch.autograd.grad(inside, outer)


STACK = {"num_layers": 2, "bidirectional": True, "bias": False}
EVERY = {"peepholes": True, "zoneout": (0.2, 0.4), "gate_activation": cases.KERAS_2}
TRANSFORMED = [(kind, options) for kind in (nn.LSTM, nn.GRU, nn.RNN) for options in ({}, STACK)]
TRANSFORMED += [(nn.LSTM, EVERY | {"activation": "softsign"}), (nn.GRU, {"zoneout": 0.3, **STACK})]


@pytest.mark.parametrize(("kind", "options"), TRANSFORMED)
def test_transforms(kind, options):
    layer, other = (one.eval() for one in layers(kind, **options))
    for (name, got), (_, wanted) in zip(each_transform(layer), each_transform(other), strict=True):
        assert (layer.last_path, other.last_path) == ("native", "reference"), name
        torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-9, msg=name)


def test_a_sample_has_the_bits_that_it_has_alone():
    """Also in a fold: rows do not see each other."""
    layer, _ = layers(nn.LSTM)
    x, _ = sampled()
    many = vmap(lambda x: layer(x)[0])(x)
    assert torch.equal(many[1], layer(x[1])[0])


MASKED = {"plain": CELLS["gru"], **OPTIONS}


@pytest.mark.parametrize("cell", MASKED.values(), ids=MASKED)
def test_random_masks_under_vmap(cell):
    """Samples with masks of their own, and with masks in common."""
    spec = cases.make_spec(cell, **cases.LAYOUTS[2])
    parameters, x = cases.make_parameters(spec), torch.stack([cases.make_input(spec, 5, 6)] * 2)
    draws = [cases.make_noise(spec, 5, 6, seed) for seed in (3, 4)]

    def samples_own(noise):
        """Every mask but that of the weights, which belongs to no sample."""
        return [t for n in noise.layers for t in (*n[:2], *n[3:])] + list(noise.between)

    def loss(parameters, x, masks, path):
        masks = iter(masks)
        own = [next(masks) if t is not None else None for t in samples_own(draws[0])]
        layers = [
            n._replace(**dict(zip(MASKS, own[4 * k : 4 * k + 4], strict=True)))
            for k, n in enumerate(draws[0].layers)
        ]
        noise = StackNoise(tuple(layers), tuple(own[4 * len(layers) :]))
        return recurrent(x, parameters, spec, noise=noise, path=path).output.sin().sum()

    first, second = ([t for t in samples_own(noise) if t is not None] for noise in draws)
    both = [torch.stack(pair) for pair in zip(first, second, strict=True)]

    def penalty(*given):
        return sum(g.square().sum() for g in grad(loss)(*given).values())

    for inner in (loss, grad(loss), grad(loss, 1), grad(penalty, 1)):
        for masks, dim in ((both, 0), (first, None)):
            each = vmap(inner, in_dims=(None, 0, dim, None))
            got, wanted = (each(parameters, x, masks, path) for path in ("native", "reference"))
            torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-9)


def test_no_gradient_of_a_mask_is_lost():
    """Wherever in a nest of transforms it is asked for."""
    spec = cases.make_spec(CELLS["every gru"])
    parameters, x = cases.make_parameters(spec), torch.stack([cases.make_input(spec, 5, 6)] * 2)
    noise = cases.make_noise(spec, 5, 6)

    def loss(mask, x, path="auto"):
        own = noise._replace(layers=(noise.layers[0]._replace(state=mask),))
        return recurrent(x, parameters, spec, noise=own, path=path).output.sin().sum()

    def losses(mask, path="auto"):
        return vmap(lambda x: loss(mask, x, path))(x).sum()

    mask = noise.layers[0].state
    for function in (lambda *a: loss(a[0], x[0], *a[1:]), losses):
        got, wanted = grad(function)(mask), grad(function)(mask, "reference")
        assert wanted.abs().sum() > 0
        cases.close(got, wanted)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_forward_mode_is_refused_by_name(kind):
    """Also without `torch.func`, where it would be lost in silence."""
    layer, other = layers(kind)
    x, (asked, slow) = sampled()[0][0], (lambda x: layer(x)[0].sum(1), lambda x: other(x)[0].sum(1))
    wanted = jacfwd(slow)(x)
    layer.path = "native"
    with pytest.raises(ConfigError, match="the native core knows no forward-mode gradients"):
        jacfwd(asked)(x)
    with forward_ad.dual_level(), torch.no_grad(), pytest.raises(ConfigError, match="forward-mode"):
        asked(forward_ad.make_dual(x, torch.ones_like(x)))
    layer.path = "auto"
    if kind is nn.LSTM:
        with pytest.warns(SlowPathWarning, match="PyTorch's LSTM kernel knows no forward-mode"):
            got = jacfwd(asked)(x)
    else:
        got = jacfwd(asked)(x)
    cases.close(got, wanted)


# ------------------------------------------------------------------ tensors of other sorts

X = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
KINDS = pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])


@KINDS
def test_fake_and_meta_tensors_take_the_path_of_real_ones(kind):
    real = kind(3, 4, 2, bidirectional=True)
    expected = real(X)[0]
    with FakeTensorMode() as mode:
        fake = kind(3, 4, 2, bidirectional=True)
        outputs = [fake(torch.zeros(2, 5, 3))[0]]
    outputs.append(fake(mode.from_tensor(X))[0])
    meta = kind(3, 4, 2, bidirectional=True, device="meta")
    outputs.append(meta(X.to("meta"))[0])
    for output in outputs:
        assert (output.shape, output.stride()) == (expected.shape, expected.stride())
        assert output.requires_grad
    assert fake.last_path == meta.last_path == "native"
    outputs[-1].sum().backward()
    assert meta.weight_ih_l0.grad.shape == meta.weight_ih_l0.shape


class Watch(TorchDispatchMode):
    """Notes the operators that are called."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.seen.append(str(func))
        return func(*args, **kwargs or {})


@pytest.mark.parametrize("options", [{}, {"peepholes": True, "zoneout": 0.1}])
def test_dispatch_modes_see_the_operators(options):
    layer = nn.LSTM(3, 4, **options)
    with Watch() as watch:
        layer(X)[0].sum().backward()
    assert "relembra.stack_train.default" in watch.seen
    assert "relembra.stack_backward.default" in watch.seen
    with Watch() as watch, torch.no_grad():
        layer(X)
    assert [name for name in watch.seen if "relembra" in name] == ["relembra.stack.default"]


@KINDS
def test_autocast_computes_in_the_type_of_the_parameters(kind):
    """Nothing is gained by fewer bits on the way: input is widened, output is float32."""
    layer = kind(3, 4, 2, dropout=0.5)
    narrow = X.bfloat16()
    torch.manual_seed(0)
    expected = layer(narrow.float())[0]
    torch.manual_seed(0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert explain(layer, narrow).path == "native"
        output = layer(narrow)[0]
    assert output.dtype == torch.float32
    torch.testing.assert_close(output, expected, rtol=0.02, atol=0.02)  # the masks are bfloat16
    output.sum().backward()


@KINDS
def test_copies_compute_the_same(kind):
    layer = kind(3, 4)
    call_stack(*(lambda r: (operands_of(r), form_of(r)))(request_of(layer)))
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(twin(X)[0], layer(X)[0])


def request_of(layer) -> Request:
    weights = layer.spec.weights(dict(layer.named_parameters()))
    request = Request(spec=layer.spec, weights=weights, x=X)
    assert choose(request).path == "native"
    return request
