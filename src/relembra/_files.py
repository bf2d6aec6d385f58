"""Files that are whole or absent, and tensors in them that load without executing anything."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata as packages
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from relembra._errors import ArtifactError, OutputExistsError

__all__ = [
    "JSON",
    "TensorFile",
    "atomic_write",
    "read_tensor_file",
    "read_tensors",
    "remove_leftovers",
    "write_tensors",
]

JSON: TypeAlias = "None | bool | int | float | str | Sequence[JSON] | Mapping[str, JSON]"
Pathlike: TypeAlias = "str | os.PathLike[str]"

_FORMAT = 1
_KEY = "relembra"
# What link() answers where the file system has no hard links (FAT, some network mounts).
_NO_LINKS = {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK}


def atomic_write(path: Pathlike, write: Callable[[BinaryIO], None], *, force: bool = False) -> None:
    """Write a file so that it is there in full or not at all, whatever happens meanwhile.

    The content goes to a temporary file of the same folder, reaches the disk, and then takes
    its name in one step. A symbolic link is followed.

    Parameters
    ----------
    path
        The file to write. Its folder must exist.
    write
        Called once with the open binary file.
    force
        Replace an existing file. Otherwise, of two writers at most one succeeds.

    Raises
    ------
    OutputExistsError
        The file exists and ``force`` is false.
    ArtifactError
        The system refuses: no such folder, no permission, no space, the path is a folder.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "note.txt")
    ...     atomic_write(file, lambda out: out.write(b"remembered") and None)
    ...     file.read_text()
    'remembered'
    """
    final = Path(os.path.realpath(path))
    _check_target(final, force)
    draft = final.with_name(f".{final.name}.{secrets.token_hex(6)}.tmp")
    try:
        try:
            _write_to_disk(draft, write)
            _give_name(draft, final, force)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(draft)
        _sync_folder(final.parent)
    except FileExistsError as error:
        raise _exists(final) from error
    except OSError as error:
        if isinstance(error, ArtifactError):
            raise
        raise ArtifactError(f"cannot write {final}: {error.strerror or error}") from error


def remove_leftovers(path: Pathlike) -> None:
    """Remove the temporary files that killed writers of ``path`` left beside it.

    Only for a file that has one writer: a draft in progress would be removed as well.
    """
    final = Path(os.path.realpath(path))
    for entry in list(final.parent.glob(f".{_glob_escaped(final.name)}.*.tmp")):
        with contextlib.suppress(FileNotFoundError):
            entry.unlink()


def _glob_escaped(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _exists(path: Path) -> OutputExistsError:
    return OutputExistsError(
        f"{path} exists already and is not overwritten; choose another name, or force it"
    )


def _check_target(path: Path, force: bool) -> None:
    """Refuse early, before anything is computed or written."""
    if path.is_dir():
        raise ArtifactError(f"cannot write {path}: it is a folder; give the name of a file")
    if not path.parent.is_dir():
        raise ArtifactError(f"cannot write {path}: the folder {path.parent} does not exist")
    if path.exists() and not force:
        raise _exists(path)


def _write_to_disk(path: Path, write: Callable[[BinaryIO], None]) -> None:
    with open(path, "xb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())


def _give_name(draft: Path, final: Path, force: bool) -> None:
    """Rename; without ``force`` by a link, which fails when the name is taken."""
    if not force:
        try:
            os.link(draft, final)
            return
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
        # Claim the name first: only one writer can create it.
        os.close(os.open(final, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    os.replace(draft, final)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows opens no folders; its rename is journaled
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@dataclass(frozen=True)
class TensorFile:
    """What a tensor file holds.

    Attributes
    ----------
    tensors
        The tensors by name, on the CPU.
    data
        The JSON value saved with them.
    version
        The version of Relembra that wrote the file.
    """

    tensors: dict[str, Tensor]
    data: dict[str, Any]
    version: str


def write_tensors(
    path: Pathlike,
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, JSON],
    *,
    kind: str,
    force: bool = False,
) -> None:
    """Write tensors and a JSON object to one safetensors file, atomically.

    Parameters
    ----------
    path
        The file to write.
    tensors
        Tensors of any shape, type and device, also views and shared ones; kept bit for bit.
    metadata
        A JSON object that travels with them.
    kind
        What the file is, ``"model"`` or ``"checkpoint"``; checked when it is read.
    force
        Replace an existing file.

    Raises
    ------
    OutputExistsError
        The file exists and ``force`` is false.
    ArtifactError
        The file cannot be written.
    """
    head = {"format": _FORMAT, "kind": kind, "relembra": _version(), "data": dict(metadata)}
    text = json.dumps(head, ensure_ascii=False)
    _check_target(Path(os.path.realpath(path)), force)
    content = safetensors.torch.save(_separate(tensors), metadata={_KEY: text})
    atomic_write(path, lambda file: _write_all(file, content), force=force)


def _write_all(file: BinaryIO, content: bytes) -> None:
    file.write(content)


def read_tensors(path: Pathlike, *, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors and the JSON object of a file that :func:`write_tensors` wrote.

    Parameters
    ----------
    path
        The file.
    kind
        What the file must be, ``"model"`` or ``"checkpoint"``.

    Returns
    -------
    tuple
        The tensors by name, on the CPU, and the JSON object.

    Raises
    ------
    ArtifactError
        The file is missing, a folder, unreadable, truncated, no safetensors file, not
        Relembra's, of another format version or of another kind.
    """
    file = read_tensor_file(path, kind=kind)
    return file.tensors, file.data


def read_tensor_file(path: Pathlike, *, kind: str) -> TensorFile:
    """Read a file like :func:`read_tensors`, with the version that wrote it."""
    name = os.fspath(path)
    if not os.path.exists(name):
        raise ArtifactError(f"{name} does not exist; a {kind} file was expected")
    if os.path.isdir(name):
        raise ArtifactError(f"{name} is a folder; a {kind} file was expected")
    try:
        with safetensors.safe_open(name, framework="pt") as file:
            head = _checked_head(name, (file.metadata() or {}).get(_KEY), kind)
            # Cloned: the tensors must not change when somebody writes into the mapped file.
            tensors = {key: file.get_tensor(key).clone() for key in file.keys()}  # noqa: SIM118
    except safetensors.SafetensorError as error:
        raise ArtifactError(
            f"{name} is truncated, damaged or no safetensors file ({error}); "
            f"a {kind} file was expected: copy it anew, or make it again"
        ) from error
    except OSError as error:
        if isinstance(error, ArtifactError):
            raise
        raise ArtifactError(f"cannot read {name}: {error.strerror or error}") from error
    return TensorFile(tensors, head["data"], str(head.get("relembra", "unknown")))


def _checked_head(name: str, text: str | None, kind: str) -> dict[str, Any]:
    if text is None:
        raise ArtifactError(f"{name} is a safetensors file, but Relembra did not write it")
    try:
        head = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{name} is damaged: its description is not JSON") from error
    if not isinstance(head, dict) or not isinstance(head.get("data"), dict):
        raise ArtifactError(f"{name} is damaged: its description is incomplete")
    _check_format(name, head.get("format"), str(head.get("relembra", "unknown")))
    if head.get("kind") != kind:
        raise ArtifactError(f"{name} is a {head.get('kind')} file; a {kind} file was expected")
    return head


def _check_format(name: str, found: object, writer: str) -> None:
    if found == _FORMAT:
        return
    if isinstance(found, int) and found > _FORMAT:
        raise ArtifactError(
            f"{name} has format {found}, written by Relembra {writer}; this is Relembra "
            f"{_version()}, which reads format {_FORMAT}. Upgrade: pip install --upgrade relembra"
        )
    raise ArtifactError(
        f"{name} has format {found!r}, written by Relembra {writer}; "
        f"this version reads format {_FORMAT} only"
    )


def _version() -> str:
    try:
        return packages.version("relembra")
    except packages.PackageNotFoundError:
        return "unknown"


def _separate(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return dense CPU tensors that share no memory, as the format wants them."""
    seen: set[int] = set()
    separate = {}
    for name, tensor in tensors.items():
        dense = tensor.detach().to("cpu").resolve_conj().resolve_neg().contiguous()
        storage = dense.untyped_storage()
        if storage.data_ptr() in seen or storage.nbytes() != dense.nbytes:
            dense = torch.clone(dense, memory_format=torch.contiguous_format)
        seen.add(dense.untyped_storage().data_ptr())
        separate[name] = dense
    return separate
