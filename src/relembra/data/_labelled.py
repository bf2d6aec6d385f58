"""Texts and their labels from a table: which columns, and row by row."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from relembra._errors import DataError
from relembra.data._arrow import open_frame, open_parquet
from relembra.data._csv import open_csv
from relembra.data._json_lines import is_json_lines, open_json_lines
from relembra.data._label_codes import LabelCoding, Labels
from relembra.data._lines import check_text, open_bytes
from relembra.data._texts import Texts

__all__ = ["LabelledTexts", "TextTable", "open_texts", "read_texts"]

_SAMPLE = 2000
_TEXT_NAMES = (
    "text", "texto", "sentence", "frase", "review", "content", "message", "mensagem", "comment",
    "comentario", "comentário", "tweet", "document", "sequence", "question", "headline", "title",
)  # fmt: skip
_LABEL_NAMES = (
    "label", "labels", "class", "classe", "category", "categoria", "rotulo", "rótulo", "etiqueta",
    "sentiment", "sentimento", "polarity", "target", "y", "intent", "topic",
)  # fmt: skip
_QUOTED = re.compile(rb'"(?:[^"]|"")*"')


class _Table(Protocol):
    @property
    def path(self) -> str | None: ...
    @property
    def columns(self) -> list[str]: ...
    @property
    def notes(self) -> list[str]: ...
    def texts(self, columns: Sequence[str]) -> Iterator[Any]: ...
    def error(
        self, message: str, row: int | None = None, column: str | None = None
    ) -> DataError: ...


@dataclass(frozen=True)
class LabelledTexts:
    """Texts and their labels; many texts lie in a temporary file rather than in memory.

    Attributes
    ----------
    texts
        The texts, as they stand in the file.
    labels
        A label for each, or None where none were asked for.
    notes
        How the data was understood, as sentences for people.
    """

    texts: Texts
    labels: Labels | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class TextTable:
    """A table whose text column and label column are known; nothing is read yet.

    Attributes
    ----------
    path
        The file, or None for a frame.
    text, label
        The columns; ``label`` is None where no labels were asked for.
    notes
        How the table was understood, as sentences for people.
    """

    path: str | None
    text: str
    label: str | None
    notes: tuple[str, ...]
    _source: _Table

    def chunks(self) -> Iterator[tuple[list[str], list[str] | None]]:
        """Yield texts and labels some thousand rows at a time, for tables larger than memory.

        Raises
        ------
        DataError
            The table is damaged, or a label is missing; file and line are named.
        """
        columns = [self.text] if self.label is None else [self.text, self.label]
        before = 0
        for batch in self._source.texts(columns):
            texts, *labels = (batch.column(name).to_pylist() for name in columns)
            if labels and "" in labels[0]:
                row = before + labels[0].index("")
                raise self._source.error(
                    "the label is missing; complete the row, or take it out", row, self.label
                )
            before += len(texts)
            yield texts, (labels[0] if labels else None)

    def read(self) -> LabelledTexts:
        """Return all rows; of texts, those that do not fit into memory lie in a temporary file.

        Raises
        ------
        DataError
            The table is damaged, or a label is missing; file and line are named. Or there is no
            room on disk.
        """
        coding, empty = LabelCoding(), 0

        def each() -> Iterator[str]:
            nonlocal empty
            for some, labels in self.chunks():
                coding.add(labels or [])
                empty += sum(not text.strip() for text in some)
                yield from some

        texts = Texts.of(each())
        notes = [f"{empty:,} of {len(texts):,} texts are empty: kept"] if empty else []
        labels = None if self.label is None else coding.finish()
        return LabelledTexts(texts, labels, (*self.notes, *notes))


def read_texts(
    source: Any, *, text: str | None = None, label: str | None = None, labelled: bool = True
) -> LabelledTexts:
    """Read texts and labels: :func:`open_texts`, then all rows.

    Examples
    --------
    >>> import pyarrow as pa
    >>> data = read_texts(pa.table({"review": ["good film", "bad"], "stars": [5, 1]}))
    >>> list(data.texts), list(data.labels)
    (['good film', 'bad'], ['5', '1'])
    >>> data.notes
    ("text: 'review' (guessed)", "label: 'stars' (guessed)")
    """
    return open_texts(source, text=text, label=label, labelled=labelled).read()


def open_texts(
    source: Any, *, text: str | None = None, label: str | None = None, labelled: bool = True
) -> TextTable:
    r"""Find the text column and the label column of a table.

    Columns that nobody named are guessed: by usual names, else the text is the column with the
    longest texts, and the label the one with the fewest distinct values. The notes say what was
    guessed.

    Parameters
    ----------
    source
        Path of a CSV or TSV file (also ``.gz``, ``.bz2``, ``.xz``), of a Parquet file, or of JSON
        lines; a pandas or polars frame, or a pyarrow table. A file with tabs that has lone quotes
        in its texts is read line by line, and quotes are letters.
    text, label
        The columns; guessed when None.
    labelled
        Whether labels are wanted. Without, only the text column is looked at.

    Returns
    -------
    TextTable

    Raises
    ------
    DataError
        The table cannot be read, lacks a column, or leaves open which column is meant.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "films.tsv")
    ...     _ = file.write_text('pos\ta "great" film\nneg\t"dull\npos\tagain\n')
    ...     for texts, labels in open_texts(file).chunks():
    ...         print(texts, labels)
    ['a "great" film', '"dull', 'again'] ['pos', 'neg', 'pos']
    """
    table = _open(source)
    for name in (text, label):
        _check_column(table, name)
    if text is not None and text == label:
        raise table.error("this column is given as text and as label", None, text)
    sample = {name: _sample(table, name) for name in table.columns}
    notes = list(table.notes)
    if labelled and label is None:
        label = _guess_label(table, sample, text)
        notes.insert(0, f"label: {label!r} (guessed)")
    if text is None:
        text = _guess_text(table, sample, label)
        notes.insert(0, f"text: {text!r} (guessed)")
    return TextTable(table.path, text, label if labelled else None, tuple(notes), table)


def _open(source: Any) -> _Table:
    if not isinstance(source, str | os.PathLike):
        return open_frame(source)
    path = os.fspath(source)
    if os.path.isdir(path):
        raise DataError("this is a directory; give a CSV, Parquet or JSON lines file", path=path)
    if not os.path.exists(path):
        raise DataError("there is no such file", path=path)
    if Path(path).suffix.lower() in (".parquet", ".pq"):
        return open_parquet(path)
    if is_json_lines(path):
        return open_json_lines(path)
    check_text(path)
    return (
        open_csv(path, quoted=False, separator="\t") if _has_lone_quotes(path) else open_csv(path)
    )


def _has_lone_quotes(path: str) -> bool:
    """Tell whether every line has equally many tabs, and a quote opens that does not close."""
    tabs, lone = None, False
    with open_bytes(path) as raw:
        for line in raw:
            if line.isspace():
                continue
            count = line.count(b"\t")
            if not count or (tabs is not None and count != tabs):
                return False
            tabs = count
            if b'"' in line and not lone:
                cells = line.rstrip(b"\r\n").split(b"\t")
                lone = any(c.startswith(b'"') and not _QUOTED.fullmatch(c) for c in cells)
    return lone


def _check_column(table: _Table, name: str | None) -> None:
    if name is None or name in table.columns:
        return
    near = difflib.get_close_matches(name, table.columns, 1)
    what = f"did you mean {near[0]!r}?" if near else f"the columns are {_list(table.columns)}"
    raise table.error(f"there is no column {name!r}; {what}")


def _sample(table: _Table, name: str) -> list[str]:
    """Return some values of a column; none if they are no text."""
    try:
        batches = islice(table.texts([name]), 1)
        return [cell for batch in batches for cell in batch.column(0)[:_SAMPLE].to_pylist()]
    except DataError:
        return []


def _named(sample: dict[str, list[str]], names: Sequence[str], taken: str | None) -> str | None:
    small = {column.lower(): column for column in sample if column != taken}
    return next((small[name] for name in names if name in small), None)


def _guess_label(table: _Table, sample: dict[str, list[str]], text: str | None) -> str:
    found = _named(sample, _LABEL_NAMES, text)
    if found is not None:
        return found
    taken = text if text is not None else _guess_text(table, sample, None)
    kinds = {name: len(set(cells)) for name, cells in sample.items() if name != taken}
    fitting = {
        name: count for name, count in kinds.items() if 1 < count and 2 * count <= len(sample[name])
    }
    if not fitting and len(kinds) == 1:
        return next(iter(kinds))
    fewest = [name for name, count in fitting.items() if count == min(fitting.values())]
    if len(fewest) != 1:
        raise table.error(
            f"it is not clear which column is the label; name it: the columns are "
            f"{_list(table.columns)}"
        )
    return fewest[0]


def _guess_text(table: _Table, sample: dict[str, list[str]], label: str | None) -> str:
    found = _named(sample, _TEXT_NAMES, label)
    if found is not None:
        return found
    lengths = {name: sum(map(len, c)) for name, c in sample.items() if name != label and c}
    if not lengths:
        raise table.error(f"there is no column with texts; the columns are {_list(table.columns)}")
    return max(lengths, key=lambda name: lengths[name])


def _list(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names[:8]) + (" ..." if names[8:] else "")
