"""Predicted tags on disk, written piece by piece: tables, and the files that people tag in."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from relembra._errors import ConfigError
from relembra._files import atomic_write
from relembra.data import Ragged, conllu_field, conllu_lines, is_conllu
from relembra.tasks._sequence import write_table
from relembra.tasks.tag._tag_set import Tag

__all__ = ["TAG_ENDINGS", "TagPiece", "check_tag_ending", "write_tags"]

TAG_ENDINGS = (".csv", ".jsonl", ".parquet", ".conll", ".conllu")
"""Endings of the files that `write_tags` writes."""


class TagPiece(NamedTuple):
    """Some sequences and what was predicted for them.

    Attributes
    ----------
    rows
        Lists of tokens, or frames as a `Ragged`.
    tags, confidence
        For each sequence its tags, and their probabilities.
    """

    rows: Any
    tags: list[list[Tag]]
    confidence: list[list[float]]


def check_tag_ending(
    path: str | os.PathLike[str], source: str | os.PathLike[str] | None = None
) -> None:
    """Raise `ConfigError` unless the name ends in one of `TAG_ENDINGS`, and fits the source."""
    ending = Path(path).suffix.lower()
    if ending not in TAG_ENDINGS:
        raise ConfigError(f"{os.fspath(path)} must end in {', '.join(TAG_ENDINGS)}")
    if ending == ".conllu" and (source is None or not is_conllu(source)):
        raise ConfigError(
            f"{os.fspath(path)}: CoNLL-U is filled in, so the data must be CoNLL-U as well; take "
            ".conll, which needs no more than tokens"
        )


def write_tags(
    path: str | os.PathLike[str],
    pieces: Iterable[TagPiece],
    *,
    source: str | os.PathLike[str] | None = None,
    column: str = "upos",
    force: bool = False,
) -> None:
    """Write predicted tags, in full or not at all; only one piece is held at a time.

    Parameters
    ----------
    path
        ``.csv`` and ``.parquet`` have a row a step, with the probability of the tag; ``.jsonl`` an
        object a sequence, with ``tokens`` and ``tags``; ``.conll`` a token and its tag a line;
        ``.conllu`` the lines of the source with one column filled in. The last three can be read
        again.
    pieces
        Sequences and what was predicted.
    source, column
        For ``.conllu``, the file that the sequences come from, and its column.
    force
        Replace an existing file.

    Raises
    ------
    ConfigError
        The name has another ending, or the source is not CoNLL-U.
    DataError
        CoNLL-U has no such column.
    OutputExistsError
        The file exists and `force` is not given.
    """
    check_tag_ending(path, source)
    ending = Path(path).suffix.lower()
    if ending == ".jsonl":
        write_table(path, map(_sequences, pieces), force=force)
    elif ending in (".csv", ".parquet"):
        write_table(path, _steps(pieces), force=force)
    else:
        lines = _conll(pieces) if ending == ".conll" else _filled(str(source), column, pieces)

        def write(file: BinaryIO) -> None:
            file.writelines(line.encode() for line in lines)

        atomic_write(path, write, force=force)


def _sequences(piece: TagPiece) -> dict[str, Any]:
    words = {} if isinstance(piece.rows, Ragged) else {"tokens": [list(r) for r in piece.rows]}
    return words | {"tags": piece.tags}


def _steps(pieces: Iterable[TagPiece]) -> Iterator[dict[str, Any]]:
    before = 0
    for piece in pieces:
        places = [
            (before + i + 1, t + 1) for i, row in enumerate(piece.tags) for t in range(len(row))
        ]
        table: dict[str, Any] = {
            "sequence": [sequence for sequence, _ in places],
            "step": [step for _, step in places],
        }
        if not isinstance(piece.rows, Ragged):
            table["token"] = [token for row in piece.rows for token in row]
        table["tag"] = [tag for row in piece.tags for tag in row]
        table["probability"] = [float(f"{p:.6g}") for row in piece.confidence for p in row]
        before += len(piece.tags)
        yield table


def _conll(pieces: Iterable[TagPiece]) -> Iterator[str]:
    for piece in pieces:
        for i, row in enumerate(piece.tags):
            words = range(1, len(row) + 1) if isinstance(piece.rows, Ragged) else piece.rows[i]
            yield from (f"{word}\t{tag}\n" for word, tag in zip(words, row, strict=True))
            yield "\n"


def _filled(source: str, column: str, pieces: Iterable[TagPiece]) -> Iterator[str]:
    """Yield the lines of a CoNLL-U file with a tag for each word."""
    place = conllu_field(source, column)
    tags = (str(tag) for piece in pieces for row in piece.tags for tag in row)
    for _, kind, cells in conllu_lines(source):
        if kind == "word":
            cells[place] = next(tags)
        yield "\t".join(cells) + "\n"
