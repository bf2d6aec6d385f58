"""Predictions as a table on disk: CSV, JSON lines or Parquet, written piece by piece."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from relembra._errors import ConfigError
from relembra._files import atomic_write

__all__ = ["ENDINGS", "check_ending", "write_table"]

Piece: TypeAlias = Mapping[str, Sequence[Any]]

ENDINGS = (".csv", ".jsonl", ".parquet")
"""Endings of the files that `write_table` writes."""


def check_ending(path: str | os.PathLike[str]) -> None:
    """Raise `ConfigError` unless the name ends in one of `ENDINGS`."""
    if Path(path).suffix.lower() not in ENDINGS:
        raise ConfigError(f"{os.fspath(path)} must end in {', '.join(ENDINGS)}")


def write_table(
    path: str | os.PathLike[str], pieces: Iterable[Piece], *, force: bool = False
) -> int:
    """Write columns, in full or not at all; only one piece is held at a time.

    Parameters
    ----------
    path
        Ends in ``.csv``, ``.jsonl`` or ``.parquet``.
    pieces
        Columns by name, some rows of each; all pieces have the same names.
    force
        Replace an existing file.

    Returns
    -------
    int
        How many rows were written.

    Raises
    ------
    ConfigError
        The name has another ending.
    OutputExistsError
        The file exists and `force` is not given.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "found.csv")
    ...     rows = write_table(path, [{"row": [1], "label": ["a"]}, {"row": [2], "label": ["b"]}])
    ...     print(rows, path.read_text().split())
    2 ['row,label', '1,a', '2,b']
    """
    check_ending(path)
    write = {".csv": _csv, ".jsonl": _json_lines, ".parquet": _parquet}[Path(path).suffix.lower()]
    counted = _Counted(pieces)
    atomic_write(path, lambda file: write(file, counted), force=force)
    return counted.rows


class _Counted:
    def __init__(self, pieces: Iterable[Piece]) -> None:
        self._pieces = pieces
        self.rows = 0

    def __iter__(self) -> Iterator[Piece]:
        for piece in self._pieces:
            self.rows += len(next(iter(piece.values()), ()))
            yield piece


def _csv(file: BinaryIO, pieces: Iterable[Piece]) -> None:
    text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    for number, piece in enumerate(pieces):
        if not number:
            writer.writerow(piece)
        writer.writerows(zip(*piece.values(), strict=True))
    text.detach()


def _json_lines(file: BinaryIO, pieces: Iterable[Piece]) -> None:
    for piece in pieces:
        for row in zip(*piece.values(), strict=True):
            line = json.dumps(dict(zip(piece, row, strict=True)), ensure_ascii=False)
            file.write(line.encode() + b"\n")


def _parquet(file: BinaryIO, pieces: Iterable[Piece]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer = None
    for piece in pieces:
        table = pa.table({name: list(values) for name, values in piece.items()})
        if writer is None:
            writer = pq.ParquetWriter(file, table.schema)
        writer.write_table(table.cast(writer.schema))
    if writer is None:
        writer = pq.ParquetWriter(file, pa.schema([]))
    writer.close()
