"""Scores of language models."""

from __future__ import annotations

import math

from relembra._errors import DataError

__all__ = ["bits_per_character", "perplexity"]


def perplexity(nats: float, tokens: int) -> float:
    """Return the perplexity: among how many equally likely tokens the model seems to choose.

    Source: Jelinek, Mercer, Bahl & Baker (1977). It can be compared only between models of the same
    tokens; `bits_per_character` compares models of words with models of characters.

    Parameters
    ----------
    nats
        The summed negative log-likelihood of the text, in nats.
    tokens
        How many tokens were predicted.

    Returns
    -------
    float
        At least 1; infinity when it is beyond a float's range.

    Examples
    --------
    >>> round(perplexity(nats=10 * math.log(8), tokens=10), 9)
    8.0
    """
    rate = nats / _counted(tokens, "tokens")
    return math.exp(rate) if rate < 709 else math.inf


def bits_per_character(nats: float, characters: int) -> float:
    """Return how many bits the model needs for a character of the text.

    Parameters
    ----------
    nats
        The summed negative log-likelihood of the text, in nats, whatever the tokens.
    characters
        How many characters the predicted text has.

    Returns
    -------
    float
        Bits; `xz -9` can be compared with it by 8 times its bytes over the characters.

    Examples
    --------
    >>> bits_per_character(nats=20 * math.log(2), characters=10)
    2.0
    """
    return nats / (math.log(2) * _counted(characters, "characters"))


def _counted(number: int, name: str) -> int:
    if number < 1:
        raise DataError(f"{name} is a number from 1 upward, received {number!r}")
    return number
