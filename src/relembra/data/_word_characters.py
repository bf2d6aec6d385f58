"""Words, and the characters of each for a network inside the network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from relembra._errors import ArtifactError
from relembra._files import JSON
from relembra.data._characters import Characters
from relembra.data._encoded import Inputs
from relembra.data._ragged import Ragged, offsets_of
from relembra.data._types import Ints
from relembra.data._words import Text, Words, cut

__all__ = ["EncodedWords", "WordCharacters"]


@dataclass(frozen=True, eq=False)
class EncodedWords:
    """Rows of words with their spelling.

    Parameters
    ----------
    words
        Ids of the words of each row.
    forms
        Which distinct form each word of each row is, ``(N,)``, laid out as ``words``.
    spelling
        Ids of the characters of each distinct form.
    """

    words: Ragged
    forms: Ragged
    spelling: Ragged

    @property
    def lengths(self) -> Ints:
        """``(n,)`` int64: the words of each row."""
        return self.words.lengths

    def batch(self, indices: npt.ArrayLike) -> Inputs:
        """Return some rows.

        Parameters
        ----------
        indices
            ``(B,)`` numbers of rows.

        Returns
        -------
        Inputs
            ``"ids"`` ``(B, T)``, the words; ``"characters"`` ``(U, C)``, the spelling of the U
            distinct forms in these rows, padded with 0; ``"character_lengths"`` ``(U,)``;
            ``"spelling"`` ``(B, T)``, which of the U forms each word is. All int64. A padded
            cell has the form 0: its length says that it means nothing.
        """
        ids, lengths = self.words.padded(indices)
        forms, _ = self.forms.padded(indices, fill=-1)
        distinct, places = np.unique(forms.numpy(), return_inverse=True)
        padded = int(len(distinct) > 0 and distinct[0] < 0)
        characters, spelled = self.spelling.padded(distinct[padded:])
        values = {
            "ids": ids,
            "spelling": torch.from_numpy(places.reshape(forms.shape)).sub(padded).clamp(min=0),
            "characters": characters,
            "character_lengths": spelled,
        }
        return Inputs(values, lengths)


@dataclass(frozen=True)
class WordCharacters:
    """Text as its words, and each word as its characters, so that unseen words mean something.

    Texts are cut into words as :class:`Words` does. Words are looked up in small letters if so
    wished; their spelling keeps the capital ones.

    Parameters
    ----------
    words
        The words.
    characters
        The characters that words are made of.

    Examples
    --------
    >>> feature = WordCharacters.fit(["O gato viu o rato."])
    >>> batch = feature.encode(["O pato viu o gato", "viu"]).batch([0, 1])
    >>> batch.values["ids"].tolist()
    [[2, 1, 6, 2, 4], [6, 0, 0, 0, 0]]
    >>> [feature.characters.decode(row) for row in batch.values["characters"]]
    ['O', '�ato', 'viu', 'o', 'gato']
    >>> batch.values["spelling"].tolist()
    [[0, 1, 2, 3, 4], [2, 0, 0, 0, 0]]
    """

    kind: ClassVar[str] = "word_characters"

    words: Words
    characters: Characters

    @classmethod
    def fit(
        cls,
        texts: Iterable[Text],
        *,
        lower: bool = True,
        size: int | None = None,
        least: int = 1,
        least_character: int = 1,
    ) -> WordCharacters:
        """Count the words of training texts, and their characters.

        Parameters
        ----------
        texts
            Training texts, or lists of words.
        lower
            Whether words are looked up in small letters.
        size
            At most so many words, the most frequent ones.
        least
            Words that were seen less often are unknown, but for their spelling.
        least_character
            Characters that were seen less often are unknown.

        Returns
        -------
        WordCharacters

        Raises
        ------
        DataError
            ``texts`` is one text, or holds something else than texts or lists of words.
        ConfigError
            ``size``, ``least`` or ``least_character`` is less than 1.
        """
        rows = list(cut(texts, lower=False))
        spelled = Characters.fit(("".join(row) for row in rows), least=least_character)
        return cls(Words.fit(rows, lower=lower, size=size, least=least), spelled)

    @property
    def size(self) -> int:
        """How many different word ids there are, padding and unknown included."""
        return self.words.size

    def encode(self, texts: Iterable[Text]) -> EncodedWords:
        """Return words and their spelling.

        Raises
        ------
        DataError
            ``texts`` is one text, or holds something else than texts or lists of words.
        """
        rows = list(cut(texts, lower=False))
        numbers: dict[str, int] = {}
        flat = chain.from_iterable(rows)
        forms = np.array([numbers.setdefault(w, len(numbers)) for w in flat], np.int64)
        distinct = [w.lower() for w in numbers] if self.words.lower else list(numbers)
        offsets = offsets_of([len(row) for row in rows])
        ids = self.words.vocabulary.ids(distinct)[forms]
        spelling = self.characters.encode(list(numbers)).ids
        return EncodedWords(Ragged(ids, offsets), Ragged(forms, offsets), spelling)

    def to_json(self) -> dict[str, JSON]:
        """Return what rebuilds it, as JSON values."""
        parts = {"words": self.words.to_json(), "characters": self.characters.to_json()}
        return {"kind": self.kind, **parts}

    def tensors(self) -> dict[str, Tensor]:
        """Return no tensors."""
        return {}

    @classmethod
    def from_json(cls, values: Mapping[str, object], tensors: Mapping[str, Any]) -> WordCharacters:
        """Return what :meth:`to_json` described.

        Raises
        ------
        ArtifactError
            The description is damaged.
        """
        words, characters = values.get("words"), values.get("characters")
        if not isinstance(words, Mapping) or not isinstance(characters, Mapping):
            raise ArtifactError("the features of the model are damaged: copy the file anew")
        return cls(Words.from_json(words, {}), Characters.from_json(characters, {}))
