"""What a classifier is made of where nobody says otherwise."""

from __future__ import annotations

import math
from dataclasses import dataclass

from relembra._config import replace
from relembra.nn import PoolingKind, Trunk
from relembra.tasks._sequence import Embedding
from relembra.training import Training

__all__ = ["DEFAULT_EMBEDDING", "DEFAULT_TRAINING", "DEFAULT_TRUNK", "Defaults", "defaults_for"]

DEFAULT_TRUNK = Trunk(cell="lstm", units=100, bidirectional=True, dropout=0.5)

DEFAULT_EMBEDDING = Embedding(size=200, feature_dropout=0.5, unknown_rate=0.03)

DEFAULT_TRAINING = Training(
    steps=400,
    batch_size=64,
    learning_rate=3e-3,
    optimizer="adamw",
    weight_decay=1e-4,
    schedule="cosine",
    warmup=50,
    average=0.99,
    evaluate_every=25,
    patience=8,
)

_SHARE = 0.1  # the part held out
_FEW = 1000  # rows of numbers of which nothing is held out: a tenth of them tells little


@dataclass(frozen=True)
class Defaults:
    """Settings that follow from the kind and the number of the rows."""

    pooling: PoolingKind
    validation: float
    embedding: Embedding
    trunk: Trunk
    training: Training


def defaults_for(rows: int, *, symbols: bool) -> Defaults:
    """Return the settings for so many rows of symbols (texts) or of numbers.

    `DEFAULT_EMBEDDING`, `DEFAULT_TRUNK` and `DEFAULT_TRAINING`, and the maximum over the steps. Of
    symbols two passes over the rows at least, of numbers twenty; a tenth of the rows tells when to
    stop. But of fewer than 1,000 rows of numbers, a tenth of which tells little, nothing is held
    out: a smaller network takes 600 steps in small batches and learns faster, and sees the numbers
    with noise (a jitter and a gain of 0.1).

    Parameters
    ----------
    rows
        n, of the training data.
    symbols
        Whether the steps are symbols, such as words, rather than numbers.

    Examples
    --------
    >>> [defaults_for(n, symbols=False).validation for n in (999, 1000)]
    [0.0, 0.1]
    >>> [defaults_for(n, symbols=True).training.steps for n in (1000, 100_000)]
    [400, 2814]
    """
    if rows < _FEW and not symbols:
        return Defaults("max", 0.0, _SMALL_EMBEDDING, _SMALL_TRUNK, _SMALL_TRAINING)
    steps = max(DEFAULT_TRAINING.steps, (2 if symbols else 20) * _passes(rows))
    training = replace(DEFAULT_TRAINING, steps=steps, evaluate_every=max(25, steps // 24))
    return Defaults("max", _SHARE, DEFAULT_EMBEDDING, DEFAULT_TRUNK, training)


def _passes(rows: int) -> int:
    """Return the steps of one pass over what is not held out."""
    return math.ceil(rows * (1 - _SHARE) / DEFAULT_TRAINING.batch_size)


_SMALL_TRUNK = Trunk(cell="lstm", units=64, bidirectional=True, dropout=0.4)

_SMALL_EMBEDDING = replace(DEFAULT_EMBEDDING, jitter=0.1, gain=0.1)

_SMALL_TRAINING = replace(
    DEFAULT_TRAINING, steps=600, batch_size=16, learning_rate=5e-3, evaluate_every=50
)
