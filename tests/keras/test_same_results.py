"""Outputs, states and gradients are those of Keras' own way, and the engine computed them."""

from typing import Any

import keras
import numpy as np
import pytest
import torch
from tests.keras.twice import INPUTS, KINDS, ROWS, STEPS, UNITS, assert_same, filled, inputs

from relembra import SlowPathWarning

ALL = {"return_sequences": True, "return_state": True}
OPTIONS: dict[str, dict[str, Any]] = {
    "last": {},
    "all": ALL,
    "backwards": {**ALL, "go_backwards": True},
    "unrolled": {**ALL, "unroll": True},
    "implementation 1": {**ALL, "implementation": 1},
    "no bias": {**ALL, "use_bias": False},
    "stateful": {**ALL, "stateful": True},
    "dropout": {**ALL, "dropout": 0.4, "seed": 3},
    "dropout by gate": {**ALL, "dropout": 0.4, "seed": 3, "implementation": 1},
    "recurrent dropout": {**ALL, "recurrent_dropout": 0.4, "seed": 5},
    "both dropouts": {**ALL, "dropout": 0.3, "recurrent_dropout": 0.5, "seed": 7},
    "both, backwards": {
        **ALL,
        "dropout": 0.3,
        "recurrent_dropout": 0.5,
        "go_backwards": True,
        "seed": 9,
    },  # fmt: skip
    "relu": {**ALL, "activation": "relu"},
    "elu": {"activation": "elu"},
    "softsign": {"activation": "softsign"},
    "linear": {"activation": None},
}
MASKS = {
    "right": [[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 0]],
    "left": [[0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 1], [0, 1, 1, 1, 1, 1]],
    "any": [[0, 1, 0, 1, 1, 0], [0, 0, 0, 0, 0, 0], [1, 0, 1, 0, 1, 0], [1, 1, 0, 0, 0, 1]],
}


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_options(kind: str, option: str, paths: list[str]) -> None:
    options = {k: v for k, v in OPTIONS[option].items() if kind != "rnn" or k != "implementation"}
    layer = filled(KINDS[kind](UNITS, **options))
    # Keras' quick way overwrites what its gradients need, and takes no list of masks.
    if option in ("stateful", "dropout by gate"):
        layer.use_cudnn = False
    assert_same(layer, inputs(), training=True)
    assert paths == ["native"]


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_hard_sigmoid_has_keras_slope(kind: str, paths: list[str]) -> None:
    layer = filled(KINDS[kind](UNITS, recurrent_activation="hard_sigmoid"))
    assert_same(layer, inputs())
    assert paths == ["native"]


@pytest.mark.parametrize("zero", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("kind", KINDS)
def test_masks(
    kind: str, mask: str, backwards: bool, sequences: bool, zero: bool, paths: list[str]
) -> None:
    layer = filled(
        KINDS[kind](
            UNITS,
            return_sequences=sequences,
            return_state=True,
            go_backwards=backwards,
            zero_output_for_mask=zero,
        )
    )
    assert_same(layer, inputs(), mask=torch.tensor(MASKS[mask], dtype=torch.bool))
    assert paths == ["native"]


@pytest.mark.parametrize("kind", KINDS)
def test_initial_state_and_a_mask_together(kind: str, paths: list[str]) -> None:
    layer = filled(KINDS[kind](UNITS, **ALL))
    draw = np.random.default_rng(4)
    states = [
        torch.tensor(draw.normal(size=(ROWS, UNITS)), dtype=torch.float32)
        for _ in range(2 if kind == "lstm" else 1)
    ]
    mask = torch.tensor(MASKS["any"], dtype=torch.bool)
    assert_same(layer, inputs(), initial_state=states, mask=mask)
    assert paths == ["native"]


@pytest.mark.parametrize("kind", KINDS)
def test_recurrent_dropout_uses_the_masks_that_keras_draws(kind: str, paths: list[str]) -> None:
    layer = filled(KINDS[kind](UNITS, dropout=0.3, recurrent_dropout=0.5, seed=7, **ALL))
    mask = torch.tensor(MASKS["any"], dtype=torch.bool)
    assert_same(layer, inputs(), training=True, mask=mask)
    assert_same(layer, inputs(), training=False)
    assert paths == ["native", "native"]


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_recurrent_dropout_in_both_directions(kind: str, paths: list[str]) -> None:
    own = KINDS[kind](UNITS, dropout=0.3, recurrent_dropout=0.5, seed=7, **ALL)
    assert_same(filled(keras.layers.Bidirectional(own)), inputs(), training=True)
    assert paths == ["native", "native"]


def test_implementation_2_passes_over_recurrent_dropout(paths: list[str]) -> None:
    layer = filled(keras.layers.LSTM(UNITS, recurrent_dropout=0.5, seed=7, **ALL))
    layer.cell.implementation = 2
    assert_same(layer, inputs(), training=True)
    assert paths == ["native"]


@pytest.mark.parametrize(
    ("kind", "options", "reason"),
    [
        ("lstm", {"activation": "selu"}, "selu"),
        ("rnn", {"dropout": 1.0}, "dropout of 1"),
    ],
)
def test_what_cannot_be_taken_is_said_once(
    kind: str, options: dict[str, object], reason: str, paths: list[str]
) -> None:
    layer = filled(KINDS[kind](UNITS, seed=7, **options))
    with pytest.warns(SlowPathWarning, match=reason) as said:
        assert_same(layer, inputs(), training=True)
    assert len(said) == 1
    assert_same(layer, inputs(), training=True)
    assert paths == []


@pytest.mark.parametrize("options", [{}, {"recurrent_dropout": 0.5, "seed": 7}])
def test_reset_gate_before_the_product(options: dict[str, float], paths: list[str]) -> None:
    layer = filled(keras.layers.GRU(UNITS, reset_after=False, **ALL, **options))
    mask = torch.tensor(MASKS["any"], dtype=torch.bool)
    assert_same(layer, inputs(), mask=mask, training=True)
    assert paths == ["native"]


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64", "float16"])
@pytest.mark.parametrize("kind", KINDS)
def test_other_precisions(kind: str, policy: str, paths: list[str]) -> None:
    # The usual initial values need a decomposition that torch lacks in float16.
    layer = filled(KINDS[kind](UNITS, dtype=policy, recurrent_initializer="zeros", **ALL))
    # In float64 Keras' own way is off by 1e-7 or so, in which layers depends on the version.
    tolerance = {"float64": 1e-6, "mixed_bfloat16": 0.05}.get(policy, 0.01)
    assert_same(layer, inputs("float64" if policy == "float64" else "float32"), tolerance)
    assert paths == ["native"]


def test_float64_is_computed_in_float64() -> None:
    layer = filled(keras.layers.SimpleRNN(UNITS, dtype="float64"))
    x = inputs("float64").detach()
    kernel, recurrent, bias = (v.value.detach() for v in layer.weights)
    h = torch.zeros(ROWS, UNITS, dtype=torch.float64)
    for t in range(STEPS):
        h = torch.tanh(x[:, t] @ kernel + h @ recurrent + bias)
    torch.testing.assert_close(layer(x).detach(), h, atol=1e-14, rtol=0)


def test_mixed_precision_computes_in_float32() -> None:
    mixed = filled(keras.layers.LSTM(UNITS, dtype="mixed_bfloat16"))
    full = filled(keras.layers.LSTM(UNITS))
    x = inputs().detach().bfloat16()
    result = mixed(x)
    assert result.dtype == torch.bfloat16
    assert torch.equal(result, full(x.float()).bfloat16())


MODES = ["concat", "sum", "mul", "ave", None]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", KINDS)
def test_both_directions_are_one_call(
    kind: str, mode: str | None, sequences: bool, masked: bool, paths: list[str]
) -> None:
    own = KINDS[kind](UNITS, return_sequences=sequences, return_state=True)
    layer = filled(keras.layers.Bidirectional(own, merge_mode=mode))
    mask = torch.tensor(MASKS["any"], dtype=torch.bool) if masked else None
    assert_same(layer, inputs(), mask=mask)
    assert paths == ["native"]


@pytest.mark.parametrize(
    "options", [{"dropout": 0.4, "seed": 1}, {"stateful": True}], ids=["dropout", "stateful"]
)
def test_directions_that_differ_are_two_calls(options: dict[str, object], paths: list[str]) -> None:
    own = keras.layers.LSTM(UNITS, use_cudnn=False, **options)
    layer = filled(keras.layers.Bidirectional(own))
    assert_same(layer, inputs(), training=True)
    assert paths == ["native", "native"]


def test_initial_states_of_both_directions(paths: list[str]) -> None:
    layer = filled(keras.layers.Bidirectional(keras.layers.LSTM(UNITS, **ALL)))
    draw = np.random.default_rng(4).normal(size=(4, ROWS, UNITS))
    assert_same(layer, inputs(), initial_state=list(torch.tensor(draw, dtype=torch.float32)))
    assert paths == ["native"]


def test_cells_of_keras_inside_its_plain_rnn(paths: list[str]) -> None:
    layer = filled(keras.layers.RNN(keras.layers.GRUCell(UNITS), return_sequences=True))
    assert_same(layer, inputs())
    assert paths == ["native"]


def test_a_cell_of_the_users_own_is_left_alone(paths: list[str]) -> None:
    class Cell(keras.layers.LSTMCell):
        def call(self, inputs, states, training=False):
            return super().call(inputs * 2.0, states, training=training)

    layer = filled(keras.layers.RNN(Cell(UNITS)))
    assert_same(layer, inputs())
    assert paths == []


def test_shapes_are_inferred_without_computing(paths: list[str]) -> None:
    x = keras.Input((None, INPUTS))
    y = keras.layers.Bidirectional(keras.layers.LSTM(UNITS, return_sequences=True))(x)
    assert keras.layers.GRU(UNITS)(y).shape == (None, UNITS)
    assert keras.Model(x, y)(np.zeros((ROWS, STEPS, INPUTS), "float32")).shape == (4, 6, 10)
    assert paths == ["native"]
