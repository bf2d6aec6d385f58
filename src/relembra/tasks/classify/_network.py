"""The network: an encoder, a trunk, pooling over the steps, a linear head."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from relembra.data import Feature, Inputs
from relembra.nn import Linear, Pooling, PoolingKind, TempoNoise, Trunk
from relembra.tasks.classify._ngrams import NGramPath

__all__ = ["SequenceNetwork"]


class SequenceNetwork(nn.Module):
    """Map sequences to scores of K classes.

    Parameters
    ----------
    encoder
        Takes a batch's tensors by name, gives (B, T, ``output_size``).
    trunk
        Settings of the part that reads; its dropout also acts on the pooled vector.
    pooling
        How the steps become one vector.
    classes
        K.
    tempo
        In training, sequences of frames are played faster or slower by up to this share.

    Attributes
    ----------
    ngrams
        What is added to the scores of symbols, once it was fitted beside the network.
    """

    def __init__(
        self,
        encoder: nn.Module,
        trunk: Trunk,
        pooling: PoolingKind,
        classes: int,
        tempo: float = 0.0,
    ) -> None:
        super().__init__()
        self.tempo = TempoNoise(tempo) if tempo else None
        self.encoder = encoder
        self.trunk = trunk.build(int(encoder.output_size))  # type: ignore[arg-type]
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
        output, _ = self.trunk.walk(vectors, lengths=lengths)
        pooled = self.dropout(self.pooling(output, lengths))
        scores: Tensor = self.head(pooled)
        return scores
