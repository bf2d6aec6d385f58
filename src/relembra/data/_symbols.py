"""Sequences over a fixed alphabet, such as DNA."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from torch import Tensor

from relembra._errors import ConfigError, DataError
from relembra._files import JSON
from relembra.data._characters import Characters, count_characters
from relembra.data._encoded import EncodedIds, each_text, field
from relembra.data._gathering import gather_ids
from relembra.data._types import Codes
from relembra.data._vocabulary import UNKNOWN, Vocabulary

__all__ = ["Symbols"]


@dataclass(frozen=True)
class Symbols:
    """Letters of a fixed alphabet, one a step; any other letter is an error.

    Parameters
    ----------
    alphabet
        The letters. Their ids are 2, 3, ... in this order; 0 is padding, and 1 is not used.

    Raises
    ------
    ConfigError
        The alphabet is empty, or a letter is in it twice.

    Examples
    --------
    >>> dna = Symbols("ACGT")
    >>> dna.encode(["GATT"]).batch([0]).values["ids"].tolist()
    [[4, 2, 5, 5]]
    >>> dna.encode(["GATT", "GAXT"])
    Traceback (most recent call last):
    relembra...DataError: sequence 2, position 3: 'X' is not in the alphabet 'ACGT'...
    """

    kind: ClassVar[str] = "symbols"

    alphabet: str

    def __post_init__(self) -> None:
        twice = [c for i, c in enumerate(self.alphabet) if c in self.alphabet[:i]]
        if twice or not self.alphabet:
            what = f"{twice[0]!r} twice" if twice else "no letters"
            raise ConfigError(f"the alphabet has {what}; expected each letter once, as in 'ACGT'")

    @classmethod
    def fit(cls, sequences: Iterable[str], *, alphabet: str | None = None) -> Symbols:
        """Take the alphabet, or gather it from training sequences.

        Parameters
        ----------
        sequences
            Training sequences.
        alphabet
            The letters; those of the sequences, sorted, when None.

        Returns
        -------
        Symbols

        Raises
        ------
        ConfigError
            The alphabet is empty, or a letter is in it twice.
        DataError
            ``sequences`` is one text, or holds something else than texts.
        """
        return cls("".join(sorted(count_characters(sequences))) if alphabet is None else alphabet)

    @property
    def size(self) -> int:
        """How many different ids there are, padding and unknown included."""
        return len(self.alphabet) + 2

    def encode(self, sequences: Iterable[str]) -> EncodedIds:
        """Return the ids of each letter; on disk where they are more than 256 MB.

        Raises
        ------
        DataError
            A letter is not in the alphabet; it and its place, counted from 1, are named.
        """
        before = 0

        def ids(some: list[str]) -> Codes:
            nonlocal before
            found = self._characters.ids("".join(some))
            if (bad := np.flatnonzero(found == UNKNOWN)).size:
                raise self._error(some, int(bad[0]), before)
            before += len(some)
            return found

        return EncodedIds(gather_ids(each_text(sequences), ids, self.size))

    def decode(self, ids: npt.ArrayLike) -> str:
        """Return the letters of some ids; padding is left out.

        Raises
        ------
        DataError
            An id is outside the alphabet.
        """
        return self._characters.decode(ids)

    def to_json(self) -> dict[str, JSON]:
        """Return what rebuilds it, as JSON values."""
        return {"kind": self.kind, "alphabet": self.alphabet}

    def tensors(self) -> dict[str, Tensor]:
        """Return no tensors."""
        return {}

    @classmethod
    def from_json(cls, values: Mapping[str, object], tensors: Mapping[str, Any]) -> Symbols:
        """Return what :meth:`to_json` described.

        Raises
        ------
        ArtifactError
            The description is damaged.
        """
        return cls(field(values, "alphabet", str))

    def _error(self, rows: list[str], place: int, before: int) -> DataError:
        """Return what is wrong with the letter at a place in rows that others stood before."""
        number = before + 1
        for row in rows:
            if place < len(row):
                break
            place, number = place - len(row), number + 1
        return DataError(
            f"sequence {number}, position {place + 1}: {row[place]!r} is not in the "
            f"alphabet {self.alphabet!r}; {_hint(row[place], self.alphabet)}"
        )

    @cached_property
    def _characters(self) -> Characters:
        return Characters(Vocabulary(tuple(self.alphabet)))


def _hint(letter: str, alphabet: str) -> str:
    for other, kind in ((letter.upper(), "capital"), (letter.lower(), "small")):
        if other in alphabet and other != letter:
            return f"write it as the {kind} letter {other!r}"
    return "correct it, or give an alphabet that has it"
