"""The files of a tagging job: tokens or frames with their tags."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt

from relembra._errors import DataError
from relembra.data import (
    Ragged,
    is_conllu,
    open_tagged,
    read_tagged,
    read_tagged_frames,
    row_numbers,
)
from relembra.tasks._sequence import check_test_share, hold_out
from relembra.tasks.tag._tag_set import Tag, check_rules, find_scheme, first_foreign

__all__ = ["TagData", "column_of", "is_frames", "open_rows", "read_tag_data"]

_NPZ = ".npz"
_CHUNK = 1024  # sequences at a time


@dataclass(frozen=True)
class TagData:
    """Sequences and their tags.

    Attributes
    ----------
    rows
        Lists of tokens, or frames as a `Ragged`.
    tags
        A list for each sequence; None where the file has none.
    notes
        How it was read, as sentences for people.
    path
        Where they were read, for errors; None where that is not known.
    places
        For errors, where in that file each sequence begins, counted from 1: the line of the first
        token, or the row of an ``.npz`` file. None where that is not known.
    """

    rows: Any
    tags: list[list[Tag]] | None
    notes: tuple[str, ...]
    path: str | os.PathLike[str] | None = None
    places: Sequence[int] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def has_tokens(self) -> bool:
        """Whether sequences are tokens rather than frames."""
        return not isinstance(self.rows, Ragged)

    def take(self, indices: npt.ArrayLike) -> TagData:
        """Return some sequences; `relembra.data.row_numbers` says how to name them."""
        chosen = row_numbers(indices, len(self)).tolist()
        framed = isinstance(self.rows, Ragged)
        rows = self.rows.take(chosen) if framed else [self.rows[i] for i in chosen]
        tags = None if self.tags is None else [self.tags[i] for i in chosen]
        places = None if self.places is None else [self.places[i] for i in chosen]
        return replace(self, rows=rows, tags=tags, places=places)

    def check_spans(self) -> None:
        """Raise a `DataError` that names the place of a tag that writes no span, where one does."""
        foreign = first_foreign(self.tags or [])
        if foreign is not None:
            row, step = foreign
            raise self._error(row, step, "which is none of BIO or BIOES, as the others are")

    def check_rules(self) -> None:
        """Raise a `DataError` that names the place of a tag that breaks its scheme's rules."""
        tags = self.tags or []
        scheme = find_scheme(sorted({tag for row in tags for tag in row}))
        broken = None if scheme is None else check_rules(tags, scheme)
        if broken is not None:
            why = f"against the rules of {scheme}; correct it, or let --repair do it"
            raise self._error(*broken, why)

    def _error(self, row: int, step: int, why: str) -> DataError:
        tag = self.tags[row][step] if self.tags is not None else None
        place = row + 1 if self.places is None else self.places[row]
        if self.has_tokens and self.places is not None:
            return DataError(
                f"token {step + 1} of the sentence that begins here has {tag!r}, {why}",
                path=self.path,
                line=place,
            )
        return DataError(f"row {place} has {tag!r} at step {step + 1}, {why}", path=self.path)

    def split(self, share: float, seed: int) -> tuple[TagData, TagData]:
        """Return what stays and what is held out, chosen by the seed.

        Raises
        ------
        DataError
            Nothing would be held out.
        ConfigError
            The share is not above 0 and below 1.
        """
        check_test_share(share)
        kept, held = hold_out(len(self), share, seed)
        if not len(held):
            raise DataError(
                f"{len(self)} sequences are too few to hold {100 * share:.0f} % of them out; give "
                "more, or a test file"
            )
        return self.take(kept), self.take(held)


def is_frames(path: str | os.PathLike[str]) -> bool:
    """Tell by its name whether a file holds frames rather than tokens."""
    return os.fspath(path).lower().endswith(_NPZ)


def read_tag_data(
    path: str | os.PathLike[str],
    *,
    word: str | None = None,
    column: str | None = None,
    part: str | None = None,
    tagged: bool = True,
    check: bool = False,
) -> TagData:
    """Read sequences with a tag for each step.

    Parameters
    ----------
    path
        ``.npz`` with frames (`relembra.data.read_tagged_frames`), else tokens
        (`relembra.data.read_tagged`): CoNLL columns, CoNLL-U or JSON lines.
    word, column
        Columns of the tokens and of the tags.
    part
        Of an ``.npz`` file with several sets.
    tagged
        Whether tags are wanted.
    check
        Whether spans that break the rules of their scheme are refused.

    Raises
    ------
    DataError
        The file cannot be read or does not fit; file and line are named.
    """
    if is_frames(path):
        _refuse_columns(path, word, column)
        frames = read_tagged_frames(path, part=part)
        if tagged and frames.tags is None:
            raise DataError("the file has no y; expected a tag for each frame", path=path)
        places = range(1, len(frames.frames) + 1)
        return TagData(frames.frames, frames.tags, frames.notes, path, places)
    if part is not None:
        raise DataError(f"only .npz files have parts; {part!r} was asked for", path=path)
    found = read_tagged(path, word=word, tag=column_of(path, column), tagged=tagged)
    tags: Any = found.tags
    data = TagData(found.tokens, tags, found.notes, path, found.lines)
    if check:
        data.check_rules()
    return data


def column_of(path: str | os.PathLike[str], column: str | None) -> str | None:
    """Return the name of a column as the file has it: those of CoNLL-U are in small letters."""
    return column.lower() if column is not None and is_conllu(path) else column


def open_rows(
    path: str | os.PathLike[str], *, word: str | None = None, part: str | None = None
) -> tuple[Iterator[Any], Callable[[], tuple[str, ...]]]:
    """Return sequences without tags, some at a time, and what gives the notes when all are read.

    Files of tokens may be larger than memory.

    Raises
    ------
    DataError
        There is no such file, or it has no parts.
    """
    if is_frames(path):
        data = read_tag_data(path, word=word, part=part, tagged=False)
        cuts = range(0, len(data), _CHUNK)
        return (data.take(range(i, min(i + _CHUNK, len(data)))).rows for i in cuts), (
            lambda: data.notes
        )
    if part is not None:
        raise DataError(f"only .npz files have parts; {part!r} was asked for", path=path)
    file = open_tagged(path, word=word, tagged=False)
    rows = ([sentence.tokens for sentence in some] for some in file.chunks(_CHUNK))
    return rows, lambda: file.notes


def _refuse_columns(path: str | os.PathLike[str], *names: str | None) -> None:
    for name in names:
        if name is not None:
            raise DataError(f".npz files have no columns; {name!r} was asked for", path=path)
