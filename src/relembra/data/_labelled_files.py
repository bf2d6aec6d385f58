"""A folder of recordings, images or clips: the names of its folders are the labels."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from relembra._errors import DataError
from relembra.data._media import Medium, medium_of

__all__ = ["LabelledFiles", "find_files", "read_files"]

_EXPECTED = "expected a folder for each label, with recordings, images, videos or folders of frames"


@dataclass(frozen=True)
class LabelledFiles:
    """Files of one kind; nothing of them is read yet.

    Attributes
    ----------
    files
        Paths, in the order of their names; a folder stands for the images in it.
    labels
        The name of the folder of each.
    medium
        ``recording``, ``image`` or ``clip``.
    notes
        How the folder was understood, as sentences for people.
    """

    files: list[Path]
    labels: list[str]
    medium: Medium
    notes: tuple[str, ...]


def read_files(folder: str | os.PathLike[str]) -> LabelledFiles:
    """Find the recordings, images or clips of a folder, with the folder of each as its label.

    Parameters
    ----------
    folder
        It holds a folder for each label: ``digits/seven/ana-1.wav``. There are wav, flac, ogg and
        mp3 recordings; images; or clips: videos, or folders of images.

    Returns
    -------
    LabelledFiles

    Raises
    ------
    DataError
        There is no such folder, no labels or no files, or files of several kinds; one is named.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("one", "two"):
    ...         Path(folder, name).mkdir()
    ...         Path(folder, name, "ana.wav").touch()
    ...     found = read_files(folder)
    >>> found.labels, found.medium
    (['one', 'two'], 'recording')
    """
    root = _folder(folder)
    loose = [path for path in _entries(root) if path.is_file() and medium_of(path)]
    labels = [path for path in _entries(root) if path.is_dir()]
    if loose:
        where = "beside the folders of the labels" if labels else "in no folder"
        raise DataError(f"it lies {where}, so it has no label; {_EXPECTED}", path=loose[0])
    found = [(path, label.name) for label in labels for path in _entries(label)]
    known = [(path, label) for path, label in found if medium_of(path)]
    if not known:
        raise DataError(f"there is nothing to read; {_EXPECTED}", path=root)
    files = [path for path, _ in known]
    medium = _one_medium(files)
    names = [label for _, label in known]
    notes = [f"{len(files):,} {medium}s; their {len(set(names)):,} folders are the labels"]
    others = [path for path, _ in found if medium_of(path) is None]
    if others:
        notes.append(f"left out: {len(others):,} of other kinds, such as {others[0]}")
    return LabelledFiles(files, names, medium, tuple(notes))


def find_files(folder: str | os.PathLike[str], *, clips: bool = False) -> list[Path]:
    """Return recordings, images or clips of a folder and its folders, without labels.

    Parameters
    ----------
    folder
        Files, or folders of files.
    clips
        Whether a folder of images stands for a clip rather than for so many images.

    Raises
    ------
    DataError
        There is no such folder, nothing in it, or files of several kinds; one is named.
    """
    root = _folder(folder)
    files = list(_walk(root, clips))
    if not files:
        raise DataError("there is nothing to read; expected recordings, images or clips", path=root)
    _one_medium(files)
    return files


def _walk(folder: Path, clips: bool) -> Iterator[Path]:
    for path in _entries(folder):
        medium = medium_of(path)
        if medium and (clips or not path.is_dir()):
            yield path
        elif path.is_dir():
            yield from _walk(path, clips)


def _folder(folder: str | os.PathLike[str]) -> Path:
    root = Path(folder)
    if not root.is_dir():
        raise DataError("there is no such folder", path=root)
    return root


def _entries(folder: Path) -> list[Path]:
    """Return what is in a folder and not hidden, in the order of the names."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _one_medium(files: list[Path]) -> Medium:
    """Return what all files are."""
    kinds: dict[Medium, Path] = {}
    for path in files:
        medium = medium_of(path)
        if medium:
            kinds.setdefault(medium, path)
    if len(kinds) > 1:
        (one, first), (other, second), *_ = kinds.items()
        raise DataError(f"{one} beside {other}: {second}; keep them in folders apart", path=first)
    return next(iter(kinds))
