"""The tags: those that data and answers have, and those that the network tells apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relembra._errors import ConfigError, DataError
from relembra.data import Ragged
from relembra.evaluation import Scheme, allowed_transitions, repair_tags, spans, tags_of_spans

__all__ = ["Tag", "TagSet", "check_rules", "find_scheme", "first_foreign"]

Tag = str | int
_SPAN = re.compile(r"O|[BIES](-.+)?")
_SHOWN = 60


@dataclass(frozen=True)
class TagSet:
    """Tags and their numbers.

    Parameters
    ----------
    tags
        The K tags of the data, sorted.
    scheme
        How they write spans; None where they are no spans.
    inner
        Those that the network tells apart, in its own scheme.
    inner_scheme
        That scheme.

    Examples
    --------
    >>> tag_set = TagSet.fit([["O", "B-day"], ["B-day", "I-day"]], "bioes")
    >>> tag_set.tags, tag_set.inner
    (('B-day', 'I-day', 'O'), ('B-day', 'E-day', 'O', 'S-day'))
    >>> tag_set.decode([2, 0, 1])
    ['O', 'B-day', 'I-day']
    """

    tags: tuple[Tag, ...]
    scheme: Scheme | None
    inner: tuple[Tag, ...]
    inner_scheme: Scheme | None

    @classmethod
    def fit(cls, rows: Sequence[Sequence[Tag]], scheme: Scheme | None = None) -> TagSet:
        """Collect the tags of training data.

        Parameters
        ----------
        rows
            The tags of each sequence.
        scheme
            In which the network is to work; that of the tags when None.

        Raises
        ------
        DataError
            There are none, or a single one, or numbers and texts are mixed.
        ConfigError
            A scheme is asked for, but the tags are no spans.
        """
        tags = _sorted(rows)
        if len(tags) < 2:
            raise DataError(f"all tags are {tags[0]!r}; expected two different ones or more")
        found = find_scheme(tags)
        if scheme is not None and found is None:
            raise ConfigError(
                f"scheme is {scheme!r}, but the tags are no spans: they are {_listed(tags)}"
            )
        if scheme is None or scheme == found:
            return cls(tags, found, tags, found)
        inner = _sorted([repair_tags([str(t) for t in row], scheme) for row in rows])
        return cls(tags, found, inner, scheme)

    @cached_property
    def numbers(self) -> dict[Tag, int]:
        """The number of each inner tag."""
        return {tag: number for number, tag in enumerate(self.inner)}

    def encode(self, rows: Sequence[Sequence[Tag]]) -> Ragged:
        """Return the numbers of the inner tags; -1 for one that training did not see."""
        if self.inner_scheme != self.scheme and self.inner_scheme is not None:
            rows = [repair_tags([str(t) for t in row], self.inner_scheme) for row in rows]
        known = self.numbers
        return Ragged.of([[known.get(tag, -1) for tag in row] for row in rows], np.int64)

    def decode(self, numbers: Sequence[int], *, repair: bool = False) -> list[Tag]:
        """Return tags as the data has them.

        Parameters
        ----------
        numbers
            Inner tags of one sequence.
        repair
            Whether tags that break the rules of their scheme are corrected.
        """
        tags = [self.inner[number] for number in numbers]
        if self.scheme is None or (self.scheme == self.inner_scheme and not repair):
            return tags
        texts = [str(tag) for tag in tags]
        return list(tags_of_spans(spans(texts), len(texts), self.scheme))

    def allowed(self) -> Tensor | None:
        """Return which inner tag may follow which, None where everything may."""
        if self.inner_scheme is None:
            return None
        return torch.from_numpy(
            allowed_transitions([str(t) for t in self.inner], self.inner_scheme)
        )

    @cached_property
    def merging(self) -> Tensor:
        """(inner, K) float64: 1 where an inner tag is written as a tag of the data."""
        if self.inner_scheme == self.scheme:
            return torch.eye(len(self.tags), dtype=torch.float64)
        begins = {"S": "B", "B": "B", "E": "I", "I": "I", "O": "O"}
        merged = torch.zeros(len(self.inner), len(self.tags), dtype=torch.float64)
        for row, tag in enumerate(map(str, self.inner)):
            name = tag if self.scheme == "bioes" else begins[tag[0]] + tag[1:]
            if name in self.tags:
                merged[row, self.tags.index(name)] = 1.0
        return merged

    def to_json(self) -> dict[str, Any]:
        """Return what rebuilds it."""
        return {
            "tags": list(self.tags),
            "scheme": self.scheme,
            "inner": list(self.inner),
            "inner_scheme": self.inner_scheme,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> TagSet:
        """Return what `to_json` described."""
        return cls(
            tuple(values["tags"]), values["scheme"], tuple(values["inner"]), values["inner_scheme"]
        )


def find_scheme(tags: Sequence[Tag]) -> Scheme | None:
    """Return the scheme in which tags write spans, or None.

    Tags are spans when each is O, or B, I, E or S with or without a label, and O and one of the
    others are there.

    Examples
    --------
    >>> find_scheme(["O", "B-town", "I-town"]), find_scheme(["NOUN", "VERB"])
    ('bio', None)
    """
    texts = [tag for tag in tags if isinstance(tag, str) and _SPAN.fullmatch(tag)]
    prefixes = {text[0] for text in texts}
    if len(texts) < len(tags) or not {"B", "I", "E", "S"} & prefixes:
        return None
    if "O" not in prefixes and not all("-" in text for text in texts):
        return None
    return "bioes" if prefixes & {"E", "S"} else "bio"


def check_rules(rows: Sequence[Sequence[Tag]], scheme: Scheme) -> tuple[int, int] | None:
    """Return row and step of the first tag that breaks the rules of its scheme, both from 0.

    Examples
    --------
    >>> check_rules([["O", "B-x"], ["O", "I-x"]], "bio")
    (1, 1)
    """
    for number, row in enumerate(rows):
        texts = [str(tag) for tag in row]
        repaired = repair_tags(texts, scheme)
        for step, (old, new) in enumerate(zip(texts, repaired, strict=True)):
            if old != new:
                return number, step
    return None


def first_foreign(rows: Sequence[Sequence[Tag]]) -> tuple[int, int] | None:
    """Return row and step of the first tag that writes no span in any scheme, both from 0.

    Examples
    --------
    >>> first_foreign([["O", "B-x"], ["O", "from"]])
    (1, 1)
    """
    for number, row in enumerate(rows):
        for step, tag in enumerate(row):
            if not isinstance(tag, str) or not _SPAN.fullmatch(tag):
                return number, step
    return None


def _sorted(rows: Sequence[Sequence[Tag]]) -> tuple[Tag, ...]:
    found = set(chain.from_iterable(rows))
    kinds = {type(tag) for tag in found}
    if not found or kinds - {str} and kinds - {int}:
        names = ", ".join(sorted(kind.__name__ for kind in kinds)) or "none"
        raise DataError(f"the tags are of these types: {names}; expected texts, or whole numbers")
    return tuple(sorted(found))


def _listed(tags: Sequence[Tag]) -> str:
    text = ", ".join(map(str, tags))
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
