"""The part of the rows that is held out, to stop early or to score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from relembra._errors import ConfigError
from relembra._random import generator
from relembra.data import Labels, label_codes

__all__ = ["check_test_share", "hold_out"]

Ints = np.ndarray[Any, np.dtype[np.int64]]


def check_test_share(share: float) -> None:
    """Raise `ConfigError` unless so large a share can be held out to score on."""
    if not 0 < share < 1:
        raise ConfigError(
            f"the share to score on is {share!r}; expected a number above 0 and below 1"
        )


def hold_out(
    rows: int, share: float, seed: int, *, labels: Sequence[Any] | Ints | Labels | None = None
) -> tuple[Ints, Ints]:
    """Choose rows at random, a function of the seed; of each label about the same share.

    A label with a single row stays in the training part. Of each other label at least one row
    stays there too, and one is held out where its share is at least half a row.

    Parameters
    ----------
    rows
        n, how many there are.
    share
        Part to hold out, in [0, 1).
    seed
        Decides which.
    labels
        (n,), to hold out the same share of each; None holds out of all rows alike.

    Returns
    -------
    tuple
        Numbers of the rows that stay, and of those held out, both rising.

    Raises
    ------
    ConfigError
        The share is not in [0, 1).

    Examples
    --------
    >>> kept, held = hold_out(8, 0.25, seed=0, labels=["a", "a", "a", "a", "b", "b", "b", "b"])
    >>> len(kept), len(held), (held < 4).sum()
    (6, 2, np.int64(1))
    """
    if isinstance(share, bool) or not 0 <= share < 1:
        raise ConfigError(f"the share to hold out is {share!r}; expected a number in [0, 1)")
    codes = np.zeros(rows, np.int64) if labels is None else label_codes(labels)[1]
    draw = generator(seed, "hold out")
    stays = np.ones(rows, bool)
    ends = np.cumsum(np.bincount(codes))
    for own in np.split(np.argsort(codes, kind="stable"), ends[:-1]):  # of each label, rising
        stays[draw.permutation(own)[: min(int(len(own) * share + 0.5), len(own) - 1)]] = False
    return np.flatnonzero(stays), np.flatnonzero(~stays)
