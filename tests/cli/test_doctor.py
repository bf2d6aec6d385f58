"""`relembra doctor`: what is there and what is missing."""

import importlib.metadata
import json

import torch


def test_people_read_versions_paths_and_threads(relembra):
    outcome = relembra("doctor")
    assert (outcome.code, outcome.err) == (0, "")
    for text in ("torch threads", "native module", "engine paths", "reference", "pyarrow"):
        assert text in outcome.out


def test_json(relembra):
    facts = json.loads(relembra("doctor", "--json").out)
    assert facts["packages"]["torch"] == importlib.metadata.version("torch")
    assert facts["system"]["torch threads"] == torch.get_num_threads()
    assert {"torch", "reference"} <= next(
        paths.keys() for section, paths in facts.items() if section.startswith("engine paths")
    )


def test_a_missing_package_is_named_with_its_use(relembra, monkeypatch):
    real = importlib.metadata.version

    def without_polars(name):
        if name == "polars":
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr("importlib.metadata.version", without_polars)
    facts = json.loads(relembra("doctor", "--json").out)
    assert facts["optional"]["polars"] == (
        "missing: needed for polars frames as input, pip install polars"
    )
