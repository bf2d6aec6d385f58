"""The package as a whole: light to import, of one version, complete in its public names."""

import importlib.metadata
import importlib.resources
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import relembra

HEAVY = {"pandas", "plotly", "polars", "pyarrow", "rich", "sklearn", "tensorboard", "typer"}


def modules_after(code: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter holds after running the code."""
    report = "; import json, sys; print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    run = subprocess.run(
        [sys.executable, "-c", code + report], capture_output=True, text=True, check=True
    )
    return set(json.loads(run.stdout))


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = modules_after("import relembra")
    assert "relembra" in loaded
    assert not loaded & (HEAVY | {"numpy", "torch"})


@pytest.mark.parametrize("name", ["engine", "nn"])
def test_modules_load_torch_and_little_else(name: str) -> None:
    loaded = modules_after(f"import relembra; relembra.{name}")
    assert "torch" in loaded
    assert not loaded & HEAVY


def test_the_version_is_that_of_pyproject(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert relembra.__version__ == project["version"]
    assert importlib.metadata.version("relembra") == project["version"]


def test_the_changelog_knows_the_version(root: Path) -> None:
    assert f"## {relembra.__version__}" in (root / "CHANGELOG.md").read_text()


def test_every_tested_version_is_pinned(root: Path) -> None:
    lines = (root / "constraints.txt").read_text().splitlines()
    pins = {line.split("==")[0].lower().replace("_", "-") for line in lines if "==" in line}
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    named = {requirement.split(">=")[0] for group in groups for requirement in group}
    named = {name.split("[")[0] for name in named} - {"relembra"}
    assert named - pins == set()


@pytest.mark.parametrize("name", relembra.__all__)
def test_every_public_name_is_there_and_explained(name: str) -> None:
    value = getattr(relembra, name)
    assert name in dir(relembra)
    if name != "__version__":
        assert value.__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'relembra' has no attribute 'Forcaster'"):
        relembra.Forcaster  # noqa: B018


def test_the_package_says_that_it_is_typed() -> None:
    assert importlib.resources.files("relembra").joinpath("py.typed").is_file()
