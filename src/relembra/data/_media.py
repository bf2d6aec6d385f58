"""Recordings, images and sequences of images: which a path is, and how one is named in errors."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeAlias

from relembra._errors import DataError

__all__ = ["Medium", "each_medium", "frame_files", "is_path", "medium_of"]

Medium: TypeAlias = Literal["recording", "image", "clip"]

_ENDINGS: dict[Medium, tuple[str, ...]] = {
    "recording": (".wav", ".flac", ".ogg", ".mp3"),
    "image": (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm"),
    "clip": (".mp4", ".avi", ".mkv", ".mov", ".webm"),
}


def medium_of(path: Path) -> Medium | None:
    """Return what a path holds, by its ending; a folder with images in it is a clip."""
    if path.is_dir():
        return "clip" if frame_files(path) else None
    ending = path.suffix.lower()
    return next((medium for medium, known in _ENDINGS.items() if ending in known), None)


def frame_files(folder: Path) -> list[Path]:
    """Return the images of a folder in the order of their names, 2 before 10."""
    images = [path for path in folder.iterdir() if _is_image(path)]
    return sorted(images, key=lambda path: _natural(path.name))


def is_path(row: Any) -> bool:
    """Tell whether a row is the path of a file or folder."""
    return isinstance(row, str | os.PathLike)


def each_medium(raw: Iterable[Any]) -> Iterator[tuple[Any, str]]:
    """Yield rows, and the name of each for errors: its path, or its number.

    Raises
    ------
    DataError
        It is one path instead of several.
    """
    if is_path(raw):
        raise DataError(f"got the path {os.fspath(raw)!r}; expected a list: put it into brackets")  # type: ignore[call-overload]
    for number, row in enumerate(raw, 1):
        yield (Path(row), os.fspath(row)) if is_path(row) else (row, f"row {number}")


def _is_image(path: Path) -> bool:
    hidden = path.name.startswith(".")
    return not hidden and path.suffix.lower() in _ENDINGS["image"] and path.is_file()


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key by which numbers inside of names count as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
