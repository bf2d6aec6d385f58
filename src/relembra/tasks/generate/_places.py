"""A folder to work in: the user's, or one that vanishes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from relembra._errors import RelembraError

__all__ = ["working_folder"]


@contextmanager
def working_folder(folder: Path | None) -> Iterator[Path]:
    """Yield the folder, or a temporary one when None.

    Where an error leaves nothing new in the user's folder but tokens, these do not stay.
    """
    if folder is not None:
        before = _files(folder)
        try:
            yield folder
        except RelembraError:
            made = _files(folder) - before
            if all(path.match("text-*.safetensors") for path in made):
                _remove(made)
            raise
        return
    with tempfile.TemporaryDirectory(prefix="relembra-") as place:
        yield Path(place)


def _files(folder: Path) -> set[Path]:
    return set(folder.iterdir()) if folder.is_dir() else set()


def _remove(files: set[Path]) -> None:
    for path in files:
        with suppress(OSError):  # some systems keep a file that is mapped
            path.unlink()
