"""Sequences and tags as a network learns from them: encoded once, for one training or many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from relembra.data import Encoded, Feature
from relembra.tasks._sequence import Prepared
from relembra.tasks.tag._fitting import Examples
from relembra.tasks.tag._inputs import rows_of
from relembra.tasks.tag._tag_set import TagSet

__all__ = ["EncodedSequences", "TaggedData", "encoded_by"]


@dataclass(frozen=True, eq=False)
class EncodedSequences:
    """Sequences, and what a feature made of them; a tagger answers for them as for the sequences.

    Attributes
    ----------
    rows
        As `rows_of` gives them.
    feature, encoded
        The feature, and what it made of the rows.
    """

    rows: Any
    feature: Feature
    encoded: Encoded


@dataclass(frozen=True, eq=False)
class TaggedData(Prepared):
    """What a tagger is fitted on.

    Attributes
    ----------
    feature, tag_set
        What is read, and what is answered.
    examples
        What to learn from.
    held_out
        What tells when to stop, instead of a share of the examples.
    """

    feature: Feature
    tag_set: TagSet
    examples: Examples
    held_out: Examples | None

    def others(self, X: Any) -> EncodedSequences:  # noqa: N803  scikit-learn's name
        """Encode other sequences alike; one that cannot be used is a `DataError`."""
        rows = rows_of(X)
        return EncodedSequences(rows, self.feature, self.feature.encode(rows))


def encoded_by(feature: Feature, X: Any) -> Encoded:  # noqa: N803  scikit-learn's name
    """Return what a feature makes of sequences; what it made already is returned as it is."""
    if not isinstance(X, EncodedSequences):
        return feature.encode(rows_of(X))
    return X.encoded if X.feature is feature else feature.encode(X.rows)
