"""The weights of runs of symbols: logistic regression, with what the counts say beforehand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from relembra.data import Characters, Encoded, Feature, Subwords, WordCharacters, Words
from relembra.tasks.classify._ngrams import NGramPath, NGramTable

__all__ = ["fit_ngrams", "longest_run", "rows_to_look_at"]

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]

_STRENGTH = 3.0  # of the weights against their penalty
_RARITY = 0.2  # what a rare run may weigh beforehand, beside the log-ratio of its counts
_SPELLING = 0.35  # what pieces of words may weigh beside words
_PIECES = (2, 5)  # characters in a piece of a word, its edges counted
_CHUNK = 512
_MOST_WEIGHTS = 1 << 23  # numbers in the table of one length
_MOST_STEPS = 1 << 23  # symbols that are looked at; of more, whole rows are left out
_MANY = 1 << 25  # symbols with which memory for two gigabytes of numbers would not be there:
_FEW_STEPS, _FEW_WEIGHTS = 1 << 21, 1 << 20


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
    most = (_FEW_WEIGHTS if _are_many(encoded, rows) else _MOST_WEIGHTS) // (classes + 1)
    rows = rows_to_look_at(encoded, truth, rows)
    of_row, ids = _symbols(encoded, rows)
    truth = truth[rows]
    runs = _Runs(of_row, ids, symbols, longest, most)
    counts = sparse.hstack([runs.counts(n, len(rows)) for n in range(longest)]).tocsr()
    if not counts.shape[1]:
        return None
    scale = _scale(_tally([counts], truth, classes), len(rows))
    words, spelling = counts[:, : len(runs.codes[0])], _spelling(feature, runs.codes[0])
    codes = runs.codes
    del runs
    if spelling is not None:
        spelling = _weighted(spelling, words, truth, classes, most)
    vectors = _vectors(counts, scale, words, spelling)
    del counts, words
    model = LogisticRegression(C=_STRENGTH, max_iter=200, class_weight=class_weight)
    model.fit(vectors, truth)
    weights, bias = model.coef_.T, model.intercept_
    if classes == 2:
        weights, bias = weights * [-0.5, 0.5], bias * [-0.5, 0.5]
    found = weights[: len(scale)] * scale[:, None]
    if spelling is not None:
        found[: len(codes[0])] += spelling @ weights[len(scale) :]
    return NGramPath(torch.from_numpy(bias).float(), _tables(codes, found), symbols)


def rows_to_look_at(encoded: Encoded, truth: Ints, rows: Ints) -> Ints:
    """Return as many of the rows as n-grams are learnt from, of each class about the same share."""
    most = _FEW_STEPS if _are_many(encoded, rows) else _MOST_STEPS
    stride = int(encoded.lengths[rows].sum()) // most + 1
    if stride == 1:
        return rows
    sorted_rows = rows[np.argsort(truth[rows], kind="stable")]
    firsts = np.unique(truth[sorted_rows], return_index=True)[1]
    return sorted_rows[np.union1d(np.arange(0, len(rows), stride), firsts)]


def _are_many(encoded: Encoded, rows: Ints) -> bool:
    return int(encoded.lengths[rows].sum()) >= _MANY


def _tables(codes: Sequence[Ints], weights: Floats) -> list[NGramTable]:
    tables, begin = [], 0
    for own in codes:
        part = weights[begin : begin + len(own)]
        counted = torch.from_numpy(np.c_[part, np.ones(len(own))]).float()
        tables.append(NGramTable(torch.from_numpy(own), counted))
        begin += len(own)
    return tables


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
            least = _least(counts, most, least)
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


def _least(counts: Any, most: int, least: int) -> int:
    """Return the least count, no lower than one, that at most so many reach."""
    while np.count_nonzero(counts >= least) > most:
        least += 1
    return least


class _Tally(NamedTuple):
    """How often the columns of a matrix of counts (n, M) occur."""

    spread: Floats  # (M,) in how many rows
    total: Floats  # (M,)
    own: Floats  # (K, M) in the rows of each class


def _tally(blocks: Iterable[Any], truth: Ints, classes: int) -> _Tally:
    """Count the columns of a matrix that comes some rows at a time; whole numbers, so exact."""
    spread: Any = 0.0
    own: list[Any] = [0.0] * classes
    begin = 0
    for block in blocks:
        theirs = truth[begin : begin + block.shape[0]]
        begin += block.shape[0]
        spread = spread + np.asarray((block > 0).sum(0)).ravel()
        for place in range(classes):
            own[place] = own[place] + np.asarray(block[theirs == place].sum(0)).ravel()
    return _Tally(spread, np.sum(own, 0), np.asarray(own))


def _scale(tally: _Tally, rows: int) -> Floats:
    """Return what the columns of (n, M) are multiplied by, (M,)."""
    rarity = _RARITY * (np.log((1 + rows) / (1 + tally.spread)) + 1)
    ratios = np.zeros(len(tally.total))
    for own in tally.own:
        inside, outside = own + 1, tally.total - own + 1
        ratios += np.log(inside / inside.sum() * (outside.sum() / outside)) ** 2
    scale: Floats = np.sqrt(rarity**2 + ratios / len(tally.own))
    return scale


def _weighted(spelling: Any, words: Any, truth: Ints, classes: int, most: int) -> Any:
    """Return the pieces (M, P) that stand in more than one of the rows of words, scaled.

    They are so many at most, the frequent ones.
    """
    from scipy import sparse

    rows = words.shape[0]
    blocks = (words[some] @ spelling for some in _slices(rows))
    tally = _tally(blocks, truth, classes)
    often = np.flatnonzero(tally.spread >= _least(tally.spread, most, 2))
    scale = _scale(_Tally(*(column[..., often] for column in tally)), rows)
    return spelling[:, often] @ sparse.diags(_SPELLING * scale)


def _vectors(counts: Any, scale: Floats, words: Any, spelling: Any) -> Any:
    """Return what is learnt from, (n, F): runs, and pieces of words where there is a spelling."""
    from scipy import sparse

    norm = 1 / np.sqrt(np.maximum(np.asarray(counts.sum(1)).ravel(), 1))
    some_rows = _slices(counts.shape[0])

    def blocks() -> Iterator[Any]:
        for some in some_rows:
            own = sparse.diags(norm[some])
            parts = [own @ counts[some] @ sparse.diags(scale)]
            if spelling is not None:
                parts.append(own @ words[some] @ spelling)
            yield sparse.hstack(parts).tocsr()

    most = counts.nnz
    if spelling is not None:
        most += sum((words[some] @ spelling).nnz for some in some_rows)
    return _stacked(blocks(), most)


def _stacked(blocks: Iterable[Any], most: int) -> Any:
    """Return a sparse matrix of blocks of rows with so many entries at most, held but once."""
    from scipy import sparse

    data, columns, ends = np.empty(most), np.empty(most, np.int32), [np.zeros(1, np.int64)]
    width = 0
    for block in blocks:
        begin, end = int(ends[-1][-1]), int(ends[-1][-1]) + block.nnz
        data[begin:end], columns[begin:end] = block.data, block.indices
        ends.append(begin + block.indptr[1:].astype(np.int64))
        width = block.shape[1]
    offsets = np.concatenate(ends)
    end = int(offsets[-1])
    if end < 1 << 31:
        offsets = offsets.astype(np.int32)
    return sparse.csr_matrix((data[:end], columns[:end], offsets), (len(offsets) - 1, width))


def _slices(rows: int) -> list[slice]:
    return [slice(begin, begin + _CHUNK) for begin in range(0, rows, _CHUNK)]


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
