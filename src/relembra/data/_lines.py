"""Lines of text files: where a record stands, and which line is not UTF-8."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import os
import shlex
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO, Protocol, cast

from relembra._errors import DataError

__all__ = ["check_text", "open_bytes", "record_lines", "scan_records", "text_lines"]

_MAGIC = {
    b"PK\x03\x04": "a zip archive or a spreadsheet; unpack it, or save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet; save the sheet as CSV",
    b"PAR1": "a Parquet file; name it .parquet",
    b"\x1f\x8b": "gzip; name it .csv.gz",
    b"\xff\xfe": "UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "UTF-16 text; save it as UTF-8",
}
_PACKED = (".gz", ".bz2", ".xz")
_START = 1024  # bytes that tell binary files from text


class Layout(Protocol):
    """What is needed to find a record again."""

    @property
    def path(self) -> str: ...
    @property
    def separator(self) -> str: ...
    @property
    def header(self) -> bool: ...
    @property
    def quoted(self) -> bool: ...


def open_bytes(path: str) -> BinaryIO:
    """Open a file for reading, unpacking ``.gz``, ``.bz2`` and ``.xz``."""
    if path.endswith(".gz"):
        return cast(BinaryIO, gzip.open(path, "rb"))
    if path.endswith(".bz2"):
        return cast(BinaryIO, bz2.open(path, "rb"))
    if path.endswith(".xz"):
        return cast(BinaryIO, lzma.open(path, "rb"))
    return open(path, "rb")


def _bad_line(path: str, limit: int | None) -> tuple[int, int, bytes] | None:
    """Return line, position in the line, and bytes of the first text that is not UTF-8."""
    seen = 0
    with open_bytes(path) as raw:
        for number, line in enumerate(raw, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return number, error.start + 1, line[error.start : error.start + 1]
            if b"\x00" in line:
                return number, line.index(b"\x00") + 1, b"\x00"
            seen += len(line)
            if limit is not None and seen >= limit:
                return None
    return None


def check_text(path: str, limit: int | None = None) -> None:
    """Refuse what is not UTF-8 text.

    Parameters
    ----------
    path
        The file.
    limit
        Look at about so many bytes; None looks at all of them.

    Raises
    ------
    DataError
        The file cannot be opened, is of another kind, or a line is not UTF-8.
    """
    try:
        with open_bytes(path) as raw:
            start = raw.read(_START)
        bad = _bad_line(path, limit)
    except (OSError, EOFError, lzma.LZMAError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DataError(f"the file cannot be read: {reason}", path=path) from None
    for magic, meaning in _MAGIC.items():
        if start.startswith(magic):
            raise DataError(f"this is {meaning}", path=path)
    if bad is not None:
        line, position, byte = bad
        raise DataError(
            f"byte 0x{byte.hex()} at position {position} is not UTF-8 text; "
            + _remedy(path, b"\x00" in start + byte),
            path=path,
            line=line,
        )


def _remedy(path: str, binary: bool) -> str:
    """Return what to do about a file that is not UTF-8."""
    if binary:
        return "the file is binary or damaged: expected text"
    remedy = "the file is perhaps in Latin-1 or Windows-1252: save it as UTF-8"
    if path.endswith(_PACKED):
        return remedy
    name = os.path.basename(path)
    old, new = shlex.quote(name), shlex.quote(f"utf8-{name}")
    return f"{remedy} (iconv -f WINDOWS-1252 -t UTF-8 {old} > {new})"


def text_lines(path: str) -> Iterator[tuple[int, str]]:
    """Yield the number of each line, counted from 1, and its text without the line's end.

    Raises
    ------
    DataError
        The file cannot be read, is of another kind, or a line is not UTF-8.
    """
    check_text(path, limit=1)
    try:
        with open_bytes(path) as raw:
            for number, line in enumerate(raw, 1):
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except (UnicodeDecodeError, OSError, EOFError, lzma.LZMAError):
        check_text(path)
        raise


def scan_records(path: str, separator: str, quoted: bool = True) -> Iterator[tuple[int, list[str]]]:
    """Yield the first line, counted from 1, and the cells of each record that is not blank."""
    with (
        open_bytes(path) as raw,
        io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace", newline="") as text,
    ):
        reader = csv.reader(
            text, delimiter=separator, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
        )
        before = 0
        try:
            for record in reader:
                line, before = before + 1, reader.line_num
                if record:
                    yield line, record
        except csv.Error as error:
            hint = (
                "; save long texts as JSON lines or Parquet" if "field limit" in str(error) else ""
            )
            raise DataError(f"{error}{hint}", path=path, line=before + 1) from None


def record_lines(layout: Layout, row: int) -> int | None:
    """Return the line of row ``row`` (from 0) of the data; None if there is no such row."""
    records = scan_records(layout.path, layout.separator, layout.quoted)
    skip = row + int(layout.header)
    return next((line for line, _ in islice(records, skip, None)), None)
