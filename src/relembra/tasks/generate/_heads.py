"""From a trunk's output to the probabilities of what comes next."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from relembra.engine import linear
from relembra.nn import Linear, TokenEmbedding, sum_over_steps

__all__ = ["AdaptiveHead", "ChordHead", "FrameHead", "Head", "TokenHead", "cutoffs"]

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

    def odds(self, x: Tensor, frames: Tensor) -> Tensor:
        """Return the log-odds (N, K) that each key sounds, where frames (N, K) do."""
        found: Tensor = self.output(x)
        return found

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        """Return the negative log-likelihood (N,) of frames (N, K), summed over the keys."""
        odds = self.odds(x, target)
        loss = functional.binary_cross_entropy_with_logits(odds, target, reduction="none")
        return loss.sum(-1)

    def write(self, x: Tensor, draws: Tensor, temperature: float) -> Tensor:
        """Draw frames (N, K) after (N, F), with one number of [0, 1) for each key."""
        return _sounding(self.odds(x, draws), draws, temperature)


class ChordHead(FrameHead):
    """Probabilities of K keys, each of which knows which keys below it sound at the same time.

    A neural autoregressive distribution estimator, with rectifiers (Larochelle & Murray 2011,
    equations 6 and 7) whose biases follow from the trunk (Boulanger-Lewandowski, Bengio & Vincent
    2012, section 5): key k has the log-odds b_k(x) + V_k · relu(c(x) + Σ_{j<k} W_j v_j).

    Parameters
    ----------
    features, keys, units
        F features in, K keys, and the hidden units of each.
    """

    lower: Tensor

    def __init__(self, features: int, keys: int, units: int) -> None:
        super().__init__(features, keys)
        self.hidden = Linear(features, units)
        self.below = Linear(keys, units, bias=False)  # W
        self.above = nn.Parameter(torch.empty(keys, units))  # V
        for weight in (self.below.weight, self.above):
            nn.init.uniform_(weight, -(units**-0.5), units**-0.5)
        self.register_buffer("lower", torch.ones(keys, keys).tril(-1), persistent=False)

    def odds(self, x: Tensor, frames: Tensor) -> Tensor:
        """Return the log-odds (N, K) that each key sounds, where frames (N, K) do."""
        heard = self.below(frames[:, None] * self.lower) + self.hidden(x)[:, None]  # (N, K, units)
        found: Tensor = self.output(x) + _products(torch.relu(heard), self.above)
        return found

    def write(self, x: Tensor, draws: Tensor, temperature: float) -> Tensor:
        """Draw frames (N, K) after (N, F) from the lowest key on, as `FrameHead` does."""
        odds, heard = self.output(x), self.hidden(x)
        frames = torch.zeros_like(odds)
        for key, (above, below) in enumerate(zip(self.above, self.below.weight.T, strict=True)):
            chord = (torch.relu(heard) * above).sum(1)
            frames[:, key] = _sounding(odds[:, key] + chord, draws[:, key], temperature)
            heard = heard + frames[:, key, None] * below
        return frames


def _products(heard: Tensor, above: Tensor) -> Tensor:
    """Return (N, K), products of (N, K, units) and (K, units).

    Without gradients a row's bits are its own; with them it is the quicker product.
    """
    if torch.is_grad_enabled():
        return torch.einsum("nku,ku->nk", heard, above)
    parts = (heard * above).flatten(0, 1)[..., None]  # (N K, units, 1)
    return sum_over_steps(parts).view(heard.shape[:2])


def _sounding(odds: Tensor, draws: Tensor, temperature: float) -> Tensor:
    """Return 1 where a key sounds: at temperature 0 where that is the likelier."""
    if not temperature:
        return (odds > 0).float()
    return (draws < torch.sigmoid(odds.double() / temperature)).float()


Head = TokenHead | AdaptiveHead | FrameHead


def cutoffs(symbols: int, features: int) -> list[int]:
    """Return where the clusters of rare tokens begin: about 1/20, 1/5 and 1/2 of all.

    Each has a fourth of the features of the one before: few features allow fewer clusters.
    """
    possible = sum(features // int(_SHRINKS) ** number > 0 for number in (1, 2, 3))
    parts = (20, 5, 2)[: max(1, possible)]
    return sorted({max(1, symbols // part) for part in parts} - {symbols})
