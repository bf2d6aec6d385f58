"""Words, and the characters of each for a network inside the network."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from relembra._errors import ArtifactError
from relembra._files import JSON
from relembra.data._characters import Characters
from relembra.data._encoded import Inputs
from relembra.data._gathering import TEXT_MEMORY, Gathering, blocks
from relembra.data._ragged import Ragged
from relembra.data._types import Codes, Ints
from relembra.data._vocabulary import Vocabulary, count_symbols
from relembra.data._words import Text, Words, cut

__all__ = ["EncodedWords", "WordCharacters"]

_FORMS = 1 << 20  # distinct forms of words that are held while encoding


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
            At most so many words, the most frequent ones, counted as :class:`Words` does.
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
        forms = count_symbols(cut(texts, lower=False), size)
        counts: Counter[str] = Counter()
        letters: Counter[str] = Counter()
        for form, count in forms.items():
            counts[form.lower() if lower else form] += count
            for letter in form:
                letters[letter] += count
        words = Words(Vocabulary.of(counts, size, least), lower)
        return cls(words, Characters(Vocabulary.of(letters, None, least_character)))

    @property
    def size(self) -> int:
        """How many different word ids there are, padding and unknown included."""
        return self.words.size

    def encode(self, texts: Iterable[Text]) -> EncodedWords:
        """Return words and their spelling; on disk where they are more than 256 MB.

        Raises
        ------
        DataError
            ``texts`` is one text, or holds something else than texts or lists of words.
        """
        forms = _Forms(self)
        letters = np.min_scalar_type(self.characters.size - 1)
        with (
            Gathering((2,), np.int32, memory=TEXT_MEMORY) as words,
            Gathering((), letters, memory=TEXT_MEMORY) as spelling,
        ):
            for some in blocks(cut(texts, lower=False)):
                pairs, new = forms.look_up(chain.from_iterable(some))
                words.add(pairs, map(len, some))
                spelling.add(self.characters.ids("".join(new)), map(len, new))
            both = words.finish()
            ids, numbers = (Ragged(both.values[:, k], both.offsets) for k in (0, 1))
            return EncodedWords(ids, numbers, spelling.finish())

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


class _Forms:
    """The distinct forms of words: of each its number, in the order in which they came, and id."""

    def __init__(self, feature: WordCharacters) -> None:
        self._words = feature.words
        self._numbers: dict[str, int] = {}
        self._ids = array("i")
        self._before = 0  # forms that came before those that are held

    def look_up(self, words: Iterable[str]) -> tuple[Codes, list[str]]:
        """Return ids and numbers ``(N, 2)``, and the forms that were new, in order."""
        numbers = self._numbers
        if len(numbers) > _FORMS:  # text without end: forms get a second number
            self._before += len(numbers)
            numbers.clear()
            self._ids = array("i")
        known = len(numbers)
        places = np.array([numbers.setdefault(word, len(numbers)) for word in words], np.int32)
        new = list(islice(reversed(numbers), len(numbers) - known))[::-1]
        lower = self._words.lower
        ids = self._words.vocabulary.ids(form.lower() if lower else form for form in new)
        self._ids.extend(ids.tolist())
        held = np.frombuffer(self._ids, np.int32) if self._ids else np.empty(0, np.int32)
        return np.stack([held[places], places + np.int32(self._before)], 1), new
