"""From a trunk's output to the probabilities of what comes next."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from relembra.engine import linear
from relembra.nn import Linear, TokenEmbedding

__all__ = ["AdaptiveHead", "FrameHead", "Head", "TokenHead", "cutoffs"]

_SHRINKS = 4.0  # features from one cluster to the next


class TokenHead(nn.Module):
    """A softmax over all tokens, its weights tied to an embedding or its own.

    Parameters
    ----------
    features, symbols
        F features in, V tokens.
    embedding
        Whose weights are the output's; None for weights of its own.
    """

    def __init__(self, features: int, symbols: int, embedding: TokenEmbedding | None) -> None:
        super().__init__()
        self.projection: nn.Module = nn.Identity()
        if embedding is None:
            self.weight = nn.Parameter(torch.empty(symbols, features))
            nn.init.uniform_(self.weight, -(features**-0.5), features**-0.5)
        else:
            self.weight = embedding.weight  # (V, E)
            if embedding.output_size != features:
                self.projection = Linear(features, embedding.output_size)
        self.bias = nn.Parameter(torch.zeros(symbols))

    def log_probabilities(self, x: Tensor) -> Tensor:
        """Map (N, F) to (N, V), in nats."""
        scores = linear(self.projection(x), self.weight, self.bias)
        return functional.log_softmax(scores, -1)

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        """Return the negative log-likelihood (N,) of tokens (N,) after (N, F), in nats."""
        scores = linear(self.projection(x), self.weight, self.bias)
        return functional.cross_entropy(scores, target, reduction="none")


class AdaptiveHead(nn.Module):
    """An adaptive softmax: the tokens are numbered by their frequency."""

    def __init__(self, features: int, symbols: int) -> None:
        super().__init__()
        self.softmax = nn.AdaptiveLogSoftmaxWithLoss(
            features, symbols, cutoffs(symbols, features), div_value=_SHRINKS
        )

    def log_probabilities(self, x: Tensor) -> Tensor:
        """Map (N, F) to (N, V), in nats."""
        found: Tensor = self.softmax.log_prob(x)
        return found

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        """Return the negative log-likelihood (N,) of tokens (N,) after (N, F), in nats."""
        found: Tensor = self.softmax(x, target).output
        return -found


class FrameHead(nn.Module):
    """Independent probabilities of K keys."""

    def __init__(self, features: int, keys: int) -> None:
        super().__init__()
        self.output = Linear(features, keys)

    def log_probabilities(self, x: Tensor) -> Tensor:
        """Map (N, F) to the logarithms of the probabilities that keys sound, (N, K)."""
        return functional.logsigmoid(self.output(x))

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        """Return the negative log-likelihood (N,) of frames (N, K), summed over the keys."""
        scores = self.output(x)
        loss = functional.binary_cross_entropy_with_logits(scores, target, reduction="none")
        return loss.sum(-1)


Head = TokenHead | AdaptiveHead | FrameHead


def cutoffs(symbols: int, features: int) -> list[int]:
    """Return where the clusters of rare tokens begin: about 1/20, 1/5 and 1/2 of all.

    Each has a fourth of the features of the one before: few features allow fewer clusters.
    """
    possible = sum(features // int(_SHRINKS) ** number > 0 for number in (1, 2, 3))
    parts = (20, 5, 2)[: max(1, possible)]
    return sorted({max(1, symbols // part) for part in parts} - {symbols})
