"""Tokens with a tag each: CoNLL columns, CoNLL-U, JSON lines."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from relembra._errors import DataError
from relembra.data._json_lines import is_json_lines, json_objects
from relembra.data._lines import text_lines

__all__ = [
    "Sentence",
    "TaggedFile",
    "TaggedTokens",
    "conllu_field",
    "conllu_lines",
    "is_conllu",
    "open_tagged",
    "read_tagged",
]

_FIELDS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
_ID = re.compile(r"([1-9]\d*)|([1-9]\d*-[1-9]\d*)|(\d+\.[1-9]\d*)")
_LEFT_OUT = {
    "range": "{n:,} multiword tokens are left out: their words are there",
    "empty": "{n:,} empty nodes are left out: no text stands for them",
    "document": "{n:,} lines -DOCSTART- are left out",
}


@dataclass(frozen=True)
class TaggedTokens:
    """Sentences as tokens, with a tag each.

    Attributes
    ----------
    tokens
        The tokens of each sentence.
    tags
        A tag for each token, or None where none were asked for.
    lines
        The line where each sentence begins, counted from 1.
    notes
        What was left out, as sentences for people.
    """

    tokens: list[list[str]]
    tags: list[list[str]] | None
    lines: list[int]
    notes: tuple[str, ...]


class Sentence(NamedTuple):
    """One sentence: the line where it begins, its tokens and a tag for each."""

    line: int
    tokens: list[str]
    tags: list[str]


@dataclass(frozen=True)
class TaggedFile:
    """A file of sentences that is read piece by piece; see :func:`open_tagged`.

    Attributes
    ----------
    path
        The file.
    """

    path: str
    _read: Callable[[Counter[str]], Iterator[Sentence]]
    _left_out: Counter[str] = field(default_factory=Counter)

    def chunks(self, sentences: int = 1024) -> Iterator[list[Sentence]]:
        """Yield so many sentences at a time, for files larger than memory.

        Raises
        ------
        DataError
            The file cannot be read, or a line does not fit; file and line are named.
        """
        self._left_out.clear()
        found, chunks = self._read(self._left_out), 0
        while some := list(islice(found, sentences)):
            chunks += 1
            yield some
        if not chunks:
            raise DataError("the file has no sentences; expected a token a line", path=self.path)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out as far as it was read, as sentences for people."""
        return tuple(_LEFT_OUT[name].format(n=n) for name, n in self._left_out.items())


def open_tagged(
    path: str | os.PathLike[str],
    *,
    word: int | str | None = None,
    tag: int | str | None = None,
    tagged: bool = True,
) -> TaggedFile:
    r"""Open sentences with a tag for each token: `read_tagged`, but nothing is read yet.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "towns.conll")
    ...     _ = file.write_text("to O\nRio B-town\n\nyes O\n")
    ...     [len(sentences) for sentences in open_tagged(file).chunks(1)]
    [1, 1]
    """
    name = os.fspath(path)
    if not os.path.isfile(name):
        raise DataError("there is no such file", path=name)
    if is_json_lines(name):
        keys = str(word or "tokens"), str(tag or "tags")
        return TaggedFile(name, lambda left_out: _read_json(name, *keys, tagged))
    if is_conllu(name):
        fields = word or "form", (tag or "upos") if tagged else None
        return TaggedFile(name, lambda left_out: _read_conllu(name, left_out, *fields))
    wanted = _column(name, -1 if tag is None else tag) if tagged else None
    columns = _column(name, 0 if word is None else word), wanted
    return TaggedFile(name, lambda left_out: _read_conll(name, left_out, *columns))


def is_conllu(path: str | os.PathLike[str]) -> bool:
    """Tell by its name whether a file is CoNLL-U, packed or not."""
    return re.search(r"\.conllu(\.(gz|bz2|xz))?$", os.fspath(path).lower()) is not None


def read_tagged(
    path: str | os.PathLike[str],
    *,
    word: int | str | None = None,
    tag: int | str | None = None,
    tagged: bool = True,
) -> TaggedTokens:
    r"""Read sentences with a tag for each token.

    Parameters
    ----------
    path
        What it holds is told by its name, behind which ``.gz``, ``.bz2`` or ``.xz`` may stand:

        - ``.conllu``: CoNLL-U, ten columns. Multiword tokens and empty nodes are left out, as
          Universal Dependencies counts words; the notes say how many.
        - ``.jsonl``, ``.ndjson``, ``.json``: a line is
          ``{"tokens": ["a", "b"], "tags": ["X", "Y"]}``.
        - anything else: CoNLL columns, a token a line, parted by tabs or else by blanks; a blank
          line ends a sentence; lines that begin with ``-DOCSTART-`` are left out.
    word, tag
        Columns. CoNLL: a number from 0, from the end if negative; the first and the last when
        None. CoNLL-U: ``"form"``, ``"lemma"``, ``"upos"``, ``"xpos"``, ``"feats"``, ``"deprel"``;
        form and upos when None. JSON: keys; ``tokens`` and ``tags`` when None.
    tagged
        Whether tags are wanted; without, the file need not have them.

    Returns
    -------
    TaggedTokens

    Raises
    ------
    DataError
        The file cannot be read, or a line does not fit; file and line are named.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "towns.conll")
    ...     _ = file.write_text("to O\nRio B-town\n\nyes O\n")
    ...     data = read_tagged(file)
    >>> data.tokens, data.tags
    ([['to', 'Rio'], ['yes']], [['O', 'B-town'], ['O']])
    """
    file = open_tagged(path, word=word, tag=tag, tagged=tagged)
    found = [sentence for some in file.chunks() for sentence in some]
    return TaggedTokens(
        [sentence.tokens for sentence in found],
        [sentence.tags for sentence in found] if tagged else None,
        [sentence.line for sentence in found],
        file.notes,
    )


def _column(path: str, given: int | str) -> int:
    try:
        return int(given)
    except ValueError:
        raise DataError(
            f"{given!r} is no column; CoNLL columns are numbers: 0 is the first, -1 the last",
            path=path,
        ) from None


def _read_conll(
    path: str, left_out: Counter[str], word: int, tag: int | None
) -> Iterator[Sentence]:
    width, made = 0, Sentence(0, [], [])
    for number, line in text_lines(path):
        cells = line.split("\t") if "\t" in line else line.split()
        if not line.strip() or cells[0] == "-DOCSTART-":
            if line.strip():
                left_out["document"] += 1
            if made.tokens:
                yield made
            made = Sentence(0, [], [])
            continue
        width = width or _checked_width(path, number, len(cells), word, tag)
        if len(cells) != width:
            raise DataError(
                f"this line has {len(cells)} columns where {width} were expected; a blank "
                "line ends a sentence",
                path=path,
                line=number,
            )
        made = _longer(path, made, number, cells[word], "" if tag is None else cells[tag], tag)
    if made.tokens:
        yield made


def _checked_width(path: str, line: int, width: int, word: int, tag: int | None) -> int:
    for wanted in (word, *([] if tag is None else [tag])):
        if not -width <= wanted < width:
            raise DataError(
                f"there is no column {wanted}: this line has {width}", path=path, line=line
            )
    if tag is not None and word % width == tag % width:
        raise DataError(
            f"this line has {width} columns, and the token and its tag would be the same one; "
            "expected a token and a tag",
            path=path,
            line=line,
        )
    return width


def _longer(path: str, made: Sentence, line: int, token: str, tag: str, wanted: object) -> Sentence:
    """Return the sentence with one more token."""
    for text, what in ((token, "token"), (tag, "tag")):
        if not text.strip() and (what == "token" or wanted is not None):
            raise DataError(f"the {what} is empty; complete the line", path=path, line=line)
    made.tokens.append(token)
    made.tags.append(tag)
    return made if made.line else made._replace(line=line)


def _read_conllu(
    path: str, left_out: Counter[str], word: int | str, tag: int | str | None
) -> Iterator[Sentence]:
    columns = [conllu_field(path, word), *([] if tag is None else [conllu_field(path, tag)])]
    made = Sentence(0, [], [])
    for number, kind, cells in conllu_lines(path):
        if kind == "end":
            if made.tokens:
                yield made
            made = Sentence(0, [], [])
        elif kind == "word":
            token, *tags = (cells[column] for column in columns)
            if tags == ["_"]:
                raise DataError(
                    f"the column {tag!r} is empty (_); choose another, or complete the file",
                    path=path,
                    line=number,
                )
            made = _longer(path, made, number, token, "".join(tags), tag)
        elif kind != "comment":
            left_out[kind] += 1
    if made.tokens:
        yield made


def conllu_lines(path: str) -> Iterator[tuple[int, str, list[str]]]:
    """Yield the number of each line, what it is, and its cells.

    It is a ``word``, a ``range`` of words, an ``empty`` node, a ``comment`` or the ``end`` of a
    sentence.

    Raises
    ------
    DataError
        A line is none of these, or words are not numbered 1, 2, 3, ...
    """
    expected = 1
    for number, line in text_lines(path):
        if not line.strip():
            expected = 1
            yield number, "end", [line]
        elif line.startswith("#"):
            yield number, "comment", [line]
        else:
            cells = line.split("\t")
            kind = _line_kind(path, number, cells, expected)
            expected += kind == "word"
            yield number, kind, cells


def conllu_field(path: str, name: int | str) -> int:
    """Return the place of a column of CoNLL-U, by its name."""
    if name not in _FIELDS:
        raise DataError(
            f"CoNLL-U has no column {name!r}; expected one of {', '.join(_FIELDS)}", path=path
        )
    return _FIELDS.index(str(name))


def _line_kind(path: str, line: int, cells: list[str], expected: int) -> str:
    """Tell a word from what is none."""
    if len(cells) != len(_FIELDS):
        raise DataError(
            f"this line has {len(cells)} columns where CoNLL-U has 10, parted by tabs",
            path=path,
            line=line,
        )
    match = _ID.fullmatch(cells[0])
    if match is None or (match[1] is not None and int(match[1]) != expected):
        raise DataError(
            f"the id is {cells[0]!r} where {expected} was expected; a blank line ends a sentence",
            path=path,
            line=line,
        )
    return "word" if match[1] else "range" if match[2] else "empty"


def _read_json(path: str, word: str, tag: str, tagged: bool) -> Iterator[Sentence]:
    for number, found in json_objects(path):
        fail = _json_failer(path, number)
        tokens = _strings(found, word, fail)
        tags = _strings(found, tag, fail) if tagged else [""] * len(tokens)
        if len(tokens) != len(tags):
            raise fail(f"there are {len(tokens)} tokens and {len(tags)} tags; expected as many")
        yield Sentence(number, tokens, tags)


def _json_failer(path: str, line: int) -> Callable[[str], DataError]:
    return lambda message: DataError(message, path=path, line=line)


def _strings(found: dict[str, object], key: str, fail: Callable[[str], DataError]) -> list[str]:
    values = found.get(key)
    if not isinstance(values, list) or not all(isinstance(v, str) and v for v in values):
        raise fail(
            f"{key!r} is {values!r:.60}; expected a list of texts, as in "
            '{"tokens": ["a", "b"], "tags": ["X", "Y"]}'
        )
    return values
