"""Sequences and tags as a network learns from them: encoded once, for one training or many."""

from __future__ import annotations

from dataclasses import dataclass

from relembra.data import Feature
from relembra.tasks._sequence import Prepared
from relembra.tasks.tag._fitting import Examples
from relembra.tasks.tag._tag_set import TagSet

__all__ = ["TaggedData"]


@dataclass(frozen=True)
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
