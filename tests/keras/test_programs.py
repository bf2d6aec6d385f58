"""Whole programs: the same numbers with the engine and without, and everything put back."""

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch

import relembra.keras
from relembra import ConfigError
from relembra.keras import _backend, _step

STEPS, FEATURES, ROWS = 8, 2, 16


def data(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(4 * ROWS, STEPS, FEATURES)).astype("float32")
    return x, x[:, :5, 0].sum(1, keepdims=True).astype("float32")


def first_program(optimizer: Any = "adam", loss: Any = "mse", **options: Any) -> Any:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((STEPS, FEATURES)),
            keras.layers.LSTM(8, activation="relu"),
            keras.layers.Dense(1),
        ]
    )
    model.compile(optimizer=optimizer, loss=loss, **options)
    return model


def losses(model: Any, epochs: int = 5, **options: Any) -> dict[str, list[float]]:
    x, y = data()
    keras.utils.set_random_seed(1)
    fitted = model.fit(x, y, batch_size=ROWS, epochs=epochs, verbose=0, **options)
    return fitted.history


def weights(model: Any) -> list[np.ndarray]:
    return [np.array(v.value.detach()) for v in model.variables]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the models whose steps went past Keras' ceremony."""
    taken: list[str] = []
    train = _step._train

    def spy(model, *arguments):
        taken.append(type(model).__name__)
        return train(model, *arguments)

    monkeypatch.setattr(_step, "_train", spy)
    return taken


def test_training_curves_agree_over_200_steps(quick: list[str]) -> None:
    ours = losses(first_program(keras.optimizers.Adam(0.003)), epochs=50)["loss"]
    assert len(quick) == 199  # the first step goes Keras' own way
    relembra.keras.disable()
    theirs = losses(first_program(keras.optimizers.Adam(0.003)), epochs=50)["loss"]
    assert len(quick) == 199
    assert theirs[-1] < 0.8 * theirs[0]
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)


def test_the_usual_first_program_runs_as_it_stands(quick: list[str], paths: list[str]) -> None:
    n_timesteps, n_features = STEPS, FEATURES
    from keras.layers import LSTM, Dense
    from keras.models import Sequential

    with pytest.warns(UserWarning, match="input_shape"):  # Keras 3 would rather have an Input
        model = Sequential()
        model.add(LSTM(50, activation="relu", input_shape=(n_timesteps, n_features)))
        model.add(Dense(1))
        model.compile(optimizer="adam", loss="mse")
    losses(model, epochs=2)
    assert (len(quick), paths) == (7, ["native"] * 8)


def test_the_example_runs(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(root / "examples" / "keras_first_program.py"))
    assert "relembra.keras enabled: True" in capsys.readouterr().out


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.Adam(0.01),
        lambda: keras.optimizers.Adam(0.01, amsgrad=True),
        lambda: keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5)),
        lambda: keras.optimizers.Adam(0.01, clipnorm=0.1),
        lambda: keras.optimizers.Adam(0.01, use_ema=True, ema_overwrite_frequency=3),
        lambda: keras.optimizers.Adam(0.01, gradient_accumulation_steps=2),
        lambda: keras.optimizers.AdamW(0.01),
        lambda: keras.optimizers.RMSprop(0.01, momentum=0.5, centered=True),
        lambda: keras.optimizers.SGD(0.01),
        lambda: keras.optimizers.SGD(0.003, momentum=0.9, nesterov=True),
        lambda: keras.optimizers.Adagrad(0.1),
    ],
)
def test_the_quick_step_is_keras_step_bit_for_bit(
    optimizer: Any, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = first_program(optimizer(), metrics=["mae"])
    history = losses(ours)
    assert len(quick) == 19
    monkeypatch.setattr(_step, "_known_chain", lambda *_: None)
    theirs = first_program(optimizer(), metrics=["mae"])
    assert losses(theirs) == history
    for a, b in zip(weights(ours), weights(theirs), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(ours.optimizer.variables, theirs.optimizer.variables, strict=True):
        assert torch.equal(a.value, b.value)
    assert len(quick) == 19


def test_prediction_goes_past_the_ceremony_too(monkeypatch: pytest.MonkeyPatch) -> None:
    model = first_program()
    x = data()[0]
    monkeypatch.setattr(_step, "_known_chain", lambda *_: None)
    expected = model.predict(x, batch_size=ROWS, verbose=0)
    monkeypatch.undo()
    taken: list[bool] = []
    chain = _step.run_chain
    monkeypatch.setattr(
        _step, "run_chain", lambda *a, training: taken.append(training) or chain(*a, training)
    )
    np.testing.assert_array_equal(model.predict(x, batch_size=ROWS, verbose=0), expected)
    assert taken == [False] * 3  # all but the first batch


def test_evaluation_goes_past_the_ceremony_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def scores(model: Any) -> list[Any]:
        losses(model, epochs=2, validation_data=data(5))
        single = model.test_on_batch(*data(6))
        return [model.history.history, single, *model.evaluate(*data(7), 5, verbose=0)]

    taken: list[int] = []
    test = _step._test
    monkeypatch.setattr(_step, "_test", lambda *a: taken.append(1) or test(*a))
    ours = scores(first_program(metrics=["mae"]))
    # Of 2 * 4 batches of validation, 1 and 13: all but the first of tensors and of arrays.
    assert len(taken) == 20
    monkeypatch.setattr(_step, "_known_chain", lambda *_: None)
    assert scores(first_program(metrics=["mae"])) == ours
    assert len(taken) == 20


def test_steps_of_all_kinds_and_lengths_in_turn_stay_quick(quick: list[str]) -> None:
    model = keras.Sequential([keras.layers.LSTM(4), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    x, y = data()
    for _ in range(3):
        for steps in (3, STEPS):
            model.train_on_batch(x[:, :steps], y)
            model.test_on_batch(x[:, :steps], y)
            model.predict_on_batch(x[:, :steps])
    assert len(quick) == 4


def test_a_penalty_counts_in_evaluation() -> None:
    model = first_program()
    before = [model.evaluate(*data(), verbose=0) for _ in range(2)]
    model.layers[1].kernel.regularizer = keras.regularizers.L2(10.0)
    assert model.evaluate(*data(), verbose=0) > before[1] == before[0]


@pytest.mark.parametrize("shuffle", [True, False, "batch"])
@pytest.mark.parametrize("given", ["numpy", "torch", "float64", "int weights"])
def test_batches_are_those_of_keras(shuffle: Any, given: str) -> None:
    x, y = data()
    weights = np.arange(len(x)) if given == "int weights" else None
    if given == "torch":
        x, y = torch.tensor(x), torch.tensor(y)
    elif given == "float64":
        x, y = x.astype("float64"), y.astype("float64")

    def epochs() -> list[Any]:
        keras.utils.set_random_seed(3)
        iterator = keras.src.backend.torch.trainer.TorchEpochIterator(
            x, y, weights, batch_size=5, shuffle=shuffle
        )
        found = [batch for _ in range(2) for _, _, [batch] in iterator]
        return [*found, (torch.rand(1),)]  # the state of the random numbers afterwards

    ours = epochs()
    relembra.keras.disable()
    theirs = epochs()
    assert len(ours) == len(theirs) == 27
    for a, b in zip(ours, theirs, strict=True):
        assert type(a) is type(b) and len(a) == len(b)
        for mine, other in zip(a, b, strict=True):
            assert mine.dtype == other.dtype and torch.equal(mine, other)


def test_data_that_change_between_epochs_are_seen() -> None:
    x, y = (part.astype("float64") for part in data())

    class Change(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            y[:] = 3.0

    def curve() -> list[float]:
        y[:] = 0.0
        keras.utils.set_random_seed(1)
        model = first_program()
        return model.fit(x, y, epochs=3, verbose=0, callbacks=[Change()]).history["loss"]

    ours = curve()
    relembra.keras.disable()
    np.testing.assert_allclose(ours, curve(), rtol=1e-5)


@pytest.mark.parametrize("name", ["on_batch_end", "on_train_batch_end"])
def test_callbacks_hear_of_every_batch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[int] = []

    class Listener(keras.callbacks.Callback):
        pass

    setattr(Listener, name, lambda self, batch, logs=None: heard.append(batch))
    losses(first_program(), epochs=2, callbacks=[Listener()])
    assert heard == [0, 1, 2, 3] * 2


def test_a_progress_bar_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = data()
    first_program().fit(x, y, batch_size=ROWS, epochs=1, verbose=1)
    assert "4/4" in capsys.readouterr().out


def test_variables_that_are_new_are_registered() -> None:
    model = first_program()
    x, y = data()
    model.train_on_batch(x, y)
    held = model._torch_params
    model.train_on_batch(x, y)
    assert model._torch_params is held
    names = {name for name, _ in model.named_parameters()}
    model.add(keras.layers.Dense(2))
    model.add(keras.layers.Dense(1))
    model.compile("adam", "mse")
    model.train_on_batch(x, y)
    assert {name for name, _ in model.named_parameters()} > names


LAYERS = keras.layers
CHAINS = {
    "stacked": [LAYERS.GRU(5, return_sequences=True), LAYERS.SimpleRNN(4), LAYERS.Dense(1)],
    "dropout": [LAYERS.LSTM(5, dropout=0.3, seed=1), LAYERS.Dropout(0.5, seed=2), LAYERS.Dense(1)],
    "both": [LAYERS.Bidirectional(LAYERS.GRU(5)), LAYERS.Dense(3, "tanh"), LAYERS.Dense(1)],
    "per step": [LAYERS.LSTM(4, return_sequences=True), LAYERS.Flatten(), LAYERS.Dense(1)],
    "backwards": [LAYERS.GRU(4, go_backwards=True, use_bias=False), LAYERS.Dense(1)],
}


@pytest.mark.parametrize("functional", [False, True])
@pytest.mark.parametrize("chain", CHAINS)
def test_chains_of_layers(
    chain: str, functional: bool, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def make() -> Any:
        keras.utils.set_random_seed(0)
        layers = [type(each).from_config(each.get_config()) for each in CHAINS[chain]]
        if functional:
            x = y = keras.Input((STEPS, FEATURES))
            for layer in layers:
                y = layer(y)
            model = keras.Model(x, y)
        else:
            model = keras.Sequential(layers)
        model.compile("rmsprop", keras.losses.MeanAbsoluteError())
        return model

    one = make()
    ours = losses(one)
    assert len(quick) == 19
    predicted = one.predict(data(3)[0], verbose=0)
    monkeypatch.setattr(_step, "_known_chain", lambda *_: None)
    other = make()
    assert losses(other) == ours
    assert len(quick) == 19
    np.testing.assert_array_equal(other.predict(data(3)[0], verbose=0), predicted)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: setattr(m.layers[0], "activity_regularizer", keras.regularizers.L2(0.1)),
        lambda m: setattr(m.layers[1].kernel, "regularizer", keras.regularizers.L2(0.1)),
        lambda m: m.layers[0].register_forward_hook(lambda *_: None),
        lambda m: (
            m.add(keras.layers.Dense(1, kernel_regularizer="l2")),
            m.build((None, STEPS, FEATURES)),
            keras.utils.set_random_seed(2),
            m.compile("sgd", "mse"),
        ),
        lambda m: m.compile("adam", "mse", loss_weights=[0.5]),
        lambda m: m.compile("adam", "mse", jit_compile=False, steps_per_execution=1),
    ],
    ids=["activity", "weights", "hook", "layer", "loss weights", "compiled again"],
)
def test_what_changes_between_steps_is_seen(change: Any, quick: list[str]) -> None:
    def curve() -> list[float]:
        model = first_program()
        x, y = data()
        found = [model.train_on_batch(x, y) for _ in range(3)]
        change(model)
        return [float(loss) for loss in (*found, *(model.train_on_batch(x, y) for _ in range(3)))]

    ours = curve()
    assert len(quick) >= 2
    relembra.keras.disable()
    np.testing.assert_allclose(ours, curve(), rtol=1e-5)


def test_frozen_layers_stay_as_they_are(quick: list[str]) -> None:
    model = first_program()
    x, y = data()
    model.train_on_batch(x, y)
    model.layers[0].trainable = False
    before = weights(model.layers[0])
    model.compile("adam", "mse")
    for _ in range(3):
        model.train_on_batch(x, y)
    assert quick
    for a, b in zip(before, weights(model.layers[0]), strict=True):
        np.testing.assert_array_equal(a, b)


def test_sample_weights_and_validation(quick: list[str]) -> None:
    def run() -> dict[str, list[float]]:
        share = np.linspace(0.0, 1.0, 4 * ROWS)
        return losses(first_program(), sample_weight=share, validation_data=data(5))

    ours = run()
    assert not quick
    relembra.keras.disable()
    theirs = run()
    for name in theirs:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-5)


def test_a_step_of_the_users_own_is_left_alone(quick: list[str]) -> None:
    class Own(keras.Sequential):
        steps = 0

        def train_step(self, data):
            self.steps += 1
            return super().train_step(data)

    model = Own([keras.layers.LSTM(4), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    losses(model)
    assert model.steps == 20 and not quick


def test_weights_and_files_are_keras_own(tmp_path: Path) -> None:
    model = first_program()
    losses(model, epochs=1)
    x = data(2)[0]
    expected = model.predict(x, verbose=0)
    model.save(tmp_path / "model.keras")
    relembra.keras.disable()
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict(x, verbose=0), expected, atol=1e-6)
    relembra.keras.enable()
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), expected)


def test_masks_of_an_embedding_reach_the_engine(paths: list[str]) -> None:
    def run() -> np.ndarray:
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [keras.layers.Embedding(9, 4, mask_zero=True), keras.layers.GRU(5), LAYERS.Dense(1)]
        )
        model.compile("adam", "mse")
        words = np.random.default_rng(0).integers(0, 9, (8, 12)) * (np.arange(12) > 3)
        model.fit(words, np.ones((8, 1)), epochs=2, verbose=0)
        return model.predict(words, verbose=0)

    ours = run()
    assert paths == ["native"] * 3
    relembra.keras.disable()
    np.testing.assert_allclose(ours, run(), atol=1e-5)


def test_models_of_the_users_own(paths: list[str]) -> None:
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.trunk = keras.layers.LSTM(6)
            self.head = keras.layers.Dense(1)

        def call(self, x):
            return self.head(self.trunk(x)) * 2.0

    def run() -> list[float]:
        keras.utils.set_random_seed(0)
        model = Model()
        model.compile("adam", "mse")
        return losses(model)["loss"]

    ours = run()
    assert paths == ["native"] * 20
    relembra.keras.disable()
    np.testing.assert_allclose(ours, run(), rtol=1e-5)


def test_disable_puts_everything_back() -> None:
    places = [(keras.layers.RNN, "inner_loop"), (keras.layers.LSTM, "inner_loop")]
    places += [(keras.layers.GRU, "inner_loop"), (keras.layers.Bidirectional, "call")]
    places += [(keras.src.backend.torch.trainer.TorchTrainer, "train_step")]
    ours = [vars(owner)[name] for owner, name in places]
    relembra.keras.enable()  # a second time changes nothing
    assert [vars(owner)[name] for owner, name in places] == ours
    relembra.keras.disable()
    relembra.keras.disable()
    for owner, name in places:
        assert vars(owner)[name].__module__.startswith("keras.")
        assert not hasattr(vars(owner)[name], "__wrapped__")
    assert not relembra.keras.is_enabled()


def test_another_backend_is_refused() -> None:
    program = """
import sys, types
keras = types.ModuleType("keras")
keras.__version__ = "3.15.0"
keras.config = types.SimpleNamespace(backend=lambda: "jax")
sys.modules["keras"] = keras
import relembra
try:
    import relembra.keras
except relembra.ConfigError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "loaded already with its jax backend" in done.stdout, done.stderr


def test_versions_that_no_test_has_seen_are_named() -> None:
    _backend.check_version(keras.__version__)
    with pytest.warns(UserWarning, match=r"found 4\.1\.0"):
        _backend.check_version("4.1.0")
    with pytest.raises(ConfigError, match=r"needs Keras 3, found 2\.15\.0"):
        _backend.check_version("2.15.0")
