"""The labels of many rows: as numbers, with each name but once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from relembra.data._row_numbers import row_numbers
from relembra.data._types import Codes, Ints

__all__ = ["LabelCoding", "Labels", "label_codes"]


@dataclass(frozen=True, eq=False)
class Labels(Sequence[str]):
    """Labels of rows, read-only, in four bytes each; ``numpy.asarray`` makes an array of text.

    Parameters
    ----------
    names
        ``(K,)`` text, sorted.
    codes
        ``(n,)`` int32, which of them each row has.

    Examples
    --------
    >>> labels = Labels.of(["pos", "neg", "pos"])
    >>> labels[0], list(labels[[1, 2]]), labels.codes.tolist()
    ('pos', ['neg', 'pos'], [1, 0, 1])
    """

    names: npt.NDArray[Any]
    codes: Codes

    @classmethod
    def of(cls, labels: Sequence[str]) -> Labels:
        """Return labels as numbers."""
        coding = LabelCoding()
        coding.add(labels)
        return coding.finish()

    @property
    def shape(self) -> tuple[int, ...]:
        """``(n,)``."""
        return self.codes.shape

    def __len__(self) -> int:
        return len(self.codes)

    def __iter__(self) -> Iterator[str]:
        names = self.names.tolist()
        return (names[code] for code in self.codes.tolist())

    @overload
    def __getitem__(self, index: int | np.integer[Any]) -> str: ...
    @overload
    def __getitem__(self, index: slice | npt.ArrayLike) -> Labels: ...
    def __getitem__(self, index: Any) -> str | Labels:
        if isinstance(index, tuple) and len(index) == 2 and index[1] is ...:
            index = index[0]  # so scikit-learn asks for rows of what has a shape
        if isinstance(index, int | np.integer):
            return str(self.names[self.codes[index]])
        rows = index if isinstance(index, slice) else row_numbers(index, len(self))
        return Labels(self.names, self.codes[rows])

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Any:
        if copy is False:
            raise ValueError("labels are numbers inside: an array of them is a copy")
        return self.names[self.codes].astype(dtype or self.names.dtype, copy=False)


class LabelCoding:
    """Numbers labels that come some at a time."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._codes: list[Codes] = [np.empty(0, np.int32)]

    def add(self, labels: Sequence[str]) -> None:
        """Take some more."""
        number, known = self._numbers.setdefault, self._numbers
        codes = (number(label, len(known)) for label in labels)
        self._codes.append(np.fromiter(codes, np.int32, len(labels)))

    def finish(self) -> Labels:
        """Return all of them."""
        names, ranks = np.unique(np.array(list(self._numbers), str), return_inverse=True)
        return Labels(names, ranks.reshape(-1).astype(np.int32)[np.concatenate(self._codes)])


def label_codes(labels: npt.ArrayLike | Labels) -> tuple[npt.NDArray[Any], Ints]:
    """Return the labels that occur, sorted ``(K,)``, and which of them each row has, ``(n,)``.

    Examples
    --------
    >>> label_codes([7, 3, 7])
    (array([3, 7]), array([1, 0, 1]))
    """
    if not isinstance(labels, Labels):
        names, codes = np.unique(np.asarray(labels), return_inverse=True)
        return names, codes.reshape(-1).astype(np.int64, copy=False)
    seen = np.bincount(labels.codes, minlength=len(labels.names)) > 0
    return labels.names[seen], (np.cumsum(seen) - 1)[labels.codes]
