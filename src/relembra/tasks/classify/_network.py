"""The network: an encoder, convolutions, a trunk, pooling over the steps, a linear head."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from relembra.data import Feature, Inputs
from relembra.nn import Linear, Pooling, PoolingKind, TempoNoise, Trunk
from relembra.tasks._sequence import Embedding, Front, make_encoder
from relembra.tasks.classify._ngrams import NGramPath

__all__ = ["SequenceNetwork"]


class SequenceNetwork(nn.Module):
    """Map sequences to scores of K classes.

    Parameters
    ----------
    feature, embedding
        What is read, and how it becomes vectors.
    trunk
        Settings of the part that reads; its dropout also acts on the pooled vector.
    pooling
        How the steps become one vector.
    classes
        K.

    Attributes
    ----------
    ngrams
        What is added to the scores of symbols, once it was fitted beside the network.
    """

    def __init__(
        self,
        feature: Feature,
        embedding: Embedding,
        trunk: Trunk,
        pooling: PoolingKind,
        classes: int,
    ) -> None:
        super().__init__()
        self.tempo = TempoNoise(embedding.tempo) if embedding.tempo else None
        self.encoder = make_encoder(feature, embedding)
        size = int(self.encoder.output_size)  # type: ignore[arg-type]
        self.front = Front(size, embedding, causal=not trunk.bidirectional)
        self.trunk = trunk.build(self.front.output_size)
        size = self.trunk.output_size
        self.pooling = Pooling(pooling, size, bidirectional=trunk.bidirectional)
        self.dropout = nn.Dropout(trunk.dropout)
        self.head = Linear(size, classes)
        self.ngrams: NGramPath | None = None

    def add_ngrams(self, tensors: Mapping[str, Tensor], feature: Feature) -> None:
        """Add the n-grams that a ``state_dict`` has, if it has any, for it to be loaded."""
        name = "ngrams."
        own = {n.removeprefix(name): t for n, t in tensors.items() if n.startswith(name)}
        if own:
            self.ngrams = NGramPath.of(own, int(feature.size))  # type: ignore[attr-defined]

    def forward(self, inputs: Inputs) -> Tensor:
        """Return (B, K) scores, before the softmax."""
        values, lengths = inputs
        if self.tempo is not None and "frames" in values:
            frames, lengths = self.tempo(values["frames"], lengths)
            values = {**values, "frames": frames}
        scores = self.scores(self.encoder(**values), lengths)
        if self.ngrams is None:
            return scores
        straight: Tensor = self.ngrams(values["ids"], lengths)
        return scores + straight

    def scores(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Return (B, K) scores of encoded steps (B, T, I), without those of n-grams."""
        output, _ = self.trunk.walk(self.front(vectors, lengths), lengths=lengths)
        pooled = self.dropout(self.pooling(output, lengths))
        scores: Tensor = self.head(pooled)
        return scores
