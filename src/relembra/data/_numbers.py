"""Text as numbers: missing marks, decimal commas, thousands separators."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, cast

import numpy as np

from relembra.data._types import CellError, Floats

__all__ = ["LARGEST", "MISSING", "check_size", "looks_numeric", "to_numbers", "uses_decimal_comma"]

MISSING = ("", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "?", "-", ".")
LARGEST = 1e30
_POINT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
_COMMA = re.compile(r"[+-]?(\d+,?\d*|,\d+)([eE][+-]?\d+)?|[+-]?\d{1,3}(\.\d{3})+(,\d+)?")
_BOOLEANS = {"true": 1.0, "false": 0.0}
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)


def looks_numeric(text: str, comma: bool) -> bool:
    """Tell whether a cell is a number, written with a decimal point or a decimal comma."""
    word = text.strip()
    return bool((_COMMA if comma else _POINT).fullmatch(word)) or bool(_INFINITE.fullmatch(word))


def uses_decimal_comma(cells: Iterable[str], separator: str) -> bool:
    """Guess from a sample of cells whether ``1,5`` means one and a half.

    Where the comma also separates columns, a quoted ``"1,234"`` is a thousand.
    """
    commas = points = 0
    for cell in cells:
        word = cell.strip()
        point, comma = bool(_POINT.fullmatch(word)), bool(_COMMA.fullmatch(word))
        if point and comma:
            grouped = "," in word and separator != ","
            commas += grouped
        else:
            commas += comma
            points += point
    return commas > points


def _plain(word: str, comma: bool) -> float:
    text = word.strip()
    if text.lower() in MISSING:
        return float("nan")
    if text.lower() in _BOOLEANS:
        return _BOOLEANS[text.lower()]
    if not looks_numeric(text, comma):
        raise ValueError(word)
    if _INFINITE.fullmatch(text):
        return float(text)
    text = text.replace(".", "").replace(",", ".") if comma else text.replace(",", "")
    return float(text)


def _slowly(cells: Any, comma: bool) -> Floats:
    encoded = cells.dictionary_encode()
    words = encoded.dictionary.to_pylist()
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    values = np.full(len(words), np.nan)
    for i, word in enumerate(words):
        try:
            values[i] = _plain(word, comma)
        except ValueError:
            row = int(np.flatnonzero(codes == i)[0])
            shown = f"{word[:40]!r}..." if len(word) > 40 else repr(word)
            quote = " (is a quote left open?)" if "\n" in word else ""
            wanted = "a number like 1,5" if comma else "a number like 1.5"
            raise CellError(
                row,
                f"{shown} is not a number{quote}; expected {wanted}, or an empty cell where the "
                "value is missing",
            ) from None
    return cast(Floats, values[codes])


def check_size(values: Floats) -> Floats:
    """Return ``values`` if none is infinite or beyond 1e30, where arithmetic would overflow."""
    with np.errstate(invalid="ignore"):
        bad = np.abs(values) > LARGEST
    if bad.any():
        row = int(np.argmax(bad))
        raise CellError(
            row,
            f"{values[row]:g} is too large (the limit is {LARGEST:g}); correct the value, or leave "
            "the cell empty if it is missing",
        )
    return values


def to_numbers(cells: Any, comma: bool = False) -> Floats:
    """Turn an Arrow array of strings without nulls into float64, NaN where missing.

    Raises
    ------
    CellError
        A cell is text, infinite, or beyond 1e30.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    text = pc.replace_substring(cells, ",", ".") if comma else cells
    try:
        # "1.234,5" has two points after the replacement, so the plain reading refuses it
        if comma and bool(pc.any(pc.match_substring(cells, ".")).as_py()):
            return check_size(_slowly(cells, comma))
        filled = pc.if_else(pc.equal(text, ""), pa.scalar("nan"), text)
        values = pc.cast(filled, pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        values = _slowly(cells, comma)
    return check_size(values)
