"""Settings of a tagger that are good to begin with."""

from __future__ import annotations

import math

from relembra._config import replace
from relembra.nn import Trunk
from relembra.tasks._sequence import Embedding
from relembra.training import Training

__all__ = ["DEFAULT_EMBEDDING", "DEFAULT_TRAINING", "DEFAULT_TRUNK", "training_for"]

DEFAULT_EMBEDDING = Embedding(size=100, characters=32, character_units=64, unknown_rate=0.2)

DEFAULT_TRUNK = Trunk(cell="lstm", units=200, bidirectional=True, dropout=0.5, input_dropout=0.3)

DEFAULT_TRAINING = Training(
    epochs=12,
    batch_size=32,
    learning_rate=2e-3,
    schedule="cosine",
    warmup=50,
    average=0.99,
    evaluate_every=None,
    patience=5,
)

_MANY = 4000
_FEW_BATCH, _FEW_STEPS, _FEW_PASSES = 8, 1500, 16


def training_for(rows: int, batch_size: int = _FEW_BATCH) -> Training:
    """Return how so many sequences are learned from where nobody says otherwise.

    `DEFAULT_TRAINING`, twelve passes, from 4,000 sequences on; so few passes over fewer would be
    hardly any steps: small batches, sixteen passes and 1,500 steps at least.

    Parameters
    ----------
    rows
        n, of the training data.
    batch_size
        Of fewer than 4,000 sequences.

    Examples
    --------
    >>> [(t.batch_size, t.steps) for t in (training_for(100), training_for(3200))]
    [(8, 1500), (8, 6400)]
    >>> training_for(3200, 16).steps
    3200
    >>> training_for(4000) == DEFAULT_TRAINING
    True
    """
    if rows >= _MANY:
        return DEFAULT_TRAINING
    steps = max(_FEW_STEPS, _FEW_PASSES * math.ceil(rows / batch_size))
    return replace(
        DEFAULT_TRAINING,
        epochs=None,
        steps=steps,
        batch_size=batch_size,
        learning_rate=3e-3,
        evaluate_every=steps // 25,
        patience=8,
    )
