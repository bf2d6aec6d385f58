"""The checkpoint file: where it is, whether it fits this run, what it says of the machine."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from relembra._errors import ArtifactError, OutputExistsError
from relembra._files import JSON, remove_leftovers

__all__ = [
    "KIND",
    "check_settings",
    "check_shapes",
    "environment",
    "fingerprint",
    "group",
    "grouped",
    "prepare_folder",
    "report_environment",
]

KIND = "checkpoint"
_NAME = "checkpoint.safetensors"


def prepare_folder(directory: Path, *, resume: bool, force: bool) -> Path:
    """Return the path of the checkpoint in a folder, which is made if it is missing.

    Raises
    ------
    OutputExistsError
        There is a checkpoint already, and neither ``resume`` nor ``force`` is given.
    ArtifactError
        The folder cannot be made.
    """
    path = directory / _NAME
    if path.exists() and not resume and not force:
        raise OutputExistsError(
            f"{path} exists already: it holds a run that began before. "
            "Resume it, choose another folder, or force a new beginning"
        )
    try:
        directory.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path)
        if force and not resume:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise ArtifactError(f"cannot use the folder {directory}: {error.strerror}") from error
    return path


def check_settings(path: Path, saved: Mapping[str, Any], current: Mapping[str, JSON]) -> None:
    """Compare the settings of a checkpoint with those of this run.

    Raises
    ------
    ArtifactError
        They differ; every setting that does is named with both values.
    """
    plain = json.loads(json.dumps(current))
    names = sorted(saved.keys() | plain.keys())
    missing = "(absent)"
    differing = [
        f"{name} was {saved.get(name, missing)!r} and is {plain.get(name, missing)!r}"
        for name in names
        if saved.get(name, missing) != plain.get(name, missing)
    ]
    if differing:
        raise ArtifactError(
            f"{path} was made with other settings: {'; '.join(differing)}. "
            "Resume with the settings of then, or begin anew in another folder"
        )


def check_shapes(path: Path, saved: Mapping[str, Tensor], current: Mapping[str, Tensor]) -> None:
    """Compare the tensors of a checkpoint with those of the module.

    Raises
    ------
    ArtifactError
        A tensor is missing, unknown, or of another shape or type; the first one is named.
    """
    for name in sorted(saved.keys() | current.keys()):
        was, now = _describe(saved.get(name)), _describe(current.get(name))
        if was != now:
            raise ArtifactError(
                f"{path} belongs to another model: {name} is {was} there and {now} here"
            )


def _describe(tensor: Tensor | None) -> str:
    if tensor is None:
        return "absent"
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"


def grouped(**groups: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Join groups of tensors as ``group/name``."""
    return {
        f"{name}/{key}": tensor
        for name, members in groups.items()
        for key, tensor in members.items()
    }


def group(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Return one group of what :func:`grouped` joined."""
    prefix = f"{name}/"
    return {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)}


def fingerprint(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of tensors: their names, types, shapes and bits."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(f"{name} {_describe(tensors[name])}\n".encode())
        raw = tensors[name].detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest.update(raw.numpy().data)
    return digest.hexdigest()


def environment() -> dict[str, Any]:
    """Return what the bits of training depend on, besides the settings."""
    return {
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "instructions": torch.backends.cpu.get_cpu_capability(),
    }


def report_environment(path: Path, saved: Mapping[str, Any]) -> None:
    """Warn when the run goes on under other conditions, for its last bits may then differ."""
    differing = [
        f"{name}: {saved.get(name)} then, {value} now"
        for name, value in environment().items()
        if saved.get(name) != value
    ]
    if differing:
        warnings.warn(
            f"{path} was made under other conditions ({'; '.join(differing)}); "
            "the result will be as good, but not the same to the last bit",
            stacklevel=2,
        )
