"""Scores of spans: found exactly, or not found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from relembra._errors import DataError
from relembra.evaluation._classification import ClassScore
from relembra.evaluation._spans import Scheme, spans

__all__ = ["SpanScores", "span_scores"]


@dataclass(frozen=True)
class SpanScores:
    """What `span_scores` found.

    Parameters
    ----------
    precision, recall, f1
        Of all spans together (the micro average).
    macro_f1
        Mean of the labels' F1.
    labels
        The scores of each label that is true or predicted somewhere, sorted.
    """

    precision: float
    recall: float
    f1: float
    macro_f1: float
    labels: tuple[ClassScore, ...]


def span_scores(
    truth: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    scheme: Scheme | None = None,
) -> SpanScores:
    """Return precision, recall and F1 of spans, as conlleval and seqeval compute them.

    A predicted span is right when a true one has the same start, end and label (Tjong Kim Sang &
    De Meulder 2003). A share with nothing below its line is 0.

    Parameters
    ----------
    truth, predicted
        For each sequence its tags; both as long as each other.
    scheme
        How the tags are read, see `spans`: None as seqeval's default, ``bio`` and ``bioes`` as its
        strict mode with IOB2 and IOBES.

    Returns
    -------
    SpanScores

    Raises
    ------
    DataError
        The sequences are not as many, or not as long, as each other; or a tag is none of the
        scheme.

    Examples
    --------
    >>> truth = [["B-city", "I-city", "O", "B-day"]]
    >>> scores = span_scores(truth, [["B-city", "I-city", "O", "B-city"]])
    >>> scores.precision, scores.recall, scores.f1, round(scores.macro_f1, 4)
    (0.5, 0.5, 0.5, 0.3333)
    """
    if len(truth) != len(predicted):
        raise DataError(f"there are {len(truth)} true sequences and {len(predicted)} predicted")
    right: Counter[str] = Counter()
    true: Counter[str] = Counter()
    guessed: Counter[str] = Counter()
    for row, (actual, guess) in enumerate(zip(truth, predicted, strict=True)):
        if len(actual) != len(guess):
            raise DataError(
                f"sequence {row} has {len(actual)} true tags and {len(guess)} predicted ones"
            )
        theirs, ours = set(spans(actual, scheme)), set(spans(guess, scheme))
        true.update(span.label for span in theirs)
        guessed.update(span.label for span in ours)
        right.update(span.label for span in theirs & ours)
    rows = tuple(
        _score(label, right[label], guessed[label], true[label])
        for label in sorted(true.keys() | guessed.keys())
    )
    total = _score("", right.total(), guessed.total(), true.total())
    mean = sum(row.f1 for row in rows) / len(rows) if rows else 0.0
    return SpanScores(total.precision, total.recall, total.f1, mean, rows)


def _score(label: str, right: int, guessed: int, true: int) -> ClassScore:
    both = guessed + true
    return ClassScore(
        label,
        right / guessed if guessed else 0.0,
        right / true if true else 0.0,
        2 * right / both if both else 0.0,
        true,
    )
