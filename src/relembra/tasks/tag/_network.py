"""The network: an encoder, a trunk, and a score for each tag at each step; a chain over them.

B rows, T steps, K tags.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from relembra._errors import ConfigError
from relembra.data import Feature, Inputs
from relembra.nn import Linear, LinearChainCRF, Trunk
from relembra.tasks._sequence import Embedding, Front, SequenceBatch, make_encoder

__all__ = ["TaggingNetwork", "TaggingObjective"]


class TaggingNetwork(nn.Module):
    """Map sequences to scores of tags.

    Parameters
    ----------
    feature, embedding, trunk
        What is read, and how.
    tags
        K.
    crf
        Whether tags are chosen as a chain (`LinearChainCRF`) rather than each for itself.
    allowed
        (K + 1, K + 1), which tag may follow which, for the chain.
    """

    def __init__(
        self,
        feature: Feature,
        embedding: Embedding,
        trunk: Trunk,
        tags: int,
        *,
        crf: bool,
        allowed: Tensor | None,
    ) -> None:
        super().__init__()
        if embedding.tempo:
            raise ConfigError("embedding__tempo moves steps, but each has a tag; set it to 0")
        self.encoder = make_encoder(feature, embedding)
        size = int(self.encoder.output_size)  # type: ignore[arg-type]
        self.front = Front(size, embedding, causal=not trunk.bidirectional)
        self.trunk = trunk.build(self.front.output_size)
        self.head = Linear(self.trunk.output_size, tags)
        self.crf = LinearChainCRF(tags, allowed) if crf else None

    def forward(self, inputs: Inputs) -> Tensor:
        """Return the score of each tag at each step, (B, T, K)."""
        vectors = self.front(self.encoder(**inputs.values), inputs.lengths)
        read, _ = self.trunk(vectors, lengths=inputs.lengths)
        scores: Tensor = self.head(read)
        return scores

    def loss(self, inputs: Inputs, target: Tensor) -> Tensor:
        """Return the mean loss of a step in nats; targets (B, T), -1 for steps without one."""
        scores = self(inputs)
        inside = torch.arange(target.shape[1]) < inputs.lengths[:, None]
        if self.crf is not None:
            likelihood = self.crf.log_likelihood(scores, target, inputs.lengths)
            return -likelihood.sum() / inside.sum().clamp(min=1)
        known = inside & (target >= 0)
        losses = functional.cross_entropy(scores[known], target[known], reduction="sum")
        return losses / known.sum().clamp(min=1)

    def best(self, inputs: Inputs) -> list[list[int]]:
        """Return the best tags of each row."""
        scores = self(inputs)
        if self.crf is not None:
            tags = self.crf.decode(scores, inputs.lengths)[0]
        else:
            tags = scores.argmax(2)
        return [row[:n] for row, n in zip(tags.tolist(), inputs.lengths.tolist(), strict=True)]

    def probabilities(self, inputs: Inputs) -> list[Tensor]:
        """Return the probability of each tag at each step, (T_i, K) float64 for each row."""
        scores = self(inputs).double()
        if self.crf is not None:
            found = self.crf.marginals(scores, inputs.lengths)
        else:
            found = torch.softmax(scores, 2)
        return [row[:n] for row, n in zip(found, inputs.lengths.tolist(), strict=True)]


class TaggingObjective:
    """The network and its loss, as `relembra.training.fit` wants them."""

    def __init__(self, network: TaggingNetwork) -> None:
        self.module = network

    def loss(self, batch: SequenceBatch, state: None) -> tuple[Tensor, None]:
        """Return the loss of a batch; nothing is carried to the next."""
        return self.module.loss(batch.inputs, batch.target), None
