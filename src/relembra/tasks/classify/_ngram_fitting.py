"""The weights of runs of symbols: logistic regression, with what the counts say beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from relembra.data import Characters, Encoded, Feature, Subwords, WordCharacters, Words
from relembra.tasks.classify._ngrams import NGramPath, NGramTable

__all__ = ["fit_ngrams", "longest_run"]

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]

_STRENGTH = 3.0  # of the weights against their penalty
_RARITY = 0.2  # what a rare run may weigh beforehand, beside the log-ratio of its counts
_SPELLING = 0.35  # what pieces of words may weigh beside words
_PIECES = (2, 5)  # characters in a piece of a word, its edges counted
_CHUNK = 512
_MOST_WEIGHTS = 1 << 23  # numbers in the table of one length
_MOST_STEPS = 1 << 23  # symbols that are looked at; of more, whole rows are left out


def longest_run(feature: Feature) -> int:
    """Return how many symbols a run has at most: 2 words or pieces, 4 characters, 0 for numbers."""
    if isinstance(feature, Words | WordCharacters | Subwords):
        return 2
    if isinstance(feature, Characters):
        return 4
    return 3 if isinstance(getattr(feature, "size", None), int) else 0


def fit_ngrams(
    feature: Feature,
    encoded: Encoded,
    truth: Ints,
    classes: int,
    rows: Ints,
    *,
    longest: int,
    class_weight: Any = None,
) -> NGramPath | None:
    """Learn the weights of runs of symbols; None where there is no symbol.

    A row's features are the counts of its runs over the root of how many there are; each is scaled
    by what its counts in the classes say of it (its log-count ratio, as naive Bayes has it; Wang &
    Manning 2012) and by how rare it is, so that the penalty spares those that matter. Words are
    taken together with the pieces that they are spelled with (as Bojanowski et al. 2017 do), whose
    weights are then added to those of the words.

    Parameters
    ----------
    feature, encoded
        The feature, of symbols, and its rows.
    truth, classes
        (n,) the class of each row, and K.
    rows
        Numbers of those to learn from, of each class at least one.
    longest
        Symbols in the longest run, 1 or more.
    class_weight
        As scikit-learn takes it, the classes being 0 to K - 1.
    """
    from scipy import sparse
    from sklearn.linear_model import LogisticRegression

    symbols = int(feature.size)  # type: ignore[attr-defined]
    rows = _some(encoded, truth, rows)
    of_row, ids = _symbols(encoded, rows)
    truth = truth[rows]
    runs = _Runs(of_row, ids, symbols, longest, _MOST_WEIGHTS // (classes + 1))
    counts = sparse.hstack([runs.counts(n, len(rows)) for n in range(longest)]).tocsr()
    if not counts.shape[1]:
        return None
    norm = sparse.diags(1 / np.sqrt(np.maximum(np.asarray(counts.sum(1)).ravel(), 1)))
    scale = _scale(counts, truth, classes)
    parts = [norm @ counts @ sparse.diags(scale)]
    spelling = _spelling(feature, runs.codes[0])
    if spelling is not None:
        pieces = runs.counts(0, len(rows)) @ spelling
        often = np.flatnonzero(np.asarray((pieces > 0).sum(0)).ravel() > 1)
        spelling = spelling[:, often]
        spelling = spelling @ sparse.diags(_SPELLING * _scale(pieces[:, often], truth, classes))
        parts.append(norm @ runs.counts(0, len(rows)) @ spelling)
    model = LogisticRegression(C=_STRENGTH, max_iter=200, class_weight=class_weight)
    model.fit(sparse.hstack(parts).tocsr(), truth)
    weights, bias = model.coef_.T, model.intercept_
    if classes == 2:
        weights, bias = weights * [-0.5, 0.5], bias * [-0.5, 0.5]
    found = weights[: len(scale)] * scale[:, None]
    if spelling is not None:
        found[: len(runs.codes[0])] += spelling @ weights[len(scale) :]
    return NGramPath(torch.from_numpy(bias).float(), _tables(runs.codes, found), symbols)


def _tables(codes: Sequence[Ints], weights: Floats) -> list[NGramTable]:
    tables, begin = [], 0
    for own in codes:
        part = weights[begin : begin + len(own)]
        counted = torch.from_numpy(np.c_[part, np.ones(len(own))]).float()
        tables.append(NGramTable(torch.from_numpy(own), counted))
        begin += len(own)
    return tables


def _some(encoded: Encoded, truth: Ints, rows: Ints) -> Ints:
    """Return as many of the rows as are looked at, of each class about the same share."""
    stride = int(encoded.lengths[rows].sum()) // _MOST_STEPS + 1
    if stride == 1:
        return rows
    sorted_rows = rows[np.argsort(truth[rows], kind="stable")]
    firsts = np.unique(truth[sorted_rows], return_index=True)[1]
    return sorted_rows[np.union1d(np.arange(0, len(rows), stride), firsts)]


def _symbols(encoded: Encoded, rows: Ints) -> tuple[Ints, Ints]:
    """Return which row each symbol is of (counted from 0), and the symbols; both (N,)."""
    places, found = [], []
    for begin in range(0, len(rows), _CHUNK):
        inputs = encoded.batch(rows[begin : begin + _CHUNK])
        ids, lengths = inputs.values["ids"].numpy(), inputs.lengths.numpy()
        inside = np.arange(ids.shape[1]) < lengths[:, None]
        places.append(np.repeat(np.arange(begin, begin + len(lengths)), lengths))
        found.append(ids[inside])
    return np.concatenate(places), np.concatenate(found)


class _Runs:
    """The runs of 1 to `longest` symbols, at most so many of each length, the frequent ones.

    Attributes
    ----------
    codes
        Of each length: (M,), rising, as in `NGramTable`.
    """

    def __init__(self, of_row: Ints, ids: Ints, symbols: int, longest: int, most: int) -> None:
        self._of_row = of_row
        self.codes: list[Ints] = []
        self._places: list[Ints] = []  # of each length: (N,) which run ends at a symbol, or -1
        first = np.r_[True, of_row[1:] != of_row[:-1]] if len(ids) else np.empty(0, bool)
        before, least = np.zeros(len(ids), np.int64), 1
        for _ in range(longest):
            code = np.where((before >= 0) & (ids > 1), before * symbols + ids, -1)
            known, places, counts = np.unique(code, return_inverse=True, return_counts=True)
            counts[known < 0] = 0
            while np.count_nonzero(counts >= least) > most:
                least += 1
            kept = counts >= least
            renumbered = np.where(kept, np.cumsum(kept) - 1, -1)
            self.codes.append(known[kept])
            self._places.append(renumbered[places.reshape(-1)])
            before = np.where(first, -1, np.r_[-1, self._places[-1][:-1]])[: len(ids)]

    def counts(self, length: int, rows: int) -> Any:
        """Return a sparse matrix (rows, M): how often each row has each run."""
        from scipy import sparse

        places = self._places[length]
        known = places >= 0
        entries = (np.ones(np.count_nonzero(known)), (self._of_row[known], places[known]))
        return sparse.coo_matrix(entries, shape=(rows, len(self.codes[length]))).tocsr()


def _scale(counts: Any, truth: Ints, classes: int) -> Floats:
    """Return what the columns of (n, M) are multiplied by, (M,)."""
    rows = counts.shape[0]
    spread = np.asarray((counts > 0).sum(0)).ravel()
    rarity = _RARITY * (np.log((1 + rows) / (1 + spread)) + 1)
    total = np.asarray(counts.sum(0)).ravel()
    ratios = np.zeros(counts.shape[1])
    for place in range(classes):
        own = np.asarray(counts[truth == place].sum(0)).ravel()
        inside, outside = own + 1, total - own + 1
        ratios += np.log(inside / inside.sum() * (outside.sum() / outside)) ** 2
    scale: Floats = np.sqrt(rarity**2 + ratios / classes)
    return scale


def _spelling(feature: Feature, ids: Ints) -> Any:
    """Return how often each known word (M, P) has each piece of a word; None for no words."""
    from sklearn.feature_extraction.text import CountVectorizer

    words = feature.words if isinstance(feature, WordCharacters) else feature
    if not isinstance(words, Words) or not len(ids):
        return None
    count = CountVectorizer(analyzer=_pieces, dtype=np.float64)
    return count.fit_transform(words.vocabulary.symbols(ids))


def _pieces(word: str) -> list[str]:
    edged, (least, most) = f" {word} ", _PIECES
    sizes = range(least, min(most, len(edged)) + 1)
    return [edged[at : at + size] for size in sizes for at in range(len(edged) - size + 1)]
