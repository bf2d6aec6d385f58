"""Rows and labels: a table of texts, numeric sequences, a folder of recordings or images."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from relembra._errors import DataError
from relembra.data import (
    Labels,
    find_files,
    label_codes,
    medium_of,
    open_texts,
    read_files,
    read_frames,
    row_numbers,
)
from relembra.tasks._sequence import check_test_share, hold_out
from relembra.tasks.classify._features import subset

__all__ = ["LabelledRows", "chunks_of", "is_frames", "read_labelled"]

_CHUNK, _FILES = 4096, 256


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """Rows as `Classifier` takes them; what does not fit into memory lies in a temporary file.

    Attributes
    ----------
    rows
        `Texts`, a `Ragged` of frames, or paths of recordings, images or clips.
    labels
        (n,) text, `Labels` or an array; None where none were asked for, or the file has none.
    notes
        How the file was understood, as sentences for people.
    path
        Where the rows were read, for errors; None where that is not known.
    column
        Where the labels were read, for errors; None for what has no columns.
    """

    rows: Any
    labels: Labels | np.ndarray[Any, Any] | None
    notes: tuple[str, ...]
    path: str | os.PathLike[str] | None = None
    column: str | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, indices: npt.ArrayLike) -> LabelledRows:
        """Return some of the rows; `relembra.data.row_numbers` says how to name them."""
        chosen = row_numbers(indices, len(self))
        labels = None if self.labels is None else self.labels[chosen]
        return replace(self, rows=subset(self.rows, chosen), labels=labels)

    def split(self, share: float, seed: int) -> tuple[LabelledRows, LabelledRows]:
        """Return what stays and what is held out of each label alike, chosen by the seed.

        Raises
        ------
        DataError
            Nothing would be held out.
        ConfigError
            The share is not above 0 and below 1.
        """
        check_test_share(share)
        kept, held = hold_out(len(self), share, seed, labels=self.labels)
        if not len(held):
            if len(self) > 1 and self.labels is not None and _all_differ(self.labels):
                raise DataError(
                    f"there are as many labels as rows, {len(self)}; expected labels that several "
                    "rows share",
                    path=self.path,
                    column=self.column,
                )
            raise DataError(
                f"{len(self)} rows are too few to hold {100 * share:.0f} % of each label out; give "
                "more, or a test file"
            )
        return self.take(kept), self.take(held)


def _all_differ(labels: Labels | np.ndarray[Any, Any]) -> bool:
    return len(label_codes(labels)[0]) == len(labels)


def is_frames(path: str | os.PathLike[str]) -> bool:
    """Tell by its name whether a file holds numeric sequences rather than texts."""
    name = os.fspath(path).lower()
    return re.search(r"\.(npz|ts(\.gz|\.bz2|\.xz)?)$", name) is not None


def read_labelled(
    path: str | os.PathLike[str],
    *,
    text: str | None = None,
    label: str | None = None,
    part: str | None = None,
) -> LabelledRows:
    """Read rows and labels.

    Parameters
    ----------
    path
        A table, as `relembra.data.read_texts` takes it; a ``.ts`` or ``.npz`` file, as
        `relembra.data.read_frames` does; or a folder with a folder for each label, as
        `relembra.data.read_files` does.
    text, label
        Columns of the table; guessed when None.
    part
        Which of several sets of a ``.npz`` file.

    Raises
    ------
    DataError
        The file cannot be read, or has no labels.
    """
    if os.path.isdir(path):
        _refuse_columns(path, text=text, label=label, part=part)
        files = read_files(path)
        return LabelledRows(files.files, np.array(files.labels), files.notes, path)
    if not is_frames(path):
        table = open_texts(path, text=text, label=label)
        found = table.read()
        return LabelledRows(found.texts, found.labels, found.notes, path, table.label)
    frames = read_frames(path, part=part)
    if frames.labels is None:
        raise DataError("the sequences have no labels", path=path)
    return LabelledRows(frames.frames, np.array(frames.labels), frames.notes, path)


def chunks_of(
    path: str | os.PathLike[str],
    *,
    text: str | None = None,
    part: str | None = None,
    clips: bool = False,
) -> Iterator[Any]:
    """Yield rows without labels, some at a time, for data larger than memory.

    Parameters
    ----------
    path
        As in `read_labelled`, or a single recording, image or video; folders need no labels.
    text, part
        As in `read_labelled`.
    clips
        Whether a folder of images is one row.

    Raises
    ------
    DataError
        The file cannot be read.
    """
    if os.path.isdir(path) or medium_of(Path(path)):
        _refuse_columns(path, text=text, part=part)
        yield from _files(Path(path), clips)
        return
    if not is_frames(path):
        for texts, _ in open_texts(path, text=text, labelled=False).chunks():
            yield texts
        return
    frames = read_frames(path, part=part).frames
    for begin in range(0, len(frames), _CHUNK):
        yield frames.take(np.arange(begin, min(begin + _CHUNK, len(frames))))


def _files(path: Path, clips: bool) -> Iterator[list[Path]]:
    whole = path.is_file() or (clips and medium_of(path) == "clip")
    files = [path] if whole else find_files(path, clips=clips)
    for begin in range(0, len(files), _FILES):
        yield files[begin : begin + _FILES]


def _refuse_columns(path: str | os.PathLike[str], **names: str | None) -> None:
    """Refuse what only tables and arrays have."""
    for name, value in names.items():
        if value is not None:
            raise DataError(
                f"{name} {value!r} was asked for; recordings and images have neither columns nor "
                "parts: their folders are the labels",
                path=path,
            )
