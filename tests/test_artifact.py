"""Tests of model files."""

import pytest
import torch

from relembra import _files
from relembra._errors import ArtifactError, OutputExistsError
from relembra._files import write_tensors
from relembra.artifact import ModelFile, load_model, save_model

CONFIG = {"cell": "lstm", "units": 3, "names": ["a", "ção"], "scale": 0.1, "none": None}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.safetensors"
    tensors = {"w": torch.tensor([0.1, float("nan")]), "n": torch.tensor(3)}
    save_model(path, job="forecast", config=CONFIG, tensors=tensors)
    return path


def test_a_model_comes_back(path):
    model = load_model(path, job="forecast")
    assert isinstance(model, ModelFile)
    assert (model.job, model.config) == ("forecast", CONFIG)
    assert model.version == _files._version()
    assert model.tensors["w"][0] == torch.tensor(0.1)
    assert model.tensors["w"][1].isnan()
    assert model.tensors["n"].item() == 3
    assert model.tensors["n"].dtype == torch.int64
    assert load_model(path).job == "forecast"


def test_a_model_for_another_job_is_refused(path):
    with pytest.raises(ArtifactError, match="is a model for 'forecast', and not for 'tag'"):
        load_model(path, job="tag")


def test_a_model_is_never_overwritten_unless_forced(path):
    with pytest.raises(OutputExistsError):
        save_model(path, job="tag", config={}, tensors={})
    assert load_model(path).job == "forecast"
    save_model(path, job="tag", config={}, tensors={}, force=True)
    assert load_model(path).job == "tag"


def test_a_checkpoint_is_no_model(tmp_path):
    write_tensors(tmp_path / "c", {}, {}, kind="checkpoint")
    with pytest.raises(ArtifactError, match="is a checkpoint file; a model file was expected"):
        load_model(tmp_path / "c")


@pytest.mark.parametrize("data", [{}, {"job": "tag"}, {"job": 3, "config": {}}])
def test_a_model_without_its_description_is_damaged(tmp_path, data):
    write_tensors(tmp_path / "m", {}, data, kind="model")
    with pytest.raises(ArtifactError, match="lacks its job or configuration"):
        load_model(tmp_path / "m")


def test_missing_and_truncated_models_are_told(path):
    with pytest.raises(ArtifactError, match="does not exist"):
        load_model(path.with_name("other"))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match="truncated"):
        load_model(path)
