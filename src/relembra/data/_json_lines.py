"""JSON lines: one object a line, as a source of texts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from relembra._errors import DataError
from relembra.data._lines import text_lines

__all__ = ["JsonSource", "is_json_lines", "json_objects", "open_json_lines"]

_SAMPLE = 200
_BATCH = 10_000
_SUFFIXES = (".jsonl", ".ndjson", ".json")


@dataclass(frozen=True)
class JsonSource:
    """A file with one JSON object a line."""

    path: str
    columns: list[str]
    notes: list[str]

    def error(self, message: str, row: int | None = None, column: str | None = None) -> DataError:
        """Make the error that names file, line and key."""
        line = None
        if row is not None:
            line = next((n for n, _ in islice(json_objects(self.path), row, None)), None)
        return DataError(message, path=self.path, line=line, column=column)

    def texts(self, columns: Sequence[str]) -> Iterator[Any]:
        """Yield the values of the named keys as text, in record batches."""
        import pyarrow as pa

        objects = json_objects(self.path)
        while chunk := list(islice(objects, _BATCH)):
            cells = [[self._text(line, found, name) for line, found in chunk] for name in columns]
            yield pa.record_batch([pa.array(c, pa.string()) for c in cells], names=list(columns))

    def _text(self, line: int, found: dict[str, Any], name: str) -> str:
        if name not in found:
            raise DataError(
                "this line lacks the key; add it", path=self.path, line=line, column=name
            )
        value = found[name]
        if isinstance(value, dict | list):
            raise DataError(
                f"{json.dumps(value):.60} is no text", path=self.path, line=line, column=name
            )
        if value is None or isinstance(value, str):
            return value or ""
        return json.dumps(value)


def is_json_lines(path: str) -> bool:
    """Tell by its name whether a file holds JSON lines, packed or not."""
    for packed in (".gz", ".bz2", ".xz"):
        path = path.removesuffix(packed)
    return path.lower().endswith(_SUFFIXES)


def json_objects(path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number of each line that is not blank, counted from 1, and its object.

    Raises
    ------
    DataError
        The file cannot be read, or a line is no JSON object.
    """
    for number, line in text_lines(path):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"this line is no JSON ({error}); expected one object a line",
                path=path,
                line=number,
            ) from None
        if not isinstance(found, dict):
            raise DataError(
                f"this line is a JSON {type(found).__name__}; expected an object, as in "
                '{"text": "...", "label": "..."}',
                path=path,
                line=number,
            )
        yield number, found


def open_json_lines(path: str) -> JsonSource:
    """Look at a file of JSON lines.

    Raises
    ------
    DataError
        The file is empty, cannot be read, or does not begin with JSON objects.
    """
    keys: dict[str, None] = {}
    for _, found in islice(json_objects(path), _SAMPLE):
        keys |= dict.fromkeys(found)
    if not keys:
        raise DataError("the file is empty; expected one JSON object a line", path=path)
    return JsonSource(path, list(keys), [])
