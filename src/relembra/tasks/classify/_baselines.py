"""What a classifier must beat: the most frequent class, and bags of words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from relembra._errors import DataError
from relembra.data import Characters, Feature, Symbols, Words
from relembra.evaluation import majority_class
from relembra.tasks._sequence import hold_out

__all__ = ["BagOfWords", "Majority"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

_STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0)


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
        self.classes_, counts = np.unique(np.asarray(labels), return_counts=True)
        self._label = majority_class(np.asarray(labels).tolist())
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
        The training data.
    share, seed
        The part to hold out, as the network's.

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

    def __init__(
        self, feature: Feature, texts: Sequence[str], labels: Any, *, share: float, seed: int
    ) -> None:
        truth = np.asarray(labels)
        kept, held = hold_out(len(texts), share, seed, labels=truth)
        early, late = [texts[i] for i in kept], [texts[i] for i in held]
        scores = [0.0]
        if len(held):
            scores = [
                _model(feature, c, early, truth[kept]).score(late, truth[held]) for c in _STRENGTHS
            ]
        self.strength = _STRENGTHS[int(np.argmax(scores))] if len(held) else 1.0
        self._model = _model(feature, self.strength, texts, truth)
        self.classes_ = self._model.classes_

    def predict(self, texts: Sequence[str]) -> np.ndarray[Any, Any]:
        """Return the most likely class of each text, (n,)."""
        found: np.ndarray[Any, Any] = self._model.predict(texts)
        return found

    def predict_proba(self, texts: Sequence[str]) -> Floats:
        """Return the probability of each class, (n, K)."""
        found: Floats = self._model.predict_proba(texts)
        return found


def _model(feature: Feature, strength: float, texts: Sequence[str], truth: Any) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    letters = isinstance(feature, Characters | Symbols)
    bag = (
        TfidfVectorizer(analyzer="char", ngram_range=(1, 3), lowercase=False, sublinear_tf=True)
        if letters
        else TfidfVectorizer(analyzer=_words_and_pairs, sublinear_tf=True)
    )
    try:
        return make_pipeline(bag, LogisticRegression(C=strength, max_iter=300)).fit(texts, truth)
    except ValueError as error:
        raise DataError(f"a bag of words cannot be made: {error}") from error


_CUT = Words.fit([])


def _words_and_pairs(text: str) -> list[str]:
    words = _CUT.words(text)
    return words + [f"{a} {b}" for a, b in zip(words, words[1:], strict=False)]
