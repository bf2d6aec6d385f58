"""A trained model in one file: its weights, its configuration and what it does."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from relembra._errors import ArtifactError
from relembra._files import JSON, read_tensor_file, write_tensors

__all__ = ["ModelFile", "load_model", "save_model"]

_KIND = "model"


@dataclass(frozen=True)
class ModelFile:
    """A model as it was saved.

    Attributes
    ----------
    job
        What the model does: ``"forecast"``, ``"classify"``, ...
    config
        The JSON object that rebuilds it: settings, vocabularies, names.
    tensors
        Weights and scalers by name, on the CPU.
    version
        The version of Relembra that wrote the file.
    """

    job: str
    config: dict[str, Any]
    tensors: dict[str, Tensor]
    version: str


def save_model(
    path: str | os.PathLike[str],
    *,
    job: str,
    config: Mapping[str, JSON],
    tensors: Mapping[str, Tensor],
    force: bool = False,
) -> None:
    """Save a model as one safetensors file, in full or not at all.

    Parameters
    ----------
    path
        The file to write; its folder must exist.
    job
        What the model does.
    config
        A JSON object from which the model can be rebuilt.
    tensors
        Weights and scalers by name; kept bit for bit.
    force
        Replace an existing file.

    Raises
    ------
    OutputExistsError
        The file exists and ``force`` is false.
    ArtifactError
        The file cannot be written.

    Examples
    --------
    >>> import pathlib, tempfile, torch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "model.safetensors")
    ...     save_model(file, job="forecast", config={"units": 3}, tensors={"w": torch.ones(2)})
    ...     model = load_model(file, job="forecast")
    >>> model.config, model.tensors["w"]
    ({'units': 3}, tensor([1., 1.]))
    """
    write_tensors(path, tensors, {"job": job, "config": config}, kind=_KIND, force=force)


def load_model(path: str | os.PathLike[str], *, job: str | None = None) -> ModelFile:
    """Load a model file. Reading it never executes code.

    Parameters
    ----------
    path
        The file.
    job
        The job that the model must do; any when ``None``.

    Returns
    -------
    ModelFile
        The job, the configuration, the tensors and the version that wrote them.

    Raises
    ------
    ArtifactError
        The file is missing, a folder, truncated, foreign, of another format version, or
        a model for another job.
    """
    file = read_tensor_file(path, kind=_KIND)
    found, config = file.data.get("job"), file.data.get("config")
    if not isinstance(found, str) or not isinstance(config, dict):
        raise ArtifactError(f"{os.fspath(path)} is damaged: it lacks its job or configuration")
    if job is not None and found != job:
        raise ArtifactError(f"{os.fspath(path)} is a model for {found!r}, and not for {job!r}")
    return ModelFile(found, config, file.tensors, file.version)
