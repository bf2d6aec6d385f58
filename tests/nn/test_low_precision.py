"""Weights in bf16 and int8: how they are rounded, what they compute, and that bits stay."""

import copy
import os
import subprocess
import sys
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.parametrizations import weight_norm
from torch.nn.utils.rnn import pack_sequence

from relembra import ConfigError, DataError, _native, nn
from relembra.engine import explain
from relembra.engine._low_precision import store_matrix

STORAGES = ["bf16", "int8"]
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


def made(cell, *sizes, seed=0, **options):
    torch.manual_seed(seed)
    return CELLS[cell](*sizes, **options).eval()


def widened(low, layer):
    """`layer` with the weights that those of `low` stand for, on the reference path."""
    other, state = copy.deepcopy(layer), dict(low.state_dict())
    for name in [name for name in state if name.startswith("scale_")]:
        weight = name.replace("scale_", "weight_")
        state[weight] = state[weight].float() * state.pop(name)[:, None]
    other.load_state_dict(state)
    other.path = "reference"
    return other


def flat(state):
    return state if isinstance(state, tuple) else (state,)


# ------------------------------------------------------------------ rounding


def test_int8_is_rounded_to_nearest_and_ties_to_even():
    weight = torch.tensor([[127.0, 0.5, 1.5, 2.5, -0.5, -1.5], [-2.0, 1.0, 0.0, 2.0, 0.5, 0.25]])
    values, scale = store_matrix(weight, "int8", "w")
    assert scale.tolist() == [1.0, float(torch.tensor(2.0) / 127)]
    assert values.tolist() == [[127, 0, 2, 2, 0, -2], [-127, 64, 0, 127, 32, 16]]


def test_int8_rows_of_nothing_or_nearly_nothing_are_zero():
    weight = torch.tensor([[0.0, 0.0], [1e-40, -1e-44], [3e38, -3e38]])
    values, scale = store_matrix(weight, "int8", "w")
    assert values.tolist() == [[0, 0], [0, 0], [127, -127]]
    assert scale[:2].tolist() == [0.0, 0.0] and scale.isfinite().all()
    layer = nn.Linear(2, 3)
    layer.weight.data.copy_(weight)
    low = nn.low_precision(layer, "int8")
    assert torch.equal(low(torch.ones(1, 2))[0, :2], layer.bias[:2].detach())


def test_bf16_is_rounded_to_nearest_and_ties_to_even():
    ulp = 2.0**-7
    given = [1 + ulp / 2, 1 + 1.5 * ulp, 1 + 0.51 * ulp, -1 - ulp / 2, torch.inf, torch.nan, 3.4e38]
    expected = [1.0, 1 + 2 * ulp, 1 + ulp, -1.0, torch.inf, torch.nan, torch.inf]
    values, scale = store_matrix(torch.tensor([given]), "bf16", "w")
    assert scale is None and values.dtype == torch.bfloat16
    torch.testing.assert_close(
        values.float(), torch.tensor([expected]), rtol=0, atol=0, equal_nan=True
    )


def test_int8_of_weights_that_are_not_finite_is_refused_by_name():
    model = torch.nn.ModuleDict({"reader": nn.LSTM(3, 4)})
    model["reader"].weight_hh_l0.data[2, 1] = torch.nan
    with pytest.raises(DataError, match="reader.weight_hh_l0 has 1 values that are infinite or"):
        nn.low_precision(model, "int8")
    low = nn.low_precision(model, "bf16")["reader"]
    assert low(torch.zeros(1, 1, 3))[0].isnan().any()


# ------------------------------------------------------------------ what is computed


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("inputs", "units", "rows"), [(5, 7, 3), (40, 70, 9), (33, 96, 1)])
def test_it_computes_with_the_weights_that_are_stored(cell, storage, inputs, units, rows):
    layer = made(cell, inputs, units, 2, bidirectional=True, batch_first=True)
    low = nn.low_precision(layer, storage)
    x = torch.randn(rows, 6, inputs)
    call = {
        "hx": tuple(torch.randn(4, rows, units) for _ in range(2)),
        "lengths": torch.randint(0, 7, (rows,)),
        "mask": torch.rand(rows, 6) > 0.3,
        "reset": torch.rand(rows, 6) > 0.7,
        "hold_output": True,
    }
    if not low.spec.cell.has_cell_state:
        call["hx"] = call["hx"][0]
    with torch.no_grad():
        expected, final = widened(low, layer)(x, **call)
        exact, _ = layer(x, **call)
    y, state = low(x, **call)
    assert low.last_path == "native"
    torch.testing.assert_close(y, expected, rtol=1e-5, atol=2e-6)
    torch.testing.assert_close(flat(state), flat(final), rtol=1e-5, atol=2e-6)
    assert not torch.equal(y, exact)  # it is not the float32 layer that answers
    bound = (y - exact).abs().max() / exact.abs().max()
    assert bound < {"bf16": 0.02, "int8": 0.05}[storage]


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("sizes", [(1, 1), (7, 5), (64, 100), (300, 33)])
def test_linear_maps(storage, sizes):
    torch.manual_seed(0)
    layer = nn.Linear(*sizes)
    low = nn.low_precision(layer, storage)
    x = torch.randn(4, 9, sizes[0])
    matrix = low.weight.float() if storage == "bf16" else low.weight.float() * low.scale[:, None]
    expected = x.double() @ matrix.double().t() + layer.bias.detach().double()
    y = low(x)
    torch.testing.assert_close(y.double(), expected, rtol=1e-5, atol=1e-5)
    assert torch.equal(low(x[2, 5]), y[2, 5])
    assert low(x[:0]).shape == (0, 9, sizes[1])
    unbiased = nn.Linear(*sizes, bias=False)
    unbiased.load_state_dict({"weight": layer.weight})
    plain = nn.low_precision(unbiased, storage)(x)
    torch.testing.assert_close(plain + layer.bias.detach(), y, rtol=1e-5, atol=1e-5)


CHECK = """
import torch
from relembra import nn
for made in (nn.LSTM, nn.GRU, nn.RNN):
    for storage in ("bf16", "int8"):
        layer = made(37, 53, 2, bidirectional=True).eval()
        low = nn.low_precision(layer, storage)
        weights = low.layer_weights()
        for suffix, w in zip(layer.spec.suffixes(), weights):
            layer.get_parameter("weight_ih" + suffix).data.copy_(w.weight_ih)
            layer.get_parameter("weight_hh" + suffix).data.copy_(w.weight_hh)
        x = torch.randn(5, 9, 37)
        y = low(x)[0]
        torch.testing.assert_close(y, layer(x)[0].detach(), rtol=1e-5, atol=2e-6)
        assert torch.equal(low(x[:, 3:4])[0], y[:, 3:4])
        head = nn.low_precision(nn.Linear(37, 21), storage)
        z = head(x)
        assert torch.equal(head(x[1, 2]), z[1, 2])
        dense = head.weight.float() if storage == "bf16" else head.weight * head.scale[:, None]
        torch.testing.assert_close(z, x @ dense.t() + head.bias, rtol=1e-5, atol=1e-5)
"""


@pytest.mark.parametrize("name", _native.instruction_sets())
def test_every_instruction_set(name):
    environment = {**os.environ, "RELEMBRA_ISA": name}
    subprocess.run([sys.executable, "-c", CHECK], env=environment, check=True)


# ------------------------------------------------------------------ the same bits


@given(
    cell=st.sampled_from(sorted(CELLS)),
    storage=st.sampled_from(STORAGES),
    inputs=st.integers(1, 40),
    units=st.integers(1, 150),
    layers=st.integers(1, 2),
    rows=st.integers(1, 15),
    steps=st.integers(1, 6),
    seed=st.integers(0, 99),
)
def test_company_padding_threads_and_steps_change_no_bits(
    cell, storage, inputs, units, layers, rows, steps, seed
):
    low = nn.low_precision(made(cell, inputs, units, layers, seed=seed), storage)
    x = torch.randn(steps, rows, inputs)
    y, final = low(x)
    stream = low.start(rows)
    for t in range(steps):
        assert torch.equal(low.step(x[t], stream)[0], y[t])
    for a, b in zip(flat(stream.hx()), flat(final), strict=True):
        assert torch.equal(a, b)
    row = seed % rows
    assert torch.equal(low(x[:, row : row + 1])[0], y[:, row : row + 1])
    padded = torch.cat([x, torch.randn(2, rows, inputs)])
    lengths = torch.full((rows,), steps)
    assert torch.equal(low(padded, lengths=lengths)[0][:steps], y)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("kind", ["lstm", "gru"])
@pytest.mark.parametrize("rows", [1, 3, 64])
def test_threads_where_the_work_is_worth_them(kind, storage, rows):
    low = nn.low_precision(made(kind, 9, 260), storage)
    head = nn.low_precision(nn.Linear(260, 900), storage)
    x = torch.randn(12, rows, 9)
    before, results = torch.get_num_threads(), []
    for count in (1, 2, 4):
        torch.set_num_threads(count)
        try:
            y, _ = low(x)
            stream = low.start(rows)
            streamed = torch.stack([low.step(frame, stream)[0] for frame in x])
            results.append((y, streamed, head(y)))
        finally:
            torch.set_num_threads(before)
    for result in results:
        assert torch.equal(result[0], results[0][0])
        assert torch.equal(result[1], results[0][0])
        assert torch.equal(result[2], results[0][2])


# ------------------------------------------------------------------ as modules


def test_a_model_is_copied_and_its_layers_are_stored():
    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Trunk(cell="gru", units=24, layers=2, dropout=0.5).build(5)
            self.head, self.other = nn.QuantileHead(24, (0.1, 0.5, 0.9)), torch.nn.Linear(24, 2)
            self.again = self.body

        def forward(self, x):
            y, _ = self.body(x)
            return self.head(y), self.other(y)

    model = Model().train()
    before = copy.deepcopy(model.state_dict())
    low = nn.low_precision(model, "int8")
    assert isinstance(low.body.body, nn.LowPrecisionLayer) and low.again is low.body
    assert isinstance(low.head.linear, nn.LowPrecisionLinear)
    assert type(low.other) is torch.nn.Linear and low.other is not model.other
    assert not low.training and model.training
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    x = torch.randn(3, 7, 5)
    with torch.no_grad():
        torch.testing.assert_close(low(x), model.eval()(x), atol=0.05, rtol=0.05)
        expected = low(x)
        for parameter in model.parameters():
            parameter.zero_()
        torch.testing.assert_close(low(x), expected, rtol=0, atol=0)


def test_what_it_says_of_itself():
    layer = made("lstm", 32, 64)
    low = nn.low_precision(layer, "int8")
    assert repr(low) == "LowPrecisionLayer(lstm, 32, 64, storage=int8)"
    assert low.weight_bytes == 256 * (32 + 64) + 4 * 4 * 256
    half = nn.low_precision(layer, "bf16")
    assert half.weight_bytes == 2 * 256 * (32 + 64) + 2 * 4 * 256
    assert "path='native', storage='int8'" in repr(low.start())
    assert str(explain(low, torch.zeros(5, 1, 32))).startswith("native: weights stored in int8")


@pytest.mark.parametrize("storage", STORAGES)
def test_packed_and_unbatched_input(storage):
    layer = made("lstm", 3, 8)
    low = nn.low_precision(layer, storage)
    parts = [torch.randn(4, 3), torch.randn(2, 3)]
    y, (h, _) = low(pack_sequence(parts))
    alone, (last, _) = low(parts[1])
    assert torch.equal(h[:, 1], last)
    assert torch.equal(y.data[[1, 3]], alone)


def test_streams_are_saved_and_taken_up_again():
    low = nn.low_precision(made("lstm", 3, 8), "int8")
    x = torch.randn(6, 2, 3)
    state = low.start(2)
    for frame in x[:3]:
        low.step(frame, state)
    other = low.start(tensors=state.tensors())
    for frame in x[3:]:
        y, _ = low.step(frame, state)
        assert torch.equal(low.step(frame, other)[0], y)
    with pytest.raises(ConfigError, match="bidirectional layer cannot be streamed"):
        nn.low_precision(nn.GRU(3, 4, bidirectional=True), "int8").start()


@pytest.mark.parametrize("storage", STORAGES)
def test_state_dicts_and_copies(storage):
    one = nn.low_precision(made("lstm", 40, 50, seed=1), storage)
    two = nn.low_precision(made("lstm", 40, 50, seed=2), storage)
    x = torch.randn(5, 2, 40)
    first, second = one(x)[0], two(x)[0]
    stream = two.start(2)
    twin = copy.deepcopy(two)
    two.load_state_dict(one.state_dict())
    assert torch.equal(two(x)[0], first)  # packed anew
    assert torch.equal(twin(x)[0], second)
    assert torch.equal(two.step(x[0], stream)[0], second[0])  # a snapshot
    two.weight_hh_l0.data.zero_()  # no version shows this
    assert not torch.equal(two(x)[0], first)


@pytest.mark.parametrize("storage", STORAGES)
def test_types_and_evaluation_mode_stay(storage):
    layer = made("lstm", 3, 8, 2, dropout=0.9)
    low = nn.low_precision(torch.nn.Sequential(layer, torch.nn.Identity()), storage)[0]
    head = nn.low_precision(nn.Linear(8, 2), storage)
    x = torch.randn(5, 2, 3)
    y = low(x)[0]
    expected = head(y)
    for convert in ("double", "half", "float", "bfloat16", "train"):
        getattr(low, convert)()
        getattr(head, convert)()
        assert not low.training
        assert torch.equal(low(x)[0], y)
        assert torch.equal(head(y), expected)


def test_made_in_inference_mode_the_packed_form_is_kept():
    with torch.inference_mode():
        low = nn.low_precision(made("gru", 3, 8), "int8")
        first = low(torch.ones(2, 1, 3))[0]
    assert not low.weight_ih_l0.is_inference()
    assert torch.equal(low(torch.ones(2, 1, 3))[0], first)


def test_weights_that_are_computed():
    layer = made("lstm", 3, 8)
    weight_norm(layer, "weight_hh_l0")
    low = nn.low_precision(layer, "bf16")
    assert torch.equal(low.weight_hh_l0, layer.weight_hh_l0.detach().bfloat16())


def test_autocast_computes_in_float32():
    low = nn.low_precision(torch.nn.ModuleList([made("lstm", 3, 8), nn.Linear(8, 2)]), "int8")
    x = torch.randn(5, 2, 3)
    y = low[0](x.bfloat16().float())[0]
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(low[0](x.bfloat16())[0], y)
        assert low[1](y.bfloat16()).dtype == torch.float32


@pytest.mark.parametrize("module", [nn.LSTM(3, 8), nn.Linear(3, 8)], ids=repr)
def test_a_compiled_function_calls_it_outside_of_the_graph(module):
    low = nn.low_precision(module, "int8")
    torch._dynamo.reset()

    def doubled(x):
        y = low(x + 1.0)
        return 2.0 * (y[0] if isinstance(y, tuple) else y)

    x = torch.randn(5, 2, 3)
    with torch.no_grad():
        assert torch.equal(torch.compile(doubled, backend="eager")(x), doubled(x))


def test_gradients_are_refused():
    low = nn.low_precision(made("lstm", 3, 8), "int8")
    head = nn.low_precision(nn.Linear(3, 8), "bf16")
    x = torch.randn(5, 2, 3, requires_grad=True)
    for module in (low, head):
        with pytest.raises(DataError, match=r"gradient is asked for.*record none"):
            module(x)
        with torch.no_grad():
            module(x)
        module(x.detach())
    with pytest.raises(DataError, match="gradient is asked for"):
        low(x.detach(), (torch.zeros(1, 2, 8, requires_grad=True), torch.zeros(1, 2, 8)))
    head.weight.requires_grad_(True)
    with pytest.raises(DataError, match="gradient is asked for"):
        head(x.detach())
    with pytest.raises(ConfigError, match="reset that one"):
        low.reset_parameters()


def test_what_cannot_be_computed_is_refused():
    low = nn.low_precision(made("lstm", 3, 8), "int8")
    x = torch.zeros(5, 2, 3)
    with pytest.raises(ValueError, match=r"input dtype \(torch.float64\) does not match"):
        low(x.double())
    with pytest.raises(ConfigError, match="no states or gates of single steps"):
        low(x, trace=True)
    with pytest.raises(DataError, match="lengths must lie in 0…5"):
        low(x, lengths=torch.tensor([6, 1]))
    head = nn.low_precision(nn.Linear(3, 2), "bf16")
    with pytest.raises(DataError, match="input is torch.float64 on cpu"):
        head(x.double())
    with pytest.raises(DataError, match=r"input has shape \(5, 2, 4\), expected \(…, 3\)"):
        head(torch.zeros(5, 2, 4))
    with pytest.raises(ConfigError, match=r"cannot be transformed by torch.func"):
        torch.vmap(head)(x)


def test_what_cannot_be_stored_is_refused():
    with pytest.raises(ConfigError, match="unknown storage 'int4'; known: bf16, int8"):
        nn.low_precision(nn.GRU(3, 4), "int4")
    with pytest.raises(ConfigError, match="Linear holds no RNN, LSTM, GRU or Linear of relembra"):
        nn.low_precision(torch.nn.Linear(3, 4), "int8")
    for layer, reason in [
        (nn.LSTM(3, 4, layer_norm=True), "layer normalisation"),
        (nn.LSTM(3, 4, proj_size=2), "projection"),
        (nn.GRU(3, 4, reset_after=False), "the reset gate before the product"),
    ]:
        with pytest.raises(ConfigError, match=f"low precision does not know {reason}"):
            nn.low_precision(layer, "int8")
    with pytest.raises(ConfigError, match=r"weight_ih_l0 is torch.float64 on cpu.*\.float\(\)"):
        nn.low_precision(nn.RNN(3, 4).double(), "int8")
