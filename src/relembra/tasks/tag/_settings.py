"""Settings of a tagger that are good to begin with."""

from __future__ import annotations

from relembra.nn import Trunk
from relembra.tasks._sequence import Embedding
from relembra.training import Training

__all__ = ["DEFAULT_EMBEDDING", "DEFAULT_TRAINING", "DEFAULT_TRUNK"]

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
