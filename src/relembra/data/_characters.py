"""Text as characters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from torch import Tensor

from relembra._files import JSON
from relembra.data._encoded import EncodedIds, each_text
from relembra.data._gathering import gather_ids
from relembra.data._types import Codes
from relembra.data._vocabulary import UNKNOWN, Vocabulary

__all__ = ["Characters", "count_characters"]

_CODE_POINTS = 0x110000
_HELD = 1 << 18  # characters counted at once


@dataclass(frozen=True)
class Characters:
    """Text as its characters (Unicode code points), one a step; nothing is changed or left out.

    Parameters
    ----------
    vocabulary
        The characters.

    Examples
    --------
    >>> feature = Characters.fit(["ação", "cão"])
    >>> feature.encode(["coca"]).batch([0]).values["ids"].tolist()
    [[5, 2, 5, 4]]
    >>> feature.decode([5, 2, 5, 4])
    'coca'
    """

    kind: ClassVar[str] = "characters"

    vocabulary: Vocabulary

    @classmethod
    def fit(
        cls,
        texts: Iterable[str],
        *,
        size: int | None = None,
        least: int = 1,
        specials: Sequence[str] = (),
    ) -> Characters:
        """Count the characters of training texts.

        Parameters
        ----------
        texts
            Training texts, read once: a generator will do.
        size
            At most so many characters, the most frequent ones.
        least
            Characters that were seen less often are unknown.
        specials
            Symbols that stand for no text, such as the end of a turn.

        Returns
        -------
        Characters

        Raises
        ------
        DataError
            ``texts`` is one text, or holds something else than texts.
        ConfigError
            ``size`` or ``least`` is less than 1.
        """
        return cls(Vocabulary.of(count_characters(texts), size, least, specials))

    @property
    def size(self) -> int:
        """How many different ids there are, padding and unknown included."""
        return len(self.vocabulary)

    def encode(self, texts: Iterable[str]) -> EncodedIds:
        """Return the ids of each character, 1 for those that training never saw.

        They are on disk where they are more than 256 MB.

        Raises
        ------
        DataError
            ``texts`` is one text, or holds something else than texts.
        """
        rows = each_text(texts)
        return EncodedIds(gather_ids(rows, lambda some: self.ids("".join(some)), self.size))

    def ids(self, text: str) -> Codes:
        """Return the ids of one text, ``(T,)`` int32."""
        return self._table[_code_points(text)]

    def decode(self, ids: npt.ArrayLike) -> str:
        r"""Return the text of some ids: padding as nothing, the unknown as ``"\ufffd"``.

        Raises
        ------
        DataError
            An id is outside the vocabulary.
        """
        return "".join(self.vocabulary.symbols(ids))

    def to_json(self) -> dict[str, JSON]:
        """Return what rebuilds it, as JSON values."""
        return {"kind": self.kind, "vocabulary": self.vocabulary.to_json()}

    def tensors(self) -> dict[str, Tensor]:
        """Return no tensors."""
        return {}

    @classmethod
    def from_json(cls, values: Mapping[str, object], tensors: Mapping[str, Any]) -> Characters:
        """Return what :meth:`to_json` described.

        Raises
        ------
        ArtifactError
            The description is damaged.
        """
        return cls(Vocabulary.from_json(values.get("vocabulary")))

    @cached_property
    def _table(self) -> Codes:
        """Return the id of every code point, ``(0x110000,)``; only pages in use take memory."""
        table = np.full(_CODE_POINTS, UNKNOWN, np.int32)
        ordinary = self.vocabulary.known[self.vocabulary.specials :]
        table[[ord(c) for c in ordinary]] = np.arange(len(ordinary)) + 2 + self.vocabulary.specials
        return table


def count_characters(texts: Iterable[str]) -> dict[str, int]:
    """Return how often each character occurs."""
    counts = np.zeros(_CODE_POINTS, np.int64)
    waiting: list[str] = []
    held = 0
    for text in each_text(texts):
        waiting.append(text)
        held += len(text)
        if held > _HELD:
            _count("".join(waiting), counts)
            waiting, held = [], 0
    _count("".join(waiting), counts)
    return {chr(code): int(counts[code]) for code in np.flatnonzero(counts).tolist()}


def _count(text: str, counts: npt.NDArray[np.int64]) -> None:
    seen = np.bincount(_code_points(text))
    counts[: len(seen)] += seen


def _code_points(text: str) -> npt.NDArray[np.uint32]:
    # Half a surrogate pair is no valid text, but JSON can hold one.
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
