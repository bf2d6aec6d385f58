"""A language model that counts: the baseline of those that learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relembra._errors import ConfigError, DataError

__all__ = ["NGramModel"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Order:
    """The n-grams of one order; one is known by its key, context * symbols + last symbol."""

    keys: Ints  # (N,) sorted; contexts are numbers of the order below
    shares: Floats  # (N,) discounted count over the context's sum
    rest: Floats  # (C,) what each context leaves to the order below, 1 where it has no followers


class NGramModel:
    r"""Interpolated modified Kneser-Ney: n-gram counts, smoothed by those of shorter contexts.

    .. math:: p(w|h) = \frac{c(hw) - D_{c(hw)}}{\sum_v c(hv)} + \gamma(h)\, p(w|h')

    with h' the context without its first symbol. The highest order counts occurrences, the others
    the distinct symbols that stand before an n-gram; below the first order all symbols are equally
    likely. Source: Chen & Goodman, "An empirical study of smoothing techniques for language
    modeling" (1998), section 3; their discounts (equation 26), or 0.5, 1 and 1.5 where the counts
    of counts give none, as KenLM's fallback.

    Parameters
    ----------
    ids
        (n,) the training text as one stream of symbols.
    symbols
        V; every symbol is a number from 0 to V - 1.
    order
        The longest n-gram: 5 predicts a symbol from the 4 before it.

    Raises
    ------
    DataError
        The stream is empty or not one row, or a symbol is out of range.
    ConfigError
        The order is less than 1.

    Examples
    --------
    >>> ids = np.frombuffer(b"the cat and the dog and the cow", np.uint8)
    >>> model = NGramModel(ids, symbols=256, order=3)
    >>> nats = -model.log_probabilities(np.frombuffer(b"the cat", np.uint8))
    >>> nats.shape, bool(nats[2] < nats[4])  # the e of the, the c after it
    ((7,), True)
    """

    def __init__(self, ids: ArrayLike, symbols: int, order: int = 5) -> None:
        if order < 1:
            raise ConfigError(f"order is a number from 1 upward, received {order!r}")
        self.symbols = symbols
        self.order = order
        stream = self._checked(ids)
        if not stream.size:
            raise DataError("the training text is empty")
        grams = _grams(stream, symbols, min(order, len(stream)))
        self._orders = [
            _smoothed(own.keys, counts, symbols, contexts)
            for own, counts, contexts in zip(
                grams,
                [*_continuations(grams), grams[-1].counts],
                [1, *(len(own.keys) for own in grams)],
                strict=False,  # the longest grams are nobody's context
            )
        ]

    def log_probabilities(self, ids: ArrayLike) -> Floats:
        """Return the logarithm of the probability of each symbol, given those before it.

        Parameters
        ----------
        ids
            (n,) a stream; its first symbols have the shorter contexts that there are.

        Returns
        -------
        numpy.ndarray
            (n,) in nats, at most 0. Minus their sum is what `perplexity` and `bits_per_character`
            take.

        Raises
        ------
        DataError
            The stream is not one row, or a symbol is out of range.
        """
        stream = self._checked(ids)
        chance = np.full(len(stream), 1.0 / self.symbols)
        before = np.zeros(len(stream), np.int64)  # number of the context, -1 where never seen
        for level in self._orders:
            known = before >= 0
            wanted = np.where(known, before * self.symbols + stream, -1)
            place = np.minimum(np.searchsorted(level.keys, wanted), len(level.keys) - 1)
            seen = known & (level.keys[place] == wanted)
            chance *= np.where(known, level.rest[before], 1.0)
            chance += np.where(seen, level.shares[place], 0.0)
            grams = np.where(seen, place, -1)
            before = np.concatenate([[-1], grams])[: len(stream)]
        logs: Floats = np.log(chance)
        return logs

    def _checked(self, ids: ArrayLike) -> Ints:
        stream = np.asarray(ids)
        if stream.ndim != 1 or (stream.size and stream.dtype.kind not in "iu"):
            raise DataError(
                f"expected one row of whole numbers, got shape {stream.shape} of {stream.dtype}"
            )
        stream = stream.astype(np.int64)
        wrong = np.flatnonzero((stream < 0) | (stream >= self.symbols))
        if wrong.size:
            raise DataError(
                f"symbol {stream[wrong[0]]} at place {wrong[0]} is none of 0 to {self.symbols - 1}"
            )
        return stream


class _Grams(NamedTuple):
    """The n-grams of one order as the text has them."""

    keys: Ints  # (N,) sorted
    counts: Ints  # (N,)
    first: Ints  # (N,) where each stands first, by the place of its last symbol
    numbers: Ints  # (n,) which n-gram ends at each symbol, -1 for the first few


def _grams(stream: Ints, symbols: int, order: int) -> list[_Grams]:
    """Count the n-grams of every order."""
    found: list[_Grams] = []
    contexts = np.zeros(len(stream), np.int64)  # number of the gram that ends before each symbol
    for before in range(order):
        wanted = contexts[before:] * symbols + stream[before:]
        keys, first, numbers, counts = np.unique(
            wanted, return_index=True, return_inverse=True, return_counts=True
        )
        numbers = np.concatenate([np.full(before, -1), numbers])
        found.append(_Grams(keys, counts, first + before, numbers))
        contexts = np.concatenate([[-1], numbers[:-1]])
    return found


def _continuations(grams: list[_Grams]) -> list[Ints]:
    """Return, for all orders but the highest, how many distinct symbols stand before each gram.

    The beginning of the text counts as a symbol.
    """
    found = []
    for order, (own, longer) in enumerate(zip(grams[:-1], grams[1:], strict=True)):
        counts = np.bincount(own.numbers[longer.first], minlength=len(own.keys))
        counts[own.numbers[order]] += 1  # the gram that the text begins with
        found.append(counts)
    return found


def _smoothed(keys: Ints, counts: Ints, symbols: int, contexts: int) -> _Order:
    """Discount counts (N,) of n-grams that have so many contexts."""
    context = keys // symbols
    totals = np.bincount(context, weights=counts, minlength=contexts)
    taken = np.append(0.0, _discounts(counts))[np.minimum(counts, 3)]  # (N,)
    left = np.bincount(context, weights=taken, minlength=contexts)
    rest = np.divide(left, totals, out=np.ones(contexts), where=totals > 0)
    return _Order(keys, (counts - taken) / totals[context], rest)


def _discounts(counts: Ints) -> Floats:
    """Return what is taken from counts of 1, of 2 and of more."""
    n = np.bincount(np.minimum(counts, 5), minlength=6)[1:5].astype(np.float64)
    if n.all():
        y = n[0] / (n[0] + 2 * n[1])
        amounts: Floats = np.arange(1, 4) - np.arange(2, 5) * y * n[1:] / n[:-1]
        if np.all((amounts > 0) & (amounts <= np.arange(1, 4))):
            return amounts
    return np.array([0.5, 1.0, 1.5])
