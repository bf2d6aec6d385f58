"""Labels and tags that a model is scored on, but never learnt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from relembra._errors import DataError

__all__ = ["note_unknown"]

_SHOWN = 8


def note_unknown(
    known: Iterable[Any], counts: Mapping[Any, int], *, rows: str, labels: str
) -> tuple[str, ...]:
    """Return a sentence for people where a model never learnt some labels, else nothing.

    Parameters
    ----------
    known
        The labels that the model learnt; they are compared as text, as a table has them.
    counts
        How often each label is to be scored.
    rows, labels
        The words for what has labels, and for these.

    Raises
    ------
    DataError
        It learnt none of them.

    Examples
    --------
    >>> note_unknown(["neg", "pos"], {"pos": 7, "meh": 2}, rows="rows", labels="labels")
    ("2 of 9 rows have labels that the model never learnt ('meh'); they count as mistakes",)
    """
    learnt = set(map(str, known))
    unknown = {str(label): count for label, count in counts.items() if str(label) not in learnt}
    if not unknown:
        return ()
    if len(unknown) == len(counts):
        raise DataError(
            f"the model learnt none of these {labels}: {_listed(sorted(unknown))}; it knows "
            f"{_listed(sorted(learnt))}. Name the column that has them"
        )
    return (
        f"{sum(unknown.values()):,} of {sum(counts.values()):,} {rows} have {labels} that the "
        f"model never learnt ({_listed(sorted(unknown))}); they count as mistakes",
    )


def _listed(labels: list[str]) -> str:
    return ", ".join(map(repr, labels[:_SHOWN])) + (", ..." if labels[_SHOWN:] else "")
