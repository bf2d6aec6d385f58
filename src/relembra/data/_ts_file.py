"""The .ts format of the UEA and UCR archive."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from relembra._errors import DataError
from relembra.data._lines import text_lines
from relembra.data._ragged import Ragged
from relembra.data._types import Floats32

__all__ = ["read_ts"]


@dataclass
class _Head:
    """What the lines before ``@data`` say."""

    path: str
    labelled: bool = False
    classes: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)

    def error(self, line: int, message: str) -> DataError:
        return DataError(message, path=self.path, line=line)


def read_ts(path: str) -> tuple[Ragged, list[str] | None, tuple[str, ...]]:
    """Return rows ``(T_i, K)`` float32, their labels if there are any, and notes.

    Raises
    ------
    DataError
        The file cannot be read, or a line does not fit; it is named.
    """
    head, begun = _Head(path), False
    rows: list[Floats32] = []
    labels: list[str] = []
    for number, line in text_lines(path):
        text = line.strip()
        if not text or text[0] in "#%":
            continue
        if not begun:
            begun = _read_head(head, number, text)
            continue
        frames, label = _read_case(head, number, text)
        if rows and frames.shape[1] != rows[0].shape[1]:
            raise head.error(
                number, f"there are {frames.shape[1]} channels; {rows[0].shape[1]} came before"
            )
        rows.append(frames)
        labels.append(label)
    if not rows:
        what = "no sequences behind @data" if begun else "no line @data"
        raise DataError(f"the file has {what}; expected sequences there", path=path)
    return Ragged.of(rows, np.float32), labels if head.labelled else None, tuple(head.notes)


def _read_head(head: _Head, line: int, text: str) -> bool:
    """Take in a line before the data; return whether the data begins behind it."""
    words = text.split()
    key, value = words[0].lower(), words[1].lower() if len(words) > 1 else ""
    if not key.startswith("@"):
        raise head.error(line, f"{text:.40} comes before @data; expected a line that begins with @")
    if key == "@timestamps" and value == "true":
        raise head.error(line, "values with time stamps are not read; resample them to even steps")
    if key in ("@classlabel", "@targetlabel"):
        if value not in ("true", "false"):
            raise head.error(line, f"{key} is {value!r}; expected true or false")
        head.labelled = value == "true"
        head.classes = tuple(words[2:]) if key == "@classlabel" else ()
        if key == "@targetlabel" and head.labelled:
            head.notes.append("the labels are numbers: the set is meant for regression")
    return key == "@data"


def _read_case(head: _Head, line: int, text: str) -> tuple[Floats32, str]:
    *channels, label = text.split(":") if head.labelled else [*text.split(":"), ""]
    label = label.strip()
    if not channels:
        raise head.error(line, "the line has no ':'; expected channels and a label, parted by ':'")
    if head.classes and label not in head.classes:
        raise head.error(
            line, f"the label {label!r} is none of those named: {', '.join(head.classes[:20])}"
        )
    values = [_numbers(head, line, number, text) for number, text in enumerate(channels, 1)]
    lengths = [len(channel) for channel in values]
    if len(set(lengths)) > 1:
        raise head.error(
            line,
            f"the channels have {', '.join(map(str, lengths))} steps; expected equally many: fill "
            "the shorter ones up with ?",
        )
    return np.stack(values, axis=1), label


def _numbers(head: _Head, line: int, channel: int, text: str) -> Floats32:
    cells = [cell.strip() for cell in text.split(",")] if text.strip() else []
    try:
        values = np.array([np.nan if cell == "?" else float(cell) for cell in cells])
    except ValueError as error:
        what = "" if "(" not in text else "; values with time stamps are not read"
        raise head.error(line, f"channel {channel}: {error}{what}") from None
    if np.isinf(values).any() or (np.abs(values) > np.finfo(np.float32).max).any():
        raise head.error(line, f"channel {channel}: a value is infinite, or too large for float32")
    return values.astype(np.float32)
