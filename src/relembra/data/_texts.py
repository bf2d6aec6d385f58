"""Many texts: in memory, or in a file on disk where they are more than fits there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from relembra.data._encoded import each_text
from relembra.data._gathering import TEXT_MEMORY, Gathering, blocks
from relembra.data._ragged import Ragged
from relembra.data._row_numbers import row_numbers
from relembra.data._types import Ints

__all__ = ["Texts"]

_ROWS = 4096  # whose places are looked up at once
# Half a surrogate pair is no valid text, but a table in memory can hold one.
_CODE = "utf-8", "surrogatepass"


@dataclass(frozen=True, eq=False)
class Texts(Sequence[str]):
    """Texts, read-only, as UTF-8 one behind the other; make them by :meth:`of`.

    Those of more than 256 MB lie in a temporary file that is mapped into memory; it has no name,
    and is gone with them.

    Parameters
    ----------
    raw
        ``(N,)`` uint8, the bytes of each text.
    chosen
        ``(n,)`` int64, numbers of the texts that are meant, in this order; all when None.

    Examples
    --------
    >>> texts = Texts.of(["um", "dois", "três"])
    >>> len(texts), texts[2], list(texts[[1, 0]])
    (3, 'três', ['dois', 'um'])
    """

    raw: Ragged
    chosen: Ints | None = None

    @classmethod
    def of(cls, texts: Iterable[str], *, memory: int | None = None) -> Texts:
        """Store texts, one at a time.

        Parameters
        ----------
        texts
            They are read once: a generator will do.
        memory
            Bytes above which they are on disk; 256 MB when None.

        Raises
        ------
        DataError
            It is one text, or holds something else; or there is no room on disk.
        """
        most = TEXT_MEMORY if memory is None else memory
        with Gathering((), np.uint8, memory=most) as gathering:
            for some in blocks(each_text(texts)):
                coded = [text.encode(*_CODE) for text in some]
                gathering.add(np.frombuffer(b"".join(coded), np.uint8), map(len, coded))
            return cls(gathering.finish())

    @property
    def sizes(self) -> Ints:
        """``(n,)`` int64: the bytes of each text."""
        return self.raw.lengths if self.chosen is None else self.raw.lengths[self.chosen]

    def take(self, indices: npt.ArrayLike | slice) -> Texts:
        """Return some of the texts, in the given order; nothing is copied.

        Parameters
        ----------
        indices
            As :func:`row_numbers` takes them.
        """
        chosen = row_numbers(indices, len(self))
        return Texts(self.raw, chosen if self.chosen is None else self.chosen[chosen])

    def __len__(self) -> int:
        return len(self.raw) if self.chosen is None else len(self.chosen)

    def __iter__(self) -> Iterator[str]:
        for begin in range(0, len(self), _ROWS):
            yield from self._decoded(begin, min(begin + _ROWS, len(self)))

    @overload
    def __getitem__(self, index: int | np.integer[Any]) -> str: ...
    @overload
    def __getitem__(self, index: slice | npt.ArrayLike) -> Texts: ...
    def __getitem__(self, index: Any) -> str | Texts:
        if not isinstance(index, int | np.integer):
            return self.take(index)
        if not -len(self) <= index < len(self):
            raise IndexError(f"text {index} of {len(self)}")
        place = int(index) % len(self)
        return next(self._decoded(place, place + 1))

    def _decoded(self, begin: int, end: int) -> Iterator[str]:
        rows = np.arange(begin, end) if self.chosen is None else self.chosen[begin:end]
        offsets, code = self.raw.offsets, self.raw.values.data
        for first, last in zip(offsets[rows].tolist(), offsets[rows + 1].tolist(), strict=True):
            yield str(code[first:last], *_CODE)
