"""Recurrent layers in Keras' files, written here as Keras 3 writes them: without Keras."""

import json
import zipfile

import h5py
import numpy as np
import pytest
import torch

from relembra import ArtifactError, ConfigError, DataError, nn
from relembra.nn._gate_orders import from_keras_arrays, to_keras_arrays

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def keras_lstm(x, kernel, recurrent, bias):
    """Keras' LSTM step by step in float64, from its documented equations and gate order."""
    h = c = np.zeros(recurrent.shape[0])
    steps = []
    for row in x:
        i, f, g, o = np.split(row @ kernel + h @ recurrent + bias, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        steps.append(h)
    return np.array(steps)


def keras_gru(x, kernel, recurrent, bias):
    """Keras' GRU with (2, 3H) biases if `reset_after`, with (3H,) if not."""
    units = recurrent.shape[0]
    after = bias.ndim == 2
    inner, outer = (bias[0], bias[1]) if after else (bias, np.zeros_like(bias))
    h = np.zeros(units)
    steps = []
    for row in x:
        xz, xr, xh = np.split(row @ kernel + inner, 3)
        hz, hr, hh = np.split(h @ recurrent + outer, 3)
        z, r = sigmoid(xz + hz), sigmoid(xr + hr)
        candidate = np.tanh(xh + (r * hh if after else (r * h) @ recurrent[:, 2 * units :]))
        h = z * h + (1 - z) * candidate
        steps.append(h)
    return np.array(steps)


def entry(class_name, name, **config):
    return {"module": "keras.layers", "class_name": class_name, "config": {"name": name, **config}}


PLAIN = {"activation": "tanh", "recurrent_activation": "sigmoid"}
ARRAYS = {
    "lstm": [normal(3, 16), normal(4, 16), normal(16)],
    "bidirectional/forward_layer": [normal(4, 15), normal(5, 15), normal(2, 15)],
    "bidirectional/backward_layer": [normal(4, 15), normal(5, 15), normal(2, 15)],
    "sequential/layers/gru": [normal(10, 9), normal(3, 9), normal(9)],
    "simple_rnn": [normal(3, 2), normal(2, 2)],
}
NAMES = {
    "lstm": "first",
    "bidirectional": "both",
    "bidirectional/forward_layer": "forward_gru",
    "bidirectional/backward_layer": "backward_gru",
    "sequential": "enc",
    "sequential/layers/gru": "inner",
    "simple_rnn": "back",
}
CONFIG = {
    "class_name": "Sequential",
    "config": {
        "name": "model",
        "layers": [
            entry("LSTM", "first", **PLAIN),
            entry("Lambda", "evil", function={"class_name": "__lambda__", "config": "Y29kZQ=="}),
            entry(
                "Bidirectional",
                "both",
                merge_mode="concat",
                layer=entry("GRU", "forward_gru", **PLAIN, reset_after=True),
            ),
            {
                "class_name": "Sequential",
                "config": {
                    "name": "enc",
                    "layers": [entry("GRU", "inner", **PLAIN, reset_after=False)],
                },
            },
            entry("SimpleRNN", "back", activation="linear", go_backwards=True),
        ],
    },
}


def write_weights(path, arrays=ARRAYS):
    with h5py.File(path, "w") as file:
        for place, name in NAMES.items():
            file.require_group(f"layers/{place}/vars").attrs["name"] = name
        for place, group in arrays.items():
            for i, array in enumerate(group):
                file[f"layers/{place}/cell/vars/{i}"] = array
        file["optimizer/vars/0"] = normal(3, 16)


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "model.weights.h5"
    write_weights(path)
    return path


def write_model(path, weights, config=CONFIG):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.writestr("config.json", json.dumps(config))
        archive.write(weights, "model.weights.h5")


@pytest.fixture
def model(tmp_path, weights):
    path = tmp_path / "model.keras"
    write_model(path, weights)
    return path


@pytest.mark.filterwarnings("ignore::relembra.SlowPathWarning")  # reset before
def test_layers_compute_what_keras_does(model):
    layers = nn.from_keras(model)
    assert list(layers) == ["first", "both", "inner", "back"]
    x = normal(1, 6, 3)
    found = layers["first"](torch.from_numpy(x))[0][0].detach().numpy()
    np.testing.assert_allclose(found, keras_lstm(x[0], *ARRAYS["lstm"]), atol=1e-5)
    x = normal(1, 6, 4)
    found = layers["both"](torch.from_numpy(x))[0][0].detach().numpy()
    forward = keras_gru(x[0], *ARRAYS["bidirectional/forward_layer"])
    backward = keras_gru(x[0, ::-1], *ARRAYS["bidirectional/backward_layer"])[::-1]
    np.testing.assert_allclose(found, np.concatenate([forward, backward], 1), atol=1e-5)
    x = normal(1, 6, 10)
    found = layers["inner"](torch.from_numpy(x))[0][0].detach().numpy()
    np.testing.assert_allclose(found, keras_gru(x[0], *ARRAYS["sequential/layers/gru"]), atol=1e-5)
    assert layers["back"].layer.nonlinearity == "identity"
    assert not layers["back"].layer.bias


def test_round_trips_keep_every_bit(model, weights):
    layers = nn.from_keras(model)
    for path in (weights, model):
        before = path.read_bytes()
        nn.save_keras_weights(layers, path)
        with torch.no_grad():
            other = nn.LSTM(3, 4)
        nn.load_keras_weights(other, path, "first")
        assert torch.equal(other.weight_hh_l0, layers["first"].weight_hh_l0)
        assert before != b"" and path.exists()
    with h5py.File(weights) as file:
        for place, group in ARRAYS.items():
            for i, array in enumerate(group):
                assert file[f"layers/{place}/cell/vars/{i}"][()].tobytes() == array.tobytes()


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_one_bias_is_the_sum_of_two(kind):
    gates = {"rnn": 1, "lstm": 4, "gru": 3}[kind]
    ours = {
        "weight_ih": normal(gates * 4, 3),
        "weight_hh": normal(gates * 4, 4),
        "bias_ih": normal(gates * 4),
        "bias_hh": normal(gates * 4),
    }
    again = from_keras_arrays(kind, to_keras_arrays(kind, ours, two_biases=kind == "gru"))
    exact = kind == "gru"
    for name, value in ours.items():
        if exact or name.startswith("weight"):
            assert again[name].tobytes() == np.ascontiguousarray(value).tobytes()
    total = ours["bias_ih"] + ours["bias_hh"]
    np.testing.assert_array_equal(again["bias_ih"] + again["bias_hh"], total)


def test_changed_weights_are_written(weights):
    layer = nn.LSTM(3, 4)
    nn.save_keras_weights({"first": layer}, weights)
    other = nn.LSTM(3, 4)
    nn.load_keras_weights(other, weights, "first")
    assert torch.equal(layer.weight_ih_l0, other.weight_ih_l0)
    torch.testing.assert_close(other.bias_ih_l0, layer.bias_ih_l0 + layer.bias_hh_l0)
    with h5py.File(weights) as file:
        assert np.array_equal(file["layers/simple_rnn/cell/vars/0"], ARRAYS["simple_rnn"][0])


def changed(path, config):
    return entry("Sequential", "model", layers=[config])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (entry("LSTM", "first", **(PLAIN | {"activation": "mish"})), "'first': unknown activation"),
        (entry("LSTM", "first", activation={"class_name": "function"}), "which is code"),
        (entry("Bidirectional", "both", merge_mode="sum", layer=entry("GRU", "x")), "by 'sum'"),
    ],
)
def test_what_we_do_not_compute_is_refused(tmp_path, weights, config, message):
    write_model(tmp_path / "m.keras", weights, entry("Sequential", "model", layers=[config]))
    with pytest.raises(ConfigError, match=message):
        nn.from_keras(tmp_path / "m.keras")


def test_bad_files_and_names(tmp_path, weights, model):
    with pytest.raises(ConfigError, match="has no configuration"):
        nn.from_keras(weights)
    with pytest.raises(ArtifactError, match="no file of Keras 3"):
        nn.from_keras(tmp_path / "absent.keras")
    (tmp_path / "broken.keras").write_bytes(b"PK nothing")
    with pytest.raises(ArtifactError, match="no file of Keras 3"):
        nn.from_keras(tmp_path / "broken.keras")
    with pytest.raises(ArtifactError, match=r"'absent' .* found 0.*'first'"):
        nn.load_keras_weights(nn.LSTM(3, 4), weights, "absent")
    with pytest.raises(ArtifactError, match="shapes"):
        nn.save_keras_weights({"first": nn.LSTM(3, 5)}, weights)
    with pytest.raises(DataError, match="kernel"):
        nn.load_keras_weights(nn.GRU(3, 4), weights, "first")
    with pytest.raises(ConfigError, match="num_layers=2"):
        nn.load_keras_weights(nn.LSTM(3, 4, 2), weights, "first")
    with pytest.raises(ConfigError, match="peephole"):
        nn.save_keras_weights({"first": nn.LSTM(3, 4, peepholes=True)}, weights)


def test_other_files_are_never_opened(tmp_path, weights):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["0"] = normal(3, 16)
    with h5py.File(weights, "a") as file:
        del file["layers/lstm/cell/vars/0"]
        file["layers/lstm/cell/vars/0"] = h5py.ExternalLink(str(secret), "0")
    with pytest.raises(ArtifactError, match="found 0"):
        nn.load_keras_weights(nn.LSTM(3, 4), weights, "first")
    with h5py.File(weights, "a") as file:
        del file["layers/lstm/cell/vars/0"]
        layout = h5py.VirtualLayout((3, 16), np.float32)
        layout[...] = h5py.VirtualSource(str(secret), "0", (3, 16))
        file.create_virtual_dataset("layers/lstm/cell/vars/0", layout)
    with pytest.raises(ArtifactError, match="lies in another file"):
        nn.load_keras_weights(nn.LSTM(3, 4), weights, "first")
