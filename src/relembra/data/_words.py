"""Text as words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar, TypeAlias

import numpy.typing as npt
from torch import Tensor

from relembra._errors import DataError
from relembra._files import JSON
from relembra.data._encoded import EncodedIds, field
from relembra.data._gathering import gather_ids
from relembra.data._splitting import join_words, splitter
from relembra.data._types import Ints
from relembra.data._vocabulary import Vocabulary, count_symbols

__all__ = ["Text", "Words", "cut"]

# A text, or one that is cut into words already.
Text: TypeAlias = "str | Sequence[str]"


@dataclass(frozen=True)
class Words:
    """Text as its words, numbers and punctuation marks, one a step.

    A number is digits with single points, commas or colons inside (``1.234,5``); a word is letters,
    accents, digits and underscores, with apostrophes inside (``d'água``, ``don't``); every other
    character but white space stands alone, hyphens too. Texts are brought into Unicode's composed
    form first. Texts that come as lists of words are taken as they are.

    Parameters
    ----------
    vocabulary
        The words.
    lower
        Whether capital letters become small ones.
    lines
        Whether the end of a line counts as a word.

    Examples
    --------
    >>> feature = Words.fit(["A casa, a casa!", "O gato."])
    >>> feature.words("A casa do gato...")
    ['a', 'casa', 'do', 'gato', '.', '.', '.']
    >>> feature.encode(["A casa do gato."]).batch([0]).values["ids"].tolist()
    [[2, 3, 1, 7, 6]]
    >>> feature.decode([2, 3, 5, 2, 3, 6])
    'a casa, a casa.'
    """

    kind: ClassVar[str] = "words"

    vocabulary: Vocabulary
    lower: bool = True
    lines: bool = False

    @classmethod
    def fit(
        cls,
        texts: Iterable[Text],
        *,
        lower: bool = True,
        lines: bool = False,
        size: int | None = None,
        least: int = 1,
        specials: Sequence[str] = (),
    ) -> Words:
        r"""Count the words of training texts.

        Parameters
        ----------
        texts
            Training texts, or lists of words, read once: a generator will do.
        lower
            Whether capital letters become small ones.
        lines
            Whether the end of a line counts as a word, ``"\n"``.
        size
            At most so many words, the most frequent ones. Among more than two million different
            ones those that were rare so far may be forgotten while counting.
        least
            Words that were seen less often are unknown.
        specials
            Symbols that stand for no text, such as the end of a turn.

        Returns
        -------
        Words

        Raises
        ------
        DataError
            ``texts`` is one text, or holds something else than texts or lists of words.
        ConfigError
            ``size`` or ``least`` is less than 1.
        """
        counts = count_symbols(cut(texts, lower, lines), size)
        return cls(Vocabulary.of(counts, size, least, specials), lower, lines)

    @property
    def size(self) -> int:
        """How many different ids there are, padding and unknown included."""
        return len(self.vocabulary)

    def words(self, text: Text) -> list[str]:
        """Return the words of one text, as they are looked up."""
        return next(cut([text], self.lower, self.lines))

    def encode(self, texts: Iterable[Text]) -> EncodedIds:
        """Return the ids of each word, 1 for those that are not in the vocabulary.

        They are on disk where they are more than 256 MB.

        Raises
        ------
        DataError
            ``texts`` is one text, or holds something else than texts or lists of words.
        """

        def ids(some: list[list[str]]) -> Ints:
            return self.vocabulary.ids(chain.from_iterable(some))

        return EncodedIds(gather_ids(cut(texts, self.lower, self.lines), ids, self.size))

    def ids(self, text: Text) -> Ints:
        """Return the ids of one text, ``(T,)`` int64."""
        return self.vocabulary.ids(self.words(text))

    def decode(self, ids: npt.ArrayLike) -> str:
        r"""Return words as a text, with blanks where they usually stand.

        It is no inverse: what white space there was is not kept. Padding is left out, and the
        unknown is ``"\ufffd"``.

        Raises
        ------
        DataError
            An id is outside the vocabulary.
        """
        return join_words([word for word in self.vocabulary.symbols(ids) if word])

    def to_json(self) -> dict[str, JSON]:
        """Return what rebuilds it, as JSON values."""
        return {
            "kind": self.kind,
            "vocabulary": self.vocabulary.to_json(),
            "lower": self.lower,
            "lines": self.lines,
        }

    def tensors(self) -> dict[str, Tensor]:
        """Return no tensors."""
        return {}

    @classmethod
    def from_json(cls, values: Mapping[str, object], tensors: Mapping[str, Any]) -> Words:
        """Return what :meth:`to_json` described.

        Raises
        ------
        ArtifactError
            The description is damaged.
        """
        vocabulary = Vocabulary.from_json(values.get("vocabulary"))
        return cls(vocabulary, field(values, "lower", bool), field(values, "lines", bool))


def cut(texts: Iterable[Text], lower: bool, lines: bool = False) -> Iterator[list[str]]:
    """Yield the words of each text.

    Raises
    ------
    DataError
        ``texts`` is one text, or holds something else than texts or lists of words.
    """
    if isinstance(texts, str):
        raise DataError("got one text; expected a list of texts: put it into brackets")
    return _cut(texts, lower, lines)


def _cut(texts: Iterable[Text], lower: bool, lines: bool) -> Iterator[list[str]]:
    split = splitter(lower, lines)
    for number, text in enumerate(texts, 1):
        if isinstance(text, str):
            yield split(text)
        elif isinstance(text, list | tuple) and all(isinstance(word, str) for word in text):
            yield [word.lower() for word in text] if lower else list(text)
        else:
            raise DataError(
                f"row {number} is {type(text).__name__}: {text!r:.60}; expected a text or a list "
                "of words"
            )
