"""Tokens with a tag each: CoNLL columns, CoNLL-U, JSON lines."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from relembra._errors import DataError
from relembra.data._json_lines import is_json_lines, json_objects
from relembra.data._lines import text_lines

__all__ = ["TaggedTokens", "read_tagged"]

_FIELDS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
_ID = re.compile(r"([1-9]\d*)|([1-9]\d*-[1-9]\d*)|(\d+\.[1-9]\d*)")
_LEFT_OUT = {
    "range": "{n:,} multiword tokens (such as 3-4) are left out: their words are there",
    "empty": "{n:,} empty nodes (such as 8.1) are left out: no text stands for them",
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


class _Sentences:
    """Sentences in the making."""

    def __init__(self, tagged: bool) -> None:
        self.tokens: list[list[str]] = []
        self.tags: list[list[str]] = []
        self.lines: list[int] = []
        self.left_out: Counter[str] = Counter()
        self._tagged, self._open = tagged, False

    def add(self, line: int, token: str, tag: str) -> None:
        if not self._open:
            self.start(line)
        self.tokens[-1].append(token)
        self.tags[-1].append(tag)

    def start(self, line: int) -> None:
        self.tokens.append([])
        self.tags.append([])
        self.lines.append(line)
        self._open = True

    def end(self) -> None:
        self._open = False

    def result(self, path: str) -> TaggedTokens:
        if not self.tokens:
            raise DataError("the file has no sentences; expected a token a line", path=path)
        notes = [_LEFT_OUT[name].format(n=n) for name, n in self.left_out.items()]
        tags = self.tags if self._tagged else None
        return TaggedTokens(self.tokens, tags, self.lines, tuple(notes))


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
    name = os.fspath(path)
    if not os.path.isfile(name):
        raise DataError("there is no such file", path=name)
    sentences = _Sentences(tagged)
    plain = re.sub(r"\.(gz|bz2|xz)$", "", name.lower())
    if is_json_lines(name):
        _read_json(name, sentences, str(word or "tokens"), str(tag or "tags"), tagged)
    elif plain.endswith(".conllu"):
        _read_conllu(name, sentences, word or "form", (tag or "upos") if tagged else None)
    else:
        wanted = _column(name, -1 if tag is None else tag) if tagged else None
        _read_conll(name, sentences, _column(name, 0 if word is None else word), wanted)
    return sentences.result(name)


def _column(path: str, given: int | str) -> int:
    try:
        return int(given)
    except ValueError:
        raise DataError(
            f"{given!r} is no column; CoNLL columns are numbers: 0 is the first, -1 the last",
            path=path,
        ) from None


def _read_conll(path: str, sentences: _Sentences, word: int, tag: int | None) -> None:
    width = 0
    for number, line in text_lines(path):
        cells = line.split("\t") if "\t" in line else line.split()
        if not line.strip():
            sentences.end()
        elif cells[0] == "-DOCSTART-":
            sentences.end()
            sentences.left_out["document"] += 1
        else:
            width = width or _checked_width(path, number, len(cells), word, tag)
            if len(cells) != width:
                raise DataError(
                    f"this line has {len(cells)} columns where {width} were expected; a blank "
                    "line ends a sentence",
                    path=path,
                    line=number,
                )
            _add(path, sentences, number, cells[word], "" if tag is None else cells[tag], tag)


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


def _add(path: str, sentences: _Sentences, line: int, token: str, tag: str, wanted: object) -> None:
    for text, what in ((token, "token"), (tag, "tag")):
        if not text.strip() and (what == "token" or wanted is not None):
            raise DataError(f"the {what} is empty; complete the line", path=path, line=line)
    sentences.add(line, token, tag)


def _read_conllu(path: str, sentences: _Sentences, word: int | str, tag: int | str | None) -> None:
    columns = [_field(path, word), *([] if tag is None else [_field(path, tag)])]
    expected = 1
    for number, line in text_lines(path):
        if not line.strip():
            sentences.end()
            expected = 1
        elif not line.startswith("#"):
            cells = line.split("\t")
            kind = _line_kind(path, number, cells, expected)
            if kind != "word":
                sentences.left_out[kind] += 1
                continue
            expected += 1
            token, *tags = (cells[column] for column in columns)
            if tags == ["_"]:
                raise DataError(
                    f"the column {tag!r} is empty (_); choose another, or complete the file",
                    path=path,
                    line=number,
                )
            _add(path, sentences, number, token, "".join(tags), tag)


def _field(path: str, name: int | str) -> int:
    if name not in _FIELDS:
        raise DataError(
            f"CoNLL-U has no column {name!r}; expected one of {', '.join(_FIELDS)}", path=path
        )
    return _FIELDS.index(str(name))


def _line_kind(path: str, line: int, cells: list[str], expected: int) -> str:
    """Tell a word from what is none, and check that words are numbered 1, 2, 3, ..."""
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


def _read_json(path: str, sentences: _Sentences, word: str, tag: str, tagged: bool) -> None:
    for number, found in json_objects(path):
        fail = _json_failer(path, number)
        tokens = _strings(found, word, fail)
        tags = _strings(found, tag, fail) if tagged else [""] * len(tokens)
        if len(tokens) != len(tags):
            raise fail(f"there are {len(tokens)} tokens and {len(tags)} tags; expected as many")
        sentences.start(number)
        sentences.tokens[-1] += tokens
        sentences.tags[-1] += tags


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
