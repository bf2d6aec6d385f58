"""Delimited text as a source: separator, header and decimal mark found, read block by block."""

from __future__ import annotations

import contextlib
import csv
import io
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

import numpy as np

from relembra._errors import DataError
from relembra.data._lines import check_text, open_bytes, record_lines, scan_records
from relembra.data._numbers import MISSING, looks_numeric, to_numbers, uses_decimal_comma
from relembra.data._source import Rows, unite_chunks
from relembra.data._times import looks_like_time
from relembra.data._types import CellError, Floats

__all__ = ["CsvSource", "kind_of_cells", "open_csv"]

_SAMPLE_RECORDS = 2000
_SAMPLE_BYTES = 1 << 20
_BLOCK = 4 << 20
_SEPARATOR_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


@dataclass(frozen=True)
class CsvSource:
    """A delimited text file whose layout is known."""

    path: str
    columns: list[str]
    kinds: dict[str, str]
    notes: list[str]
    separator: str
    comma: bool
    skipped: int  # physical lines before the first record of data
    header: bool
    quoted: bool = True  # False: a quote is a letter like any other

    def place(self, row: int) -> str:
        """Name the line of a row."""
        return f"line {record_lines(self, row)}"

    def error(self, message: str, row: int | None = None, column: str | None = None) -> DataError:
        """Make the error that names file, line and column."""
        line = None if row is None else record_lines(self, row)
        return DataError(message, path=self.path, line=line, column=column)

    def read(self, times: Sequence[str], keys: Sequence[str], numbers: Sequence[str]) -> Rows:
        """Read the named columns in blocks, so that their text is never in memory whole."""
        named = [*times, *keys]
        codes: dict[str, list[Any]] = {name: [] for name in named}
        floats: dict[str, list[Floats]] = {name: [] for name in numbers}
        count = 0
        for batch in self._batches(named, numbers):
            for name in named:
                codes[name].append(batch.column(name))
            for name in numbers:
                floats[name].append(self._numbers(batch.column(name), count, name))
            count += batch.num_rows
        return Rows(
            count,
            {n: unite_chunks(codes[n], n not in times) for n in named},
            {name: np.concatenate(floats.pop(name) or [np.empty(0)]) for name in numbers},
        )

    def texts(self, columns: Sequence[str]) -> Iterator[Any]:
        """Yield the named columns as text, in record batches; the whole is never in memory."""
        yield from self._batches([], columns)

    def _numbers(self, cells: Any, before: int, name: str) -> Floats:
        try:
            return to_numbers(cells, self.comma)
        except CellError as bad:
            raise self.error(bad.message, before + bad.index, name) from None

    def _batches(self, keys: Sequence[str], numbers: Sequence[str]) -> Iterator[Any]:
        import pyarrow as pa
        import pyarrow.csv as pc

        types = {name: pa.string() for name in numbers}
        types |= {name: pa.dictionary(pa.int32(), pa.string()) for name in keys}
        used = list(dict.fromkeys([*keys, *numbers]))
        try:
            with (
                _stream(self.path) as stream,
                pc.open_csv(
                    stream,
                    pc.ReadOptions(
                        use_threads=False,
                        block_size=_BLOCK,
                        skip_rows=self.skipped,
                        column_names=self.columns,
                    ),
                    pc.ParseOptions(
                        delimiter=self.separator,
                        quote_char='"' if self.quoted else False,
                        newlines_in_values=self.quoted,
                    ),
                    pc.ConvertOptions(
                        column_types=types, include_columns=used, strings_can_be_null=False
                    ),
                ) as reader,
            ):
                try:
                    yield from reader
                finally:
                    if isinstance(stream, _Feed):
                        stream.ended = True
                        with contextlib.suppress(pa.ArrowInvalid, EOFError, OSError):
                            for _ in reader:
                                pass
        except (pa.ArrowInvalid, EOFError, OSError) as error:
            check_text(self.path)
            self._check_widths()
            raise self.error(f"the file cannot be read: {error}") from None

    def _check_widths(self) -> None:
        wanted = len(self.columns)
        for line, record in scan_records(self.path, self.separator, self.quoted):
            if len(record) != wanted:
                raise DataError(
                    f"this line has {len(record)} cells where {wanted} were expected; quote "
                    f"cells that contain {self.separator!r}, or complete the line",
                    path=self.path,
                    line=line,
                )


@contextlib.contextmanager
def _stream(path: str) -> Iterator[Any]:
    """Open a file for Arrow, whose own thread reads ahead.

    That thread must not want the interpreter when Python ends, or the process is aborted: plain
    files are read without Python, and packed ones are at their end before they are closed.
    """
    import pyarrow as pa

    with open_bytes(path) as raw:
        if not isinstance(raw, io.BufferedReader):
            yield _Feed(raw)
            return
    with pa.OSFile(path) as file:
        yield file


class _Feed(io.RawIOBase):
    """A file that can be made to end early."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw, self.ended = raw, False

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return b"" if self.ended else self._raw.read(size)


def _separator(lines: list[str]) -> str:
    """Return the separator that cuts every line of the sample into equally many columns."""
    best = ","
    for separator in ("\t", ";", "|", ","):
        try:
            widths = Counter(len(r) for r in csv.reader(lines, delimiter=separator) if r)
        except csv.Error:  # a cell is too long; reading the records names its line
            continue
        if not widths:
            continue
        width, count = widths.most_common(1)[0]
        if width > 1 and count >= 0.8 * sum(widths.values()):
            best = separator
            break
    return best


def kind_of_cells(cells: list[str], comma: bool) -> str:
    """Tell what a sample of one column holds: number, integer, time, text, or empty."""
    words = [c.strip() for c in cells]
    words = [w for w in words if w.lower() not in MISSING]
    if not words:
        return "empty"
    numbers = sum(looks_numeric(w, comma) for w in words)
    times = sum(looks_like_time(w) for w in words[:50])
    if 2 * times > len(words[:50]):
        return "time"
    if 2 * numbers > len(words) or all(w.lower() in ("true", "false") for w in words):
        return "integer" if all(w.lstrip("+-").isdigit() for w in words) else "number"
    return "text"


def _has_header(first: list[str], rest: list[list[str]], kinds: list[str], comma: bool) -> bool:
    """Tell whether the first record names the columns: it does unless it reads like the rest."""
    if any(
        first[i] in (r[i] for r in rest if i < len(r)) for i, k in enumerate(kinds) if k == "text"
    ):
        return False  # what comes again in its column is no name
    for cell, kind in zip(first, kinds, strict=False):
        own = kind_of_cells([cell], comma)
        if kind in ("number", "integer", "time") and own == "text":
            return True
    return not any(
        kind_of_cells([cell], comma) in ("number", "integer", "time")
        and kind in ("number", "integer", "time")
        for cell, kind in zip(first, kinds, strict=False)
    )


def _names(first: list[str], path: str, line: int) -> list[str]:
    names = [cell.strip() or f"column_{i + 1}" for i, cell in enumerate(first)]
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        raise DataError(
            "the header names this column twice; give each column its own name",
            path=path,
            line=line,
            column=twice[0],
        )
    return names


def _sample(path: str) -> list[str]:
    with open_bytes(path) as raw:
        head = raw.read(_SAMPLE_BYTES)
    text = head.decode("utf-8-sig", errors="replace")
    whole = len(head) < _SAMPLE_BYTES
    lines = text.splitlines(keepends=True)
    return lines if whole or len(lines) == 1 else lines[:-1]


def open_csv(
    path: str | os.PathLike[str], *, quoted: bool = True, separator: str | None = None
) -> CsvSource:
    """Look at a delimited text file and find out how it is laid out.

    Parameters
    ----------
    path
        The file.
    quoted
        Whether quotes enclose cells; else a quote is a letter like any other.
    separator
        The separator; found out when None.

    Raises
    ------
    DataError
        The file is empty, has no rows, is not UTF-8 text, or names a column twice.
    """
    name = os.fspath(path)
    check_text(name, limit=_SAMPLE_BYTES)
    separator = separator or _separator(_sample(name)[:200])
    records: list[tuple[int, list[str]]] = []
    for record in scan_records(name, separator, quoted):
        records.append(record)
        if len(records) > _SAMPLE_RECORDS:
            break
    if not records:
        raise DataError("the file is empty; expected a header and rows", path=name)
    return replace(_layout(name, separator, records), quoted=quoted)


def _layout(path: str, separator: str, records: list[tuple[int, list[str]]]) -> CsvSource:
    line, first = records[0]
    rest = [r for _, r in records[1:]] or [first]
    comma = uses_decimal_comma((c for r in rest for c in r), separator)
    kinds = [kind_of_cells([r[i] for r in rest if i < len(r)], comma) for i in range(len(first))]
    header = (
        _has_header(first, rest, kinds, comma) if len(records) > 1 else _kind_header(first, comma)
    )
    if header and len(records) == 1:
        raise DataError("the file has a header and no rows", path=path, line=line)
    names = _names(first, path, line) if header else [f"column_{i + 1}" for i in range(len(first))]
    notes = [f"no header: the columns are called {', '.join(names[:3])}..."] if not header else []
    if separator != ",":
        notes.append(f"columns separated by {_SEPARATOR_NAMES[separator]}")
    if comma:
        notes.append("decimal commas: 1,5 is one and a half")
    if any("," in c and not comma and looks_numeric(c, comma) for r in rest for c in r):
        notes.append("commas in numbers group thousands: 1,234 is 1234")
    skipped = (records[1][0] if header else line) - 1
    return CsvSource(
        path, names, dict(zip(names, kinds, strict=True)), notes, separator, comma, skipped,
        header,
    )  # fmt: skip


def _kind_header(first: list[str], comma: bool) -> bool:
    return all(kind_of_cells([cell], comma) in ("text", "empty") for cell in first)
