"""Rows and labels: a table of texts, numeric sequences, a folder of recordings or images."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
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


def _is_tokens(path: str | os.PathLike[str]) -> bool:
    """Tell by its name whether a file holds tagged tokens."""
    return re.search(r"\.conllu?(\.(gz|bz2|xz))?$", os.fspath(path).lower()) is not None


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
    _refuse_unfit(path, text=text, label=label, part=part)
    if os.path.isdir(path):
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
    say: Callable[[str], Any] = lambda line: None,
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
    say
        Told how the file was understood.

    Raises
    ------
    DataError
        The file cannot be read.
    """
    _refuse_unfit(path, text=text, part=part)
    if _is_media(path):
        yield from _files(Path(path), clips)
        return
    if not is_frames(path):
        table = open_texts(path, text=text, labelled=False)
        _say_all(say, table.notes)
        for texts, _ in table.chunks():
            yield texts
        return
    found = read_frames(path, part=part)
    _say_all(say, found.notes)
    frames = found.frames
    for begin in range(0, len(frames), _CHUNK):
        yield frames.take(np.arange(begin, min(begin + _CHUNK, len(frames))))


def _files(path: Path, clips: bool) -> Iterator[list[Path]]:
    whole = path.is_file() or (clips and medium_of(path) == "clip")
    files = [path] if whole else find_files(path, clips=clips)
    for begin in range(0, len(files), _FILES):
        yield files[begin : begin + _FILES]


def _say_all(say: Callable[[str], Any], notes: Sequence[str]) -> None:
    for note in notes:
        say(note)


def _is_media(path: str | os.PathLike[str]) -> bool:
    return os.path.isdir(path) or medium_of(Path(path)) is not None


def _refuse_unfit(path: str | os.PathLike[str], **names: str | None) -> None:
    """Refuse columns and parts of what has none, and files of tagged tokens."""
    if _is_tokens(path):
        raise DataError(
            "CoNLL files have a tag for each token; a classifier reads texts with one label each: "
            "a table, .ts, .npz, or a folder of files",
            path=path,
        )
    if _is_media(path):
        refused = set(names)
        why = "recordings and images have neither columns nor parts: their folders are the labels"
    elif is_frames(path):
        refused, why = {"text", "label"}, "files of numeric sequences have no columns"
    else:
        refused, why = {"part"}, "only .npz files have parts"
    for name in sorted(refused):
        if names.get(name) is not None:
            raise DataError(f"{name} {names[name]!r} was asked for; {why}", path=path)
