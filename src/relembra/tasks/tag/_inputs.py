"""What users give a tagger: sequences, and a tag for each step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from relembra._errors import ConfigError, DataError
from relembra.data import Feature, Frames, Ragged, WordCharacters, Words
from relembra.tasks.tag._tag_set import Tag

__all__ = ["FEATURES", "Segments", "checked_segments", "fit_feature", "rows_of", "tags_of"]

FEATURES = ("auto", "words+characters", "words", "frames")

Segments = Sequence[Sequence[tuple[int, int]]]
"""For each sequence its known segments, from a step up to but without another."""


def rows_of(X: Any) -> Any:  # noqa: N803  scikit-learn's name
    """Return sequences as a feature takes them: lists of tokens, or frames.

    Raises
    ------
    DataError
        X is one text, or holds texts that are not cut into tokens, or is no sequence at all.
    """
    if isinstance(X, Ragged) or (isinstance(X, np.ndarray) and X.dtype.kind != "O"):
        return X
    if isinstance(X, str) or not isinstance(X, Iterable):
        raise DataError(f"X is a {type(X).__name__}; expected a list of sequences")
    rows = [row.tolist() if _has_texts(row) else row for row in X]
    for number, row in enumerate(rows, 1):
        if isinstance(row, str):
            raise DataError(
                f"row {number} of X is the text {row!r:.40}; expected a list of its tokens, "
                "as in ['a', 'dog', 'barks']"
            )
    return rows


def _has_texts(row: Any) -> bool:
    return isinstance(row, np.ndarray) and row.dtype.kind in "UO"


def fit_feature(features: str | Feature, rows: Any) -> Feature:
    """Return a feature for these rows.

    Raises
    ------
    ConfigError
        The name is unknown.
    """
    if not isinstance(features, str):
        return features
    if features not in FEATURES:
        raise ConfigError(f"unknown features {features!r}; known: {', '.join(FEATURES)}")
    if features == "auto":
        features = "words+characters" if _are_tokens(rows) else "frames"
    if features == "frames":
        return Frames.fit(rows)
    if not _are_tokens(rows):
        raise DataError(f"features={features!r} needs lists of tokens; X holds numbers")
    return Words.fit(rows) if features == "words" else WordCharacters.fit(rows)


def _are_tokens(rows: Any) -> bool:
    if not isinstance(rows, list):
        return False
    first = next((row for row in rows if len(row)), None)
    if first is None:
        raise DataError("X has no step; expected at least one sequence that is not empty")
    return isinstance(first, (list, tuple)) and isinstance(first[0], str)


def tags_of(
    y: Any,
    lengths: np.ndarray[Any, np.dtype[np.int64]],
    segments: Segments | None = None,
) -> list[list[Tag | None]]:
    """Return a tag for each step of each sequence; None outside of all segments.

    Parameters
    ----------
    y
        For each sequence a tag for each step; or, with segments, for each segment.
    lengths
        (n,) steps of each sequence.
    segments
        Known segments.

    Raises
    ------
    DataError
        y does not fit.
    """
    rows = [_plain(row, number) for number, row in enumerate(_each(y), 1)]
    if len(rows) != len(lengths):
        raise DataError(f"y has {len(rows)} rows; expected {len(lengths)}, as many as X")
    if segments is None:
        for number, (row, steps) in enumerate(zip(rows, lengths.tolist(), strict=True), 1):
            if len(row) != steps:
                raise DataError(f"row {number} has {steps} steps in X and {len(row)} tags in y")
        return rows
    spread: list[list[Tag | None]] = []
    found = checked_segments(segments, lengths)
    for number, (row, parts, steps) in enumerate(
        zip(rows, found, lengths.tolist(), strict=True), 1
    ):
        if len(row) != len(parts):
            raise DataError(f"row {number} has {len(parts)} segments and {len(row)} tags in y")
        tags: list[Tag | None] = [None] * steps
        for tag, (begin, end) in zip(row, parts, strict=True):
            tags[begin:end] = [tag] * (end - begin)
        spread.append(tags)
    return spread


def _each(y: Any) -> Iterable[Any]:
    if isinstance(y, Ragged):
        return [y[i] for i in range(len(y))]
    if isinstance(y, str) or not isinstance(y, Iterable):
        raise DataError(f"y is a {type(y).__name__}; expected a list of lists of tags")
    return y


def _plain(row: Any, number: int) -> list[Any]:
    """Return tags as Python's own texts and numbers."""
    if isinstance(row, str) or not isinstance(row, Iterable):
        raise DataError(f"row {number} of y is {row!r:.40}; expected a list of tags")
    values = row.tolist() if isinstance(row, np.ndarray) else list(row)
    values = [v.item() if isinstance(v, np.generic) else v for v in values]
    for step, tag in enumerate(values, 1):
        if isinstance(tag, bool) or not isinstance(tag, (str, int)):
            raise DataError(
                f"row {number} of y has {tag!r:.40} at step {step}; expected a text or a whole "
                "number"
            )
    return values


def checked_segments(
    segments: Segments, lengths: np.ndarray[Any, np.dtype[np.int64]]
) -> list[list[tuple[int, int]]]:
    """Return segments, as pairs of whole numbers.

    Raises
    ------
    DataError
        They are not as many rows as there are sequences, empty, out of order or out of bounds.
    """
    if len(segments) != len(lengths):
        raise DataError(f"segments has {len(segments)} rows; expected {len(lengths)}, as X")
    checked = []
    for number, (row, steps) in enumerate(zip(segments, lengths.tolist(), strict=True), 1):
        last, pairs = 0, []
        for begin, end in row:
            if not last <= begin < end <= steps:
                raise DataError(
                    f"row {number} has a segment from {begin} to {end}; expected segments in "
                    f"order that do not overlap, within its {steps} steps"
                )
            last = int(end)
            pairs.append((int(begin), last))
        checked.append(pairs)
    return checked
