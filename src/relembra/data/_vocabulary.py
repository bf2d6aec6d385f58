"""Symbols and their numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from relembra._errors import ArtifactError, ConfigError, DataError
from relembra._files import JSON
from relembra.data._types import Ints

__all__ = ["PADDING", "UNKNOWN", "Vocabulary", "count_symbols", "strings"]

PADDING = 0
UNKNOWN = 1
_RESERVED = ("", "\N{REPLACEMENT CHARACTER}")
_COUNTED = 1 << 21  # different symbols in a count, some hundred bytes each


@dataclass(frozen=True)
class Vocabulary:
    """Symbols by number: 0 is padding, 1 whatever is unknown, then come the symbols.

    Parameters
    ----------
    known
        The symbols from number 2 on, each once: special ones first, then by frequency.
    specials
        How many of them are special: they stand for no text.

    Raises
    ------
    ConfigError
        A symbol is empty or there twice.

    Examples
    --------
    >>> vocabulary = Vocabulary.of({"dog": 3, "cat": 5, "emu": 1}, least=2)
    >>> vocabulary.known
    ('cat', 'dog')
    >>> vocabulary.ids(["dog", "emu"]).tolist()
    [3, 1]
    >>> vocabulary.symbols([3, 2])
    ['dog', 'cat']
    """

    known: tuple[str, ...]
    specials: int = 0

    def __post_init__(self) -> None:
        if "" in self.known:
            raise ConfigError("a symbol is empty; expected at least one character in each")
        if len(self._numbers) < len(self.known):
            twice = next(s for i, s in enumerate(self.known) if self._numbers[s] != i + 2)
            raise ConfigError(f"the symbol {twice!r} is there twice; expected each once")

    @classmethod
    def of(
        cls,
        counts: Mapping[str, int],
        size: int | None = None,
        least: int = 1,
        specials: Sequence[str] = (),
    ) -> Vocabulary:
        """Choose the symbols by how often they occur; of equally frequent ones by their order.

        Parameters
        ----------
        counts
            How often each symbol was seen.
        size
            At most so many symbols, the most frequent ones; specials, padding and unknown come on
            top. All when None.
        least
            Symbols that were seen less often are left out.
        specials
            Symbols that are there in any case, before all others.

        Returns
        -------
        Vocabulary
            The same whatever the order of ``counts``.

        Raises
        ------
        ConfigError
            ``size`` or ``least`` is less than 1.
        """
        for name, value in (("size", size), ("least", least)):
            if value is not None and value < 1:
                raise ConfigError(f"{name} is {value}; expected 1 or more")
        taken = set(specials)
        chosen = [s for s, n in counts.items() if n >= least and s not in taken]
        chosen.sort(key=lambda symbol: (-counts[symbol], symbol))
        return cls((*specials, *chosen[:size]), len(specials))

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {symbol: number for number, symbol in enumerate(self.known, 2)}

    def __len__(self) -> int:
        """Return the number of numbers, those of padding and unknown included."""
        return len(self.known) + 2

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._numbers

    def ids(self, symbols: Iterable[str]) -> Ints:
        """Return the number of each symbol, 1 for the unknown: ``(n,)`` int64."""
        get = self._numbers.get
        return np.array([get(symbol, UNKNOWN) for symbol in symbols], np.int64)

    def symbols(self, ids: npt.ArrayLike) -> list[str]:
        r"""Return the symbol of each number; padding is ``""`` and the unknown ``"\ufffd"``.

        Raises
        ------
        DataError
            A number is outside the vocabulary.
        """
        numbers = np.asarray(ids, np.int64).reshape(-1)
        wrong = numbers[(numbers < 0) | (numbers >= len(self))]
        if len(wrong):
            raise DataError(f"{wrong[0]} is no symbol; expected numbers from 0 to {len(self) - 1}")
        table = (*_RESERVED, *self.known)
        return [table[number] for number in numbers.tolist()]

    def to_json(self) -> dict[str, JSON]:
        """Return it as JSON values."""
        return {"known": list(self.known), "specials": self.specials}

    @classmethod
    def from_json(cls, values: object) -> Vocabulary:
        """Return what :meth:`to_json` described.

        Raises
        ------
        ArtifactError
            The description is incomplete or damaged.
        """
        if isinstance(values, Mapping):
            specials = values.get("specials")
            known = strings(values.get("known"), "vocabulary")
            if isinstance(specials, int) and 0 <= specials <= len(known):
                return cls(known, specials)
        raise ArtifactError("the vocabulary of the model is damaged: copy the file anew")


def count_symbols(
    rows: Iterable[Iterable[str]], size: int | None = None, *, most: int = _COUNTED
) -> Counter[str]:
    """Count symbols.

    Parameters
    ----------
    rows
        The symbols of some texts.
    size
        How many of them are wanted, the most frequent ones; all when None.
    most
        Where the wanted are far fewer, so many different ones may be held. Of more, the half that
        was rarest so far is forgotten: text without end has new ones without end.

    Returns
    -------
    Counter
        How often each was seen since it is held.

    Examples
    --------
    >>> count_symbols(["aab", "cd", "ab", "e"], size=1, most=4)
    Counter({'a': 3, 'b': 2})
    """
    counts: Counter[str] = Counter()
    limit = None if size is None else max(most, 4 * size)
    for row in rows:
        counts.update(row)
        if limit is not None and len(counts) > limit:
            counts = Counter(dict(counts.most_common(limit // 2)))
    return counts


def strings(values: object, what: str) -> tuple[str, ...]:
    """Return a JSON list of strings; anything else is an ArtifactError that says what it is of."""
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ArtifactError(f"the {what} of the model is no list of strings: copy the file anew")
    return tuple(values)
