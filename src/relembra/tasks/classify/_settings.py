"""What a classifier is made of where nobody says otherwise."""

from __future__ import annotations

from dataclasses import dataclass

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

_SHARE, _FEWEST = 0.1, 100  # the part held out; of numbers nothing is where it has fewer rows


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

    Parameters
    ----------
    rows
        n, of the training data.
    symbols
        Whether the steps are symbols, such as words, rather than numbers.

    Examples
    --------
    A tenth of the rows is held out to tell when to stop, but nothing of fewer than 1,000 rows of
    numbers, for so few tell little.

    >>> [defaults_for(n, symbols=False).validation for n in (999, 1000)]
    [0.0, 0.1]
    """
    if symbols:
        return Defaults("max", _SHARE, DEFAULT_EMBEDDING, DEFAULT_TRUNK, DEFAULT_TRAINING)
    share = _SHARE if rows * _SHARE >= _FEWEST else 0.0
    return Defaults("max", share, _FRAMES_EMBEDDING, _FRAMES_TRUNK, _FRAMES_TRAINING)


_FRAMES_EMBEDDING = Embedding()
_FRAMES_TRUNK = Trunk(cell="lstm", units=64, bidirectional=True, dropout=0.1)
_FRAMES_TRAINING = Training(
    steps=1000,
    batch_size=32,
    learning_rate=3e-3,
    optimizer="adamw",
    weight_decay=1e-4,
    schedule="cosine",
    warmup=50,
    average=0.99,
    evaluate_every=50,
    patience=None,
)
