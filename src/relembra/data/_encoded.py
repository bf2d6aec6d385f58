"""What features make of raw data: lengths, and batches of tensors by index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

import numpy.typing as npt
from torch import Tensor

from relembra._errors import ArtifactError, DataError
from relembra._files import JSON
from relembra.data._ragged import Ragged
from relembra.data._types import Ints

__all__ = ["Encoded", "EncodedIds", "Feature", "Inputs", "check_texts", "each_text", "field"]

T = TypeVar("T")


class Inputs(NamedTuple):
    """A batch of B rows, padded to the longest one's T steps.

    Attributes
    ----------
    values
        Tensors by name: ``"ids"`` ``(B, T)`` int64 (0 is padding), or ``"frames"`` ``(B, T, K)``
        float32. Words with their spelling have ``"spelling"``, ``"characters"`` and
        ``"character_lengths"`` besides: see :class:`WordCharacters`.
    lengths
        ``(B,)`` int64.
    """

    values: dict[str, Tensor]
    lengths: Tensor


class Encoded(Protocol):
    """Rows ready for a network."""

    @property
    def lengths(self) -> Ints:
        """``(n,)`` int64: the steps of each row."""

    def batch(self, indices: npt.ArrayLike) -> Inputs:
        """Return some rows, a pure function of their numbers ``(B,)``."""


class Feature(Protocol):
    """A way to turn raw rows into numbers, learnt from training data, kept in the model file."""

    kind: ClassVar[str]

    def encode(self, raw: Any) -> Encoded:
        """Return rows ready for a network."""

    def to_json(self) -> dict[str, JSON]:
        """Return what rebuilds it, as JSON values, its ``kind`` among them."""

    def tensors(self) -> dict[str, Tensor]:
        """Return what rebuilds it besides, as tensors."""


@dataclass(frozen=True, eq=False)
class EncodedIds:
    """Rows of numbers, drawn as the input ``"ids"``.

    Parameters
    ----------
    ids
        Whole numbers.
    """

    ids: Ragged

    @property
    def lengths(self) -> Ints:
        """``(n,)`` int64: the steps of each row."""
        return self.ids.lengths

    def batch(self, indices: npt.ArrayLike) -> Inputs:
        """Return some rows as ``"ids"`` ``(B, T)`` int64, padded with 0."""
        ids, lengths = self.ids.padded(indices)
        return Inputs({"ids": ids}, lengths)


def each_text(texts: Iterable[str]) -> Iterator[str]:
    """Yield texts.

    Raises
    ------
    DataError
        It is one text instead of several, or holds something else.
    """
    if isinstance(texts, str):
        raise DataError("got one text; expected a list of texts: put it into brackets")
    for number, row in enumerate(texts, 1):
        if not isinstance(row, str):
            raise DataError(f"row {number} is a {type(row).__name__}; expected a text")
        yield row


def check_texts(texts: Iterable[str]) -> Sequence[str]:
    """Return texts as a list, checked as by :func:`each_text`."""
    return list(each_text(texts))


def field(values: Mapping[str, object], name: str, kind: type[T]) -> T:
    """Return a value of a feature's description.

    Raises
    ------
    ArtifactError
        It is missing or of another type.
    """
    value = values.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ArtifactError(
            f"the features of the model are damaged: {name!r} is {value!r}, expected "
            f"{kind.__name__}; copy the file anew"
        )
    return value
