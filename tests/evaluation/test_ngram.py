"""The n-gram model against a slow one that follows the formulas, counting in dictionaries."""

import math
from collections import Counter, defaultdict

import numpy as np
import pytest

from relembra import ConfigError, DataError
from relembra.evaluation import NGramModel, bits_per_character, perplexity


class Slow:
    """Modified Kneser-Ney as written in Chen & Goodman 1998."""

    def __init__(self, ids, symbols, order):
        self.symbols = symbols
        self.counts = []  # a counter of each order
        for size in range(1, order + 1):
            grams = [tuple(ids[i : i + size]) for i in range(len(ids) - size + 1)]
            if size < order:
                before = defaultdict(set)
                for i, gram in enumerate(grams):
                    before[gram].add(ids[i - 1] if i else "the beginning")
                self.counts.append(Counter({g: len(s) for g, s in before.items()}))
            else:
                self.counts.append(Counter(grams))
        self.amounts = [self.discounts(c) for c in self.counts]

    @staticmethod
    def discounts(counts):
        n = [sum(c == k for c in counts.values()) for k in range(5)]
        if all(n[1:]):
            y = n[1] / (n[1] + 2 * n[2])
            found = [k - (k + 1) * y * n[k + 1] / n[k] for k in (1, 2, 3)]
            if all(0 < d <= k for k, d in enumerate(found, 1)):
                return found
        return [0.5, 1.0, 1.5]

    def chance(self, context, symbol):
        context = tuple(context)[max(0, len(context) - len(self.counts) + 1) :]
        lower = 1 / self.symbols if not context else self.chance(context[1:], symbol)
        counts, amounts = self.counts[len(context)], self.amounts[len(context)]
        theirs = {g: c for g, c in counts.items() if g[:-1] == context}
        if not theirs:
            return lower
        total = sum(theirs.values())
        taken = {g: amounts[min(c, 3) - 1] for g, c in theirs.items()}
        gram = (*context, symbol)
        own = theirs[gram] - taken[gram] if gram in theirs else 0.0
        return own / total + sum(taken.values()) / total * lower


def text(length, symbols, seed):
    """Symbols that depend on those before them, so that counts differ."""
    generator = np.random.default_rng(seed)
    ids = [0, 1]
    for _ in range(length - 2):
        step = generator.choice([1, 2, 3, 7], p=[0.6, 0.25, 0.1, 0.05])
        ids.append(int((ids[-1] * 2 + ids[-2] + step) % symbols))
    return ids[:length]


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("length", [1, 3, 40, 400])
def test_against_the_formulas(order, length):
    train, test = text(length, 9, seed=1), text(50, 11, seed=2)  # 9 and 10 were never seen
    model = NGramModel(train, symbols=11, order=order)
    slow = Slow(train, 11, min(order, length))
    expected = [math.log(slow.chance(test[:i], s)) for i, s in enumerate(test)]
    np.testing.assert_allclose(model.log_probabilities(test), expected, rtol=1e-10)


def test_estimated_discounts_are_tried():
    train = text(400, 9, seed=1)
    assert any(Slow.discounts(c) != [0.5, 1.0, 1.5] for c in Slow(train, 9, 5).counts)


@pytest.mark.parametrize("order", [1, 3, 4])
def test_probabilities_sum_to_one(order):
    model = NGramModel(text(300, 7, seed=3), symbols=8, order=order)
    for context in ([], [3], [1, 2, 3], text(20, 7, seed=3), [7, 7]):
        logs = [model.log_probabilities([*context, s])[-1] for s in range(8)]
        assert sum(np.exp(logs)) == pytest.approx(1.0, abs=1e-12)


def test_longer_contexts_help_and_beat_chance():
    train, test = text(3000, 9, seed=4), text(500, 9, seed=5)
    found = []
    for order in (1, 3):
        nats = -NGramModel(train, symbols=9, order=order).log_probabilities(test).sum()
        found.append(perplexity(nats, len(test)))
    assert 9.2 > found[0] > 8 > 5 > found[1]
    assert bits_per_character(nats, len(test)) == pytest.approx(math.log2(found[1]))


def test_bytes_and_nothing():
    model = NGramModel(np.frombuffer(b"banana", np.uint8), symbols=256, order=3)
    assert model.log_probabilities(np.zeros(0, np.uint8)).shape == (0,)
    logs = model.log_probabilities(np.frombuffer(b"nana", np.uint8))
    assert logs.shape == (4,) and (logs < 0).all()


def test_refusals():
    with pytest.raises(ConfigError, match="order is a number from 1 upward, received 0"):
        NGramModel([1], symbols=2, order=0)
    with pytest.raises(DataError, match="training text is empty"):
        NGramModel([], symbols=2)
    with pytest.raises(DataError, match="symbol 2 at place 1 is none of 0 to 1"):
        NGramModel([1, 2], symbols=2)
    with pytest.raises(DataError, match=r"got shape \(1, 2\)"):
        NGramModel([[1, 0]], symbols=2)
    with pytest.raises(DataError, match="of float64"):
        NGramModel([0.5], symbols=2)
    with pytest.raises(DataError, match="tokens is a number from 1 upward"):
        perplexity(1.0, 0)
    assert perplexity(1e6, 1) == math.inf
