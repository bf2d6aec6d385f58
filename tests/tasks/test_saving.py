"""A model comes back from its file bit for bit, or not at all."""

import json

import numpy as np
import pandas as pd
import pytest
import safetensors
import safetensors.torch
import torch
from tests.tasks.small import digest, tiny, wave

from relembra._errors import ArtifactError, DataError, OutputExistsError
from relembra.artifact import save_model
from relembra.tasks import Forecaster
from relembra.tasks.forecast import Columns


def frame(steps=64, shift=0.0):
    chance = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "shop": np.repeat(["a", "b"], steps),
            "day": np.tile(pd.date_range("2024-01-01", periods=steps, freq="D"), 2),
            "sales": np.r_[wave(steps), wave(steps, seed=1)] + shift,
            "footfall": chance.standard_normal(2 * steps),
            "size": np.repeat([1.0, 2.0], steps),
            "region": np.repeat(["north", "south"], steps),
        }
    )


@pytest.fixture(scope="module")
def model():
    columns = Columns(target="sales", series="shop", past=("footfall",), static=("size", "region"))
    return tiny(columns=columns, training={"average": 0.9}).fit(frame())


@pytest.fixture
def file(model, tmp_path):
    path = tmp_path / "model.safetensors"
    model.save(path)
    return path


def test_the_same_bits_on_the_same_and_on_new_data(model, file):
    loaded = Forecaster.load(file)
    assert digest(loaded) == digest(model)
    for data in (frame(), frame(40, shift=3.0)):
        before, after = model.forecast(data), loaded.forecast(data)
        assert np.array_equal(before.quantiles, after.quantiles)
        assert np.array_equal(before.mean, after.mean)
        assert before.table().keys() == after.table().keys()
        assert before.times == after.times
    assert loaded.get_params() == model.get_params()
    assert loaded.plan_ == model.plan_


def test_saving_what_was_loaded_gives_the_same_file(file, tmp_path):
    Forecaster.load(file).save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == file.read_bytes()


def test_an_existing_file_stays(model, file):
    before = file.read_bytes()
    with pytest.raises(OutputExistsError, match="exists already and is not overwritten"):
        model.save(file)
    assert file.read_bytes() == before
    model.save(file, force=True)


def test_a_loaded_model_asks_for_data(file):
    loaded = Forecaster.load(file)
    with pytest.raises(DataError, match="a loaded model has no data: give the series up to now"):
        loaded.forecast()
    with pytest.raises(DataError, match=r"a score of y needs fit\(X, y\)"):
        loaded.score(None, wave(4))


def test_settings_from_numpy_can_be_saved(tmp_path):
    path = tmp_path / "model.safetensors"
    tiny(np.int64(3), units=np.int64(4), seasons=(np.int32(8),)).fit(wave()).save(path)
    assert Forecaster.load(path).predict(wave()).shape == (3,)


def rewritten(file, change):
    """Write the model file again after `change(tensors, head)`."""
    tensors = safetensors.torch.load_file(file)
    with safetensors.safe_open(file, framework="pt") as opened:
        head = json.loads(opened.metadata()["relembra"])
    change(tensors, head["data"]["config"])
    file.write_bytes(safetensors.torch.save(tensors, metadata={"relembra": json.dumps(head)}))


def grow(tensors, name):
    tensors[name] = torch.cat([tensors[name], tensors[name]])


DAMAGE = {
    "no factors": lambda t, c: t.pop("factors"),
    "too many factors": lambda t, c: grow(t, "factors"),
    "factors of another type": lambda t, c: t.update(factors=t["factors"].float()),
    "no scaler": lambda t, c: t.pop("standardizer.past_std"),
    "a scaler of another size": lambda t, c: grow(t, "standardizer.past_mean"),
    "a weight is missing": lambda t, c: t.pop("network.hidden.weight"),
    "a weight of another shape": lambda t, c: grow(t, "network.hidden.weight"),
    "a weight too many": lambda t, c: t.update({"network.more": torch.zeros(2)}),
    "other units": lambda t, c: c["parameters"]["trunk"].update(units=5),
    "no such cell": lambda t, c: c["parameters"]["trunk"].update(cell="lstn"),
    "no such parameter": lambda t, c: c["parameters"].update(horizons=3),
    "parameters that are a list": lambda t, c: c.update(parameters=[]),
    "no parameters": lambda t, c: c.pop("parameters"),
    "no plan": lambda t, c: c.pop("plan"),
    "half a plan": lambda t, c: c["plan"].pop("context"),
    "a plan that is text": lambda t, c: c.update(plan="12"),
    "levels that fall": lambda t, c: c["parameters"].update(levels=[0.9, 0.5, 0.1]),
    "another frequency": lambda t, c: c["schema"].update(frequency={}),
    "no sizes": lambda t, c: c.update(sizes=None),
    "no steps": lambda t, c: c.update(steps="many"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_parts_that_do_not_fit_together(file, damage):
    rewritten(file, DAMAGE[damage])
    with pytest.raises(ArtifactError, match=rf"^{file} is a forecast model whose parts do not fit"):
        Forecaster.load(file)


def test_a_file_rewritten_without_a_change_loads(file):
    rewritten(file, lambda tensors, config: None)
    Forecaster.load(file)


def test_a_model_for_another_job(tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(path, job="classify", config={}, tensors={"w": torch.ones(1)})
    with pytest.raises(ArtifactError, match="is a model for 'classify', and not for 'forecast'"):
        Forecaster.load(path)
