"""How good tags are, beside the baselines of the field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from relembra.evaluation import (
    ClassificationScores,
    SpanScores,
    classification_scores,
    span_scores,
)
from relembra.tasks._sequence import note_unknown
from relembra.tasks.tag._tag_set import Tag, TagSet

__all__ = ["TagScores", "tag_scores", "unknown_tags"]


@dataclass(frozen=True)
class TagScores:
    """The scores of one model on some sequences.

    Attributes
    ----------
    name
        Of the model.
    truth, found
        The tags of each sequence.
    tokens
        Scores of tags, each step for itself; its accuracy is the token accuracy.
    spans
        Scores of spans as seqeval computes them, None where tags are no spans.
    """

    name: str
    truth: list[list[Tag]]
    found: list[list[Tag]]
    tokens: ClassificationScores
    spans: SpanScores | None

    @property
    def main(self) -> float:
        """The span F1, or the token accuracy."""
        return self.tokens.accuracy if self.spans is None else self.spans.f1

    def to_dict(self) -> dict[str, float | None]:
        """Return the scores by their usual names."""
        values = {"accuracy": self.tokens.accuracy, "macro_f1": self.tokens.macro_f1}
        if self.spans is not None:
            values |= {
                "span_precision": self.spans.precision,
                "span_recall": self.spans.recall,
                "span_f1": self.spans.f1,
            }
        return dict(values)

    def confusions(self, most: int) -> list[tuple[str, str, int]]:
        """Return the most frequent mistakes: the true tag, the tag found, how often."""
        pairs = Counter(
            (str(a), str(b))
            for truth, found in zip(self.truth, self.found, strict=True)
            for a, b in zip(truth, found, strict=True)
            if a != b
        )
        ranked = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
        return [(a, b, count) for (a, b), count in ranked[:most]]

    def worst(self, most: int) -> list[int]:
        """Return the sequences with the most wrong tags, none without."""
        wrong = [
            sum(a != b for a, b in zip(truth, found, strict=True))
            for truth, found in zip(self.truth, self.found, strict=True)
        ]
        order = sorted(range(len(wrong)), key=lambda i: (-wrong[i], i))
        return [i for i in order[:most] if wrong[i]]


def tag_scores(
    name: str, truth: Sequence[Sequence[Tag]], found: Sequence[Sequence[Tag]], *, spans: bool
) -> TagScores:
    """Score the tags of one model.

    Parameters
    ----------
    name
        Of the model.
    truth, found
        The tags of each sequence.
    spans
        Whether they are spans.
    """
    flat: list[list[Any]] = [[tag for row in rows for tag in row] for rows in (truth, found)]
    return TagScores(
        name,
        [list(row) for row in truth],
        [list(row) for row in found],
        classification_scores(*flat),
        span_scores(_texts(truth), _texts(found)) if spans else None,
    )


def unknown_tags(tag_set: TagSet, truth: Sequence[Sequence[Tag]]) -> tuple[str, ...]:
    """Return a sentence for people where a model never learnt some tags of sequences.

    Raises
    ------
    DataError
        It learnt none of them.
    """
    counts = Counter(tag for row in truth for tag in row)
    return note_unknown(tag_set.tags, counts, rows="steps", labels="tags")


def _texts(rows: Sequence[Sequence[Tag]]) -> list[list[str]]:
    return [[str(tag) for tag in row] for row in rows]
