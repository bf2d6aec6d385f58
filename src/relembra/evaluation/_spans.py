"""Spans in sequences of tags: found, written, repaired."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from relembra._errors import ConfigError, DataError

__all__ = ["Scheme", "Span", "allowed_transitions", "repair_tags", "spans", "tags_of_spans"]

Scheme = Literal["bio", "bioes"]

_PREFIXES = {"bio": "OBI", "bioes": "OBIES"}


class Span(NamedTuple):
    """Steps from `start` up to but without `end` that carry one label together."""

    label: str
    start: int
    end: int


def spans(tags: Sequence[str], scheme: Scheme | None = None) -> list[Span]:
    """Return the spans of one sequence of tags, in order.

    Parameters
    ----------
    tags
        ``O``, or ``B-``, ``I-``, ``E-`` or ``S-`` and a label. A bare prefix has the label ``_``.
    scheme
        None reads any tags, as conlleval and seqeval's default do: a span begins at B and S, and at
        an I or E that continues nothing of its label; it ends before whatever does not continue it.
        ``bio`` and ``bioes`` count only what follows the rules, as seqeval's strict mode with IOB2
        and IOBES: a span begins at B (or S), and in ``bioes`` ends at E.

    Returns
    -------
    list of Span

    Raises
    ------
    DataError
        A tag is none of the scheme; its place is named.
    ConfigError
        The scheme is unknown.

    Examples
    --------
    >>> spans(["B-city", "I-city", "O", "I-day"])
    [Span(label='city', start=0, end=2), Span(label='day', start=3, end=4)]
    >>> spans(["B-city", "I-city", "O", "I-day"], scheme="bio")
    [Span(label='city', start=0, end=2)]
    """
    found = []
    start, old = -1, ("O", "")  # of the span that is open
    for t, (prefix, label) in enumerate([*_split(tags, scheme), ("O", "")]):
        if start >= 0 and prefix in "IE" and old[0] in "BI" and label == old[1]:
            old = prefix, label
            continue
        if start >= 0 and (scheme != "bioes" or old[0] in "ES"):
            found.append(Span(old[1], start, t))
        begins = prefix != "O" if scheme is None else prefix in "BS"
        start, old = t if begins else -1, (prefix, label)
    return found


def tags_of_spans(found: Iterable[Span], steps: int, scheme: Scheme = "bio") -> list[str]:
    """Return the tags that say where spans are, ``O`` elsewhere.

    Parameters
    ----------
    found
        Spans that do not overlap.
    steps
        Length of the sequence.
    scheme
        How to write them.

    Raises
    ------
    DataError
        A span lies outside of the sequence, is empty, or overlaps another.
    ConfigError
        The scheme is unknown.

    Examples
    --------
    >>> tags_of_spans([Span("city", 1, 3), Span("day", 3, 4)], 5, scheme="bioes")
    ['O', 'B-city', 'E-city', 'S-day', 'O']
    """
    _check_scheme(scheme)
    tags = ["O"] * steps
    for label, start, end in found:
        if not 0 <= start < end <= steps:
            raise DataError(f"the span {start} to {end} does not lie within {steps} steps")
        if any(tag != "O" for tag in tags[start:end]):
            raise DataError(f"the span {start} to {end} overlaps another one")
        tags[start:end] = [f"I-{label}"] * (end - start)
        tags[start] = f"B-{label}"
        if scheme == "bioes":
            tags[end - 1] = f"{'S' if end == start + 1 else 'E'}-{label}"
    return tags


def repair_tags(tags: Sequence[str], scheme: Scheme = "bio") -> list[str]:
    """Return tags that follow the rules of a scheme and say the same spans.

    The spans are those that `spans` reads without a scheme, so it also turns BIO into BIOES and
    back; what follows the rules stays as it is.

    Parameters
    ----------
    tags
        Of one sequence, in either scheme or against its rules.
    scheme
        Of the result.

    Examples
    --------
    >>> repair_tags(["O", "I-city", "I-city", "I-day"])
    ['O', 'B-city', 'I-city', 'B-day']
    """
    return tags_of_spans(spans(tags), len(tags), scheme)


def allowed_transitions(tags: Sequence[str], scheme: Scheme) -> NDArray[np.bool_]:
    """Return which tag may follow which, as `relembra.nn.LinearChainCRF` takes it.

    Parameters
    ----------
    tags
        The K tags that there are, in the order of their numbers.
    scheme
        In ``bio``, I follows B or I of its label alone. In ``bioes``, B and I are followed by I or
        E of their label, and nothing else is; so a span that began also ends.

    Returns
    -------
    numpy.ndarray
        (K + 1, K + 1) of bool: may row be followed by column. The last row is the beginning of a
        sequence, the last column its end.

    Raises
    ------
    DataError
        A tag is none of the scheme.
    ConfigError
        The scheme is unknown.

    Examples
    --------
    >>> allowed_transitions(["O", "B-x", "I-x"], "bio").astype(int)
    array([[1, 1, 0, 1],
           [1, 1, 1, 1],
           [1, 1, 1, 1],
           [1, 1, 0, 1]])
    """
    parts = [*_split(tags, scheme), ("O", "")]  # the edge is as free as O
    return np.array([[_may_follow(old, new, scheme) for new in parts] for old in parts])


def _may_follow(old: tuple[str, str], new: tuple[str, str], scheme: Scheme) -> bool:
    continues = new[0] in "IE"
    is_open = old[0] in "BI"
    if continues and not (is_open and old[1] == new[1]):
        return False
    return continues or scheme == "bio" or not is_open


def _split(tags: Sequence[str], scheme: Scheme | None) -> list[tuple[str, str]]:
    """Return prefix and label of each tag."""
    if scheme is not None:
        _check_scheme(scheme)
    known = _PREFIXES[scheme or "bioes"]
    parts = []
    for step, tag in enumerate(tags, 1):
        prefix, dash, label = tag.partition("-")
        if len(prefix) != 1 or prefix not in known or (prefix == "O" and dash):
            name = f"the scheme {scheme!r}" if scheme else "BIO or BIOES"
            raise DataError(
                f"tag {tag!r} at step {step} is none of {name}: expected O, or one of "
                f"{', '.join(known[1:])} with a dash and a label"
            )
        parts.append((prefix, "" if prefix == "O" else label or "_"))
    return parts


def _check_scheme(scheme: str) -> None:
    if scheme not in get_args(Scheme):
        raise ConfigError(f"unknown scheme {scheme!r}; known: {', '.join(get_args(Scheme))}")
