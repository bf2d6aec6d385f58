"""Where words begin and end."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import cache

__all__ = ["join_words", "splitter"]

_NO_BLANK_BEFORE = re.compile(r" ([.,;:!?%)\]}»”…])")
_NO_BLANK_AFTER = re.compile(r"([(\[{«“¿¡]) ")


@cache
def splitter(lower: bool, lines: bool) -> Callable[[str], list[str]]:
    """Return the function that cuts a text into words.

    The rule: a number is digits with single points, commas or colons inside (``1.234,5``,
    ``10:30``); a word is letters, marks, digits and underscores, with apostrophes inside
    (``d'água``, ``don't``); every other character but white space stands alone (``guarda-chuva`` is
    three: the hyphen parts words, also pronouns: ``disse-lhe``). Text is brought into Unicode's
    composed form (NFC) first.

    Parameters
    ----------
    lower
        Whether capital letters become small ones.
    lines
        Whether the end of a line counts as a word.
    """
    letter = rf"[\w{_marks()}]"
    rule = rf"\d+(?:[.,:]\d+)+(?!{letter})|{letter}+(?:['’]{letter}+)*|[^\w\s]"
    find = re.compile(rule + (r"|\n" if lines else "")).findall

    def split(text: str) -> list[str]:
        composed = unicodedata.normalize("NFC", text)
        return find(composed.lower() if lower else composed)

    return split


def join_words(words: list[str]) -> str:
    """Return words as a text: blanks between them, but none before or after some punctuation."""
    text = _NO_BLANK_BEFORE.sub(r"\1", " ".join(words))
    return _NO_BLANK_AFTER.sub(r"\1", text).replace(" \n ", "\n").replace(" \n", "\n")


def _marks() -> str:
    r"""Return the combining marks of the first plane as ranges of a character class.

    Vowel signs and accents belong to the letter before; ``\w`` leaves them out.
    """
    codes = [c for c in range(0x300, 0x10000) if unicodedata.category(chr(c))[0] == "M"]
    ranges: list[list[int]] = []
    for code in codes:
        if ranges and code == ranges[-1][1] + 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)
