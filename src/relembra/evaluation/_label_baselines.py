"""Baselines that know labels but no order."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from relembra._errors import DataError

__all__ = ["MostFrequentTag", "majority_class"]


def majority_class(labels: Iterable[Any]) -> Any:
    """Return the most frequent label; of several, the first in order.

    Parameters
    ----------
    labels
        Of the training data.

    Returns
    -------
    object
        The label to predict for everything.

    Raises
    ------
    DataError
        There are no labels.

    Examples
    --------
    >>> majority_class(["b", "a", "b"])
    'b'
    """
    return _most(Counter(labels))


@dataclass(frozen=True)
class MostFrequentTag:
    """Tag each word as training most often did, whatever stands around it.

    The baseline of part-of-speech tagging (Charniak, Hendrickson, Jacobson & Perkowitz 1993). A
    word that training never saw gets the most frequent tag among the words that it saw once.

    Parameters
    ----------
    tags
        The tag of each known word.
    unseen
        The tag of all others.

    Examples
    --------
    >>> baseline = MostFrequentTag.fit([["a", "dog", "barks"], ["a", "cat"]],
    ...                                [["DET", "NOUN", "VERB"], ["DET", "NOUN"]])
    >>> baseline.predict([["a", "fox"]])
    [['DET', 'NOUN']]
    """

    tags: Mapping[Hashable, Any]
    unseen: Any

    @classmethod
    def fit(
        cls, words: Sequence[Sequence[Hashable]], tags: Sequence[Sequence[Any]]
    ) -> MostFrequentTag:
        """Count.

        Parameters
        ----------
        words, tags
            For each sequence of the training data its words and their tags.

        Raises
        ------
        DataError
            Words and tags are not as many as each other, or there are none.
        """
        if len(words) != len(tags):
            raise DataError(f"there are {len(words)} sequences of words and {len(tags)} of tags")
        counts: defaultdict[Hashable, Counter[Any]] = defaultdict(Counter)
        for row, (some, theirs) in enumerate(zip(words, tags, strict=True)):
            if len(some) != len(theirs):
                raise DataError(f"sequence {row} has {len(some)} words and {len(theirs)} tags")
            for word, tag in zip(some, theirs, strict=True):
                counts[word][tag] += 1
        every = sum(counts.values(), Counter())
        once = sum((c for c in counts.values() if c.total() == 1), Counter())
        return cls({word: _most(c) for word, c in counts.items()}, _most(once or every))

    def predict(self, words: Sequence[Sequence[Hashable]]) -> list[list[Any]]:
        """Return the tags of each sequence's words."""
        return [[self.tags.get(word, self.unseen) for word in some] for some in words]


def _most(counts: Counter[Any]) -> Any:
    if not counts:
        raise DataError("there are no labels to count")
    most = max(counts.values())
    return min(label for label, count in counts.items() if count == most)
