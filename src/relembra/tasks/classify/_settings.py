"""What a classifier is made of where nobody says otherwise."""

from __future__ import annotations

from relembra.nn import Trunk
from relembra.tasks._sequence import Embedding
from relembra.training import Training

__all__ = ["DEFAULT_EMBEDDING", "DEFAULT_TRAINING", "DEFAULT_TRUNK"]

DEFAULT_TRUNK = Trunk(cell="lstm", units=100, bidirectional=True, dropout=0.5)

DEFAULT_EMBEDDING = Embedding(size=200, feature_dropout=0.5)

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
