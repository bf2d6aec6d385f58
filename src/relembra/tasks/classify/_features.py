"""Which feature the raw data gets, and raw data in one form."""

from __future__ import annotations

from collections.abc import Callable, Sized
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse

from relembra._errors import ConfigError, DataError
from relembra.data import (
    Audio,
    Characters,
    Feature,
    Frames,
    ImageScan,
    ImageSequence,
    Ragged,
    Subwords,
    Symbols,
    Texts,
    Vocabulary,
    WordCharacters,
    Words,
    is_path,
    medium_of,
    row_numbers,
)
from relembra.tasks.classify._settings import Kind

__all__ = [
    "FEATURES",
    "Media",
    "equally_long",
    "fit_feature",
    "holds_text",
    "kind_of",
    "left_out",
    "rows_of",
    "subset",
]

# Of more different words so many are known: each has a vector, ten times over while it is trained.
_MOST_WORDS, _TAKEN = 1 << 18, (1 << 16) - 2  # their ids take two bytes
_MOST_BYTES = 1 << 28  # of texts from which pieces of words are learnt


def _fit_words(texts: Any) -> Words:
    return _known(Words.fit(texts, size=_MOST_WORDS + 1))


def _fit_word_characters(texts: Any) -> WordCharacters:
    feature = WordCharacters.fit(texts, size=_MOST_WORDS + 1)
    return replace(feature, words=_known(feature.words))


def _known(words: Words) -> Words:
    """Return words without the rare ones, where they are too many."""
    known = words.vocabulary.known
    if len(known) <= _MOST_WORDS:
        return words
    return replace(words, vocabulary=Vocabulary(known[:_TAKEN]))


def _fit_subwords(texts: Any) -> Subwords:
    return Subwords.fit(texts[:: _stride(texts)])


_TEXT: dict[str, Callable[[Any], Feature]] = {
    "words": _fit_words,
    "characters": Characters.fit,
    "words+characters": _fit_word_characters,
    "subwords": _fit_subwords,
    "symbols": Symbols.fit,
}

_MEDIA: dict[str, Callable[[Any], Feature]] = {
    "audio": Audio.fit,
    "rows": partial(ImageScan.fit, scan="rows"),
    "columns": partial(ImageScan.fit, scan="columns"),
    "pixels": partial(ImageScan.fit, scan="patches", patch=1),
    "clips": ImageSequence.fit,
}

Media = Audio | ImageScan | ImageSequence
"""The features of recordings and images, whose rows may be paths."""

FEATURES = ("auto", *_TEXT, "frames", *_MEDIA)
"""The names of the features."""


def rows_of(X: Any) -> Any:  # noqa: N803  scikit-learn's name
    """Return texts and paths as a list or `Texts`, numbers as an array, arrays or a `Ragged`.

    Raises
    ------
    DataError
        It is neither.
    """
    if isinstance(X, Ragged | Texts):
        return X
    if is_path(X):
        raise DataError("got one text or path; expected a list of them: put it into brackets")
    if issparse(X):
        raise DataError("X is a sparse matrix, which is not supported; give X.toarray()")
    if not isinstance(X, np.ndarray):
        to_numpy = getattr(X, "to_numpy", None)  # a frame or series of pandas or polars
        if callable(to_numpy):
            X = to_numpy()  # noqa: N806
        else:
            X = np.asarray(X) if hasattr(X, "__array__") else list(X)  # noqa: N806
    if isinstance(X, np.ndarray) and X.dtype.kind == "c":
        raise DataError("X has complex numbers. Complex data not supported: give real numbers")
    if isinstance(X, np.ndarray) and X.dtype.kind in "OUT":
        flat = X[:, 0] if X.ndim == 2 and X.shape[1] == 1 else X
        return flat.tolist() if flat.ndim == 1 else _numbers(X)
    return X


def _numbers(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"X is an array of objects that are no numbers: {error}") from None


def holds_text(rows: Any) -> bool:
    """Tell whether rows are texts, or lists of words, rather than numbers."""
    if not isinstance(rows, list | Texts) or not rows:
        return False
    first = rows[0]
    return isinstance(first, str) or (
        isinstance(first, list | tuple) and bool(first) and isinstance(first[0], str)
    )


def kind_of(features: str | Feature, rows: Any) -> Kind:
    """Return what sort of steps a feature makes of rows, for `defaults_for`."""
    if features == "symbols" or isinstance(features, Symbols):
        return "alphabet"
    if isinstance(features, str):
        return "text" if holds_text(rows) else "numbers"
    known = isinstance(features, Characters | Words | WordCharacters | Subwords)
    return "text" if known else "numbers"


def equally_long(rows: Any) -> bool:
    """Tell whether all rows have as many steps; what has no length is told when it is encoded."""
    lengths = {len(row) if isinstance(row, Sized) else None for row in rows}
    return len(lengths) == 1 and None not in lengths


def fit_feature(name: str | Feature, rows: Any) -> Feature:
    """Return the named feature, fitted to training rows.

    Parameters
    ----------
    name
        One of `FEATURES`, or a feature that is taken as it is.
    rows
        As `rows_of` gives them.

    Raises
    ------
    ConfigError
        There is no such feature, or it does not fit the rows.
    DataError
        The rows cannot be used.
    """
    if not isinstance(name, str):
        return name
    if name not in FEATURES:
        raise ConfigError(f"unknown features {name!r}; known: {', '.join(FEATURES)}")
    if name == "auto":
        name = _guess(rows)
    if name in _MEDIA:
        return _MEDIA[name](rows)
    paths = _holds_paths(rows)
    text = holds_text(rows)
    if paths or (name == "frames") == text:
        what = "paths" if paths else "texts" if text else "numbers"
        raise ConfigError(f"features={name!r} does not fit X, which holds {what}")
    if name == "frames":
        return Frames.fit(rows)
    return _TEXT[name](rows)


def left_out(feature: Feature, rows: Any) -> list[str]:
    """Return what `fit_feature` did not learn from very many texts, as sentences for people."""
    words = feature.words if isinstance(feature, WordCharacters) else feature
    if isinstance(words, Words) and len(words.vocabulary.known) == _TAKEN:
        return [f"words: the {_TAKEN:,} most frequent ones are known, all others are unknown"]
    if isinstance(feature, Subwords) and _stride(rows) > 1:
        return [f"pieces of words: learnt from one text in {_stride(rows)}"]
    return []


def _stride(texts: Any) -> int:
    """Return of how many texts one is learnt from."""
    return int(texts.sizes.sum()) // _MOST_BYTES + 1 if isinstance(texts, Texts) else 1


def _guess(rows: Any) -> str:
    """Return the name of the feature that suits the rows."""
    if not _holds_paths(rows):
        return "words" if holds_text(rows) else "frames"
    medium = medium_of(rows[0])
    if medium is None:
        raise DataError(
            "by its name it is neither a recording, an image nor a video; say features=",
            path=rows[0],
        )
    return {"recording": "audio", "image": "rows", "clip": "clips"}[medium]


def _holds_paths(rows: Any) -> bool:
    """Tell whether rows are paths of files or folders; a string is a text."""
    return isinstance(rows, list) and bool(rows) and isinstance(rows[0], Path)


def subset(rows: Any, indices: npt.ArrayLike) -> Any:
    """Return some rows, in the given order; `relembra.data.row_numbers` says how to name them."""
    if hasattr(rows, "take") and not isinstance(rows, np.ndarray):
        return rows.take(indices)
    chosen = row_numbers(indices, len(rows))
    return rows[chosen] if isinstance(rows, np.ndarray) else [rows[i] for i in chosen.tolist()]
