"""What a classifier must beat: the most frequent class, and bags of words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Self

import numpy as np

from relembra._errors import DataError
from relembra._random import derive
from relembra.data import Characters, Feature, Labels, Symbols, Texts, Words, label_codes
from relembra.tasks._sequence import hold_out
from relembra.tasks.classify._encoded_rows import EncodedRows
from relembra.tasks.classify._features import subset

__all__ = ["BagOfWords", "Majority"]

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]

_STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0)
_MOST_BYTES = 1 << 26  # of texts to learn from; of more so many, chosen at random
_WEIGHTS = 1 << 21  # that are then learnt, some hundred bytes each
_CHUNK = 1 << 14


class Majority:
    """The most frequent class of the training data for everything.

    Parameters
    ----------
    labels
        Of the training data.

    Examples
    --------
    >>> baseline = Majority(["b", "a", "b"])
    >>> baseline.predict(["x", "y"]).tolist(), baseline.predict_proba(["x"]).round(2).tolist()
    (['b', 'b'], [[0.33, 0.67]])
    """

    name = "most frequent class"

    def __init__(self, labels: Any) -> None:
        classes, codes = label_codes(labels)
        self._count(classes, np.bincount(codes))

    @classmethod
    def of_counts(cls, classes: np.ndarray[Any, Any], counts: Ints) -> Self:
        """Return the baseline of training data with so many rows of each class."""
        baseline = cls.__new__(cls)
        baseline._count(classes, counts)
        return baseline

    def _count(self, classes: np.ndarray[Any, Any], counts: Ints) -> None:
        if not counts.sum():
            raise DataError("there are no labels to count")
        self.classes_ = classes
        self._label = classes.tolist()[int(counts.argmax())]
        self._chances = counts / counts.sum()

    def predict(self, rows: Any) -> np.ndarray[Any, Any]:
        """Return the class, (n,)."""
        return np.full(len(rows), self._label)

    def predict_proba(self, rows: Any) -> Floats:
        """Return the share of each class in the training data, (n, K)."""
        return np.tile(self._chances, (len(rows), 1))


class BagOfWords:
    """Logistic regression on the words and pairs of words of texts, of characters up to three.

    Weights are TF-IDF with logarithmic counts; the strength of the regularisation is chosen on a
    held-out part of the training data, with the same care as a network gets.

    Parameters
    ----------
    feature
        The network's: for `Characters` and `Symbols` the bag holds runs of 1 to 3 characters.
    texts, labels
        The training data. Of `relembra.data.Texts` of more than 64 MB so many are taken, and their
        words and pairs share two million weights.
    share, seed
        The part to hold out, as the network's.

    Attributes
    ----------
    notes_
        What was left out, as sentences for people.

    Raises
    ------
    DataError
        There is no word in the texts.

    Examples
    --------
    >>> texts, labels = ["good film", "bad film", "good", "bad"] * 5, [1, 0, 1, 0] * 5
    >>> baseline = BagOfWords(Words.fit(texts), texts, labels, share=0.2, seed=0)
    >>> baseline.predict(["so good"]).tolist()
    [1]
    """

    name = "bag of words, logistic regression"

    notes_: tuple[str, ...] = ()

    def __init__(
        self, feature: Feature, texts: Any, labels: Any, *, share: float, seed: int
    ) -> None:
        labels = labels if isinstance(labels, Labels) else np.asarray(labels)
        rows, columns = _some(texts, labels, seed), None
        if len(rows) < len(texts):
            classes = len(label_codes(labels)[0])
            columns = _WEIGHTS // (1 if classes == 2 else classes) + 1
            self.notes_ = (
                f"{self.name}: learnt from {len(rows):,} of {len(texts):,} rows, chosen at random, "
                f"with {columns:,} weights for each label",
            )
            texts, labels = subset(texts, rows), labels[rows]
        truth = np.asarray(labels)
        vectors_of = partial(_bag, feature, columns)
        self.strength = _strength(vectors_of, texts, truth, share, seed)
        self._bag, vectors = vectors_of(texts)
        self._model = _model(self.strength, vectors, truth)
        self.classes_ = self._model.classes_

    def predict(self, texts: Any) -> np.ndarray[Any, Any]:
        """Return the most likely class of each text, (n,)."""
        found = [self._model.predict(some) for some in self._vectors(texts)]
        return np.concatenate([self.classes_[:0], *found])

    def predict_proba(self, texts: Any) -> Floats:
        """Return the probability of each class, (n, K)."""
        found = [self._model.predict_proba(some) for some in self._vectors(texts)]
        return np.concatenate([np.empty((0, len(self.classes_))), *found])

    def _vectors(self, texts: Any) -> Iterator[Any]:
        rows = texts.rows if isinstance(texts, EncodedRows) else texts
        for begin in range(0, len(rows), _CHUNK):
            yield self._bag.transform(rows[begin : begin + _CHUNK])


def _some(texts: Any, labels: Any, seed: int) -> Ints:
    """Return numbers of as many texts as are learnt from, of each label alike."""
    size = int(texts.sizes.sum()) if isinstance(texts, Texts) else 0
    if size <= _MOST_BYTES:
        return np.arange(len(texts))
    share = 1 - _MOST_BYTES / size
    return hold_out(len(texts), share, derive(seed, "bag of words"), labels=labels)[0]


def _strength(
    vectors_of: Callable[[Any], tuple[Any, Any]], texts: Any, truth: Any, share: float, seed: int
) -> float:
    """Return the strength of the regularisation that is best on a held-out part."""
    kept, held = hold_out(len(texts), share, seed, labels=truth)
    if not len(held):
        return 1.0
    bag, vectors = vectors_of(subset(texts, kept))
    judged = bag.transform(subset(texts, held))
    scores = [_model(c, vectors, truth[kept]).score(judged, truth[held]) for c in _STRENGTHS]
    return _STRENGTHS[int(np.argmax(scores))]


def _bag(feature: Feature, columns: int | None, texts: Any) -> tuple[Any, Any]:
    """Return what makes vectors of texts, and those of these texts.

    Each word and pair has its own column, or one of so many where they are not held in memory.
    """
    from sklearn.feature_extraction.text import (
        HashingVectorizer,
        TfidfTransformer,
        TfidfVectorizer,
    )
    from sklearn.pipeline import make_pipeline

    letters: dict[str, Any] = {"analyzer": "char", "ngram_range": (1, 3), "lowercase": False}
    words = {"analyzer": _words_and_pairs}
    what = letters if isinstance(feature, Characters | Symbols) else words
    if columns is None:
        bag = TfidfVectorizer(**what, sublinear_tf=True)
    else:
        counts = HashingVectorizer(**what, n_features=columns, norm=None, alternate_sign=False)
        bag = make_pipeline(counts, TfidfTransformer(sublinear_tf=True))
    try:
        return bag, bag.fit_transform(texts)
    except ValueError as error:
        raise DataError(f"a bag of words cannot be made: {error}") from error


def _model(strength: float, vectors: Any, truth: Any) -> Any:
    from sklearn.linear_model import LogisticRegression

    try:
        return LogisticRegression(C=strength, max_iter=300).fit(vectors, truth)
    except ValueError as error:
        raise DataError(f"a bag of words cannot be made: {error}") from error


_CUT = Words.fit([])


def _words_and_pairs(text: str) -> list[str]:
    words = _CUT.words(text)
    return words + [f"{a} {b}" for a, b in zip(words, words[1:], strict=False)]
