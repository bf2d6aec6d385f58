"""The files of a tagging job: tokens or frames with their tags, and tags written beside them."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from relembra._errors import ConfigError, DataError
from relembra._files import atomic_write
from relembra.data import Ragged, read_tagged, read_tagged_frames
from relembra.tasks._sequence import hold_out
from relembra.tasks.tag._tag_set import Tag, check_rules, find_scheme

__all__ = ["ENDINGS", "TagData", "check_tag_ending", "read_tag_data", "write_tags"]

ENDINGS = (".conll", ".jsonl", ".csv")
"""Endings of the files that `write_tags` writes."""

_NPZ = ".npz"


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
    """

    rows: Any
    tags: list[list[Tag]] | None
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def has_tokens(self) -> bool:
        """Whether sequences are tokens rather than frames."""
        return not isinstance(self.rows, Ragged)

    def take(self, indices: Any) -> TagData:
        """Return some sequences."""
        chosen = [int(i) for i in indices]
        rows = self.rows.take(chosen) if isinstance(self.rows, Ragged) else None
        tags = None if self.tags is None else [self.tags[i] for i in chosen]
        return TagData([self.rows[i] for i in chosen] if rows is None else rows, tags, self.notes)

    def split(self, share: float, seed: int) -> tuple[TagData, TagData]:
        """Return what stays and what is held out, chosen by the seed.

        Raises
        ------
        DataError
            Nothing would be held out.
        """
        kept, held = hold_out(len(self), share, seed)
        if not len(held):
            raise DataError(
                f"{len(self)} sequences are too few to hold {100 * share:.0f} % of them out; give "
                "more, or a test file"
            )
        return self.take(kept), self.take(held)


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
    if os.fspath(path).lower().endswith(_NPZ):
        frames = read_tagged_frames(path, part=part)
        if tagged and frames.tags is None:
            raise DataError("the file has no y; expected a tag for each frame", path=path)
        return TagData(frames.frames, frames.tags, frames.notes)
    if part is not None:
        raise DataError(f"only .npz files have parts; {part!r} was asked for", path=path)
    column = column.lower() if column is not None and re.search(r"conllu", str(path)) else column
    found = read_tagged(path, word=word, tag=column, tagged=tagged)
    if check and found.tags is not None:
        _check_spans(found.tags, found.lines, path)
    tags: Any = found.tags
    return TagData(found.tokens, tags, found.notes)


def _check_spans(tags: list[list[str]], lines: list[int], path: Any) -> None:
    scheme = find_scheme(sorted({tag for row in tags for tag in row}))
    broken = None if scheme is None else check_rules(tags, scheme)
    if broken is not None:
        row, step = broken
        raise DataError(
            f"token {step + 1} of the sentence that begins here has {tags[row][step]!r}, against "
            f"the rules of {scheme}; correct it, or let --repair do it",
            path=path,
            line=lines[row],
        )


def check_tag_ending(path: str | os.PathLike[str]) -> None:
    """Raise `ConfigError` unless the name ends in one of `ENDINGS`."""
    if os.path.splitext(os.fspath(path))[1].lower() not in ENDINGS:
        raise ConfigError(f"{os.fspath(path)} must end in {', '.join(ENDINGS)}")


def write_tags(
    path: str | os.PathLike[str],
    rows: Any,
    tags: Sequence[Sequence[Tag]],
    confidence: Sequence[Sequence[float]],
    *,
    force: bool = False,
) -> None:
    """Write predicted tags, in full or not at all.

    Parameters
    ----------
    path
        ``.conll`` writes a token and its tag a line; ``.jsonl`` an object a sequence, with
        ``tokens`` and ``tags``, so that both can be read again; ``.csv`` a row a step, with the
        probability of the tag.
    rows
        Lists of tokens, or frames.
    tags, confidence
        For each sequence the tags and their probabilities.
    force
        Replace an existing file.

    Raises
    ------
    ConfigError
        The name has another ending.
    OutputExistsError
        The file exists and `force` is not given.
    """
    check_tag_ending(path)
    ending = os.path.splitext(os.fspath(path))[1].lower()
    writers: dict[str, Callable[..., None]] = {
        ".conll": _conll, ".jsonl": _json_lines, ".csv": _csv
    }  # fmt: skip
    tokens = None if isinstance(rows, Ragged) else rows

    def write(file: BinaryIO) -> None:
        text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
        writers[ending](text, tokens, tags, confidence)
        text.detach()

    atomic_write(path, write, force=force)


def _conll(text: Any, tokens: Any, tags: Any, confidence: Any) -> None:
    for i, row in enumerate(tags):
        words = range(1, len(row) + 1) if tokens is None else tokens[i]
        text.writelines(f"{word}\t{tag}\n" for word, tag in zip(words, row, strict=True))
        text.write("\n")


def _json_lines(text: Any, tokens: Any, tags: Any, confidence: Any) -> None:
    for i, row in enumerate(tags):
        words = {} if tokens is None else {"tokens": list(tokens[i])}
        text.write(json.dumps(words | {"tags": list(row)}, ensure_ascii=False) + "\n")


def _csv(text: Any, tokens: Any, tags: Any, confidence: Any) -> None:
    writer = csv.writer(text, lineterminator="\n")
    words = [] if tokens is None else ["token"]
    writer.writerow(["sequence", "step", *words, "tag", "probability"])
    for i, row in enumerate(tags):
        for t, tag in enumerate(row):
            own = [] if tokens is None else [tokens[i][t]]
            writer.writerow([i + 1, t + 1, *own, tag, f"{confidence[i][t]:.6g}"])
