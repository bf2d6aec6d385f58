"""Sums over all paths of a linear chain: the forward and the backward algorithm.

Two ways give the same numbers. `Scaled` multiplies probabilities, one matrix product a step, each
step scaled to sum one (Rabiner 1989, section V.A). `Logs` works in the log semiring, where nothing
vanishes, at K times the exponentials; it is taken where a number of the first left the range.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["Chain", "Expected", "Logs", "Scaled", "log_total", "sums"]

_LEAST = 1e-290  # below it float64 soon loses digits


class Chain(NamedTuple):
    """Scores of a batch of chains, float64; -inf is forbidden. T is at least 1."""

    emissions: Tensor  # (T, B, K)
    transitions: Tensor  # (K, K)  from, to
    begins: Tensor  # (K,)
    ends: Tensor  # (K,)
    lengths: Tensor  # (B,)

    @property
    def inside(self) -> Tensor:
        """Which steps belong to their row, (T, B, 1)."""
        steps = torch.arange(len(self.emissions), device=self.lengths.device)
        return (steps[:, None] < self.lengths)[..., None]


class Expected(NamedTuple):
    """How often labels and pairs of labels occur under the chain's distribution."""

    labels: Tensor  # (T, B, K)  their probabilities; 0 beyond the length
    pairs: Tensor  # (K, K)  summed over steps and rows, each row times its weight
    last: Tensor  # (B, K)  probabilities at the last step; 0 for length 0


class Scaled:
    """The sums by products of probabilities."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.inside = chain.inside
        self.reachable = _reachable(chain)[:, None]  # (T, 1, K)
        top, begin, end = (_highest(s) for s in chain[1:4])
        self.between = (chain.transitions - top).exp()  # (K, K)
        highest = chain.emissions.amax(-1, keepdim=True)  # (T, B, 1)
        factors = (chain.emissions - highest).exp() * self.reachable  # (T, B, K)
        self.forward, scales = self._forward(factors, (chain.begins - begin).exp())
        self.factors = factors / scales
        self.ends = (chain.ends - end).exp()  # (K,)
        self.total = self.forward[-1] @ self.ends  # (B,)
        steps = torch.where(self.inside, scales.log() + highest, 0.0).sum((0, 2))
        total = self.total.log() + steps + begin + end + top * (chain.lengths - 1)
        self.log_total = torch.where(chain.lengths > 0, total, 0.0)  # (B,)

    def _forward(self, factors: Tensor, begins: Tensor) -> tuple[Tensor, Tensor]:
        """Return probabilities of labels given the past (T, B, K), and their scales (T, B, 1)."""
        step = begins * factors[0]
        scales = [step.sum(-1, keepdim=True)]
        forward = [torch.where(self.inside[0], step / scales[0], 0.0)]
        for factor, inside in zip(factors[1:], self.inside[1:], strict=True):
            step = (forward[-1] @ self.between) * factor
            scales.append(step.sum(-1, keepdim=True))
            forward.append(torch.where(inside, step / scales[-1], forward[-1]))
        return torch.stack(forward), torch.stack(scales)

    def is_exact(self) -> bool:
        """Whether no probability that is positive came near the smallest number."""
        small = ~(self.forward >= _LEAST) & self.reachable
        return not bool((small & self.inside).any()) and bool(self.log_total.isfinite().all())

    def expected(self, weights: Tensor) -> Expected:
        """Return the expectations; `weights` (B,) are those of the rows in `pairs`."""
        now = self.ends / self.total[:, None]
        backward, ratios = [now], []  # T of (B, K); T - 1 of (B, K)
        for factor, inside in zip(self.factors[1:].flip(0), self.inside[1:].flip(0), strict=True):
            ratios.append(torch.where(inside, factor * now, 0.0))
            now = torch.where(inside, ratios[-1] @ self.between.T, now)
            backward.append(now)
        return self._expected(torch.stack(backward[::-1]), ratios[::-1], weights)

    def _expected(self, backward: Tensor, ratios: list[Tensor], weights: Tensor) -> Expected:
        labels = torch.where(self.inside, self.forward * backward, 0.0)
        pairs = torch.zeros_like(self.between)
        if ratios:
            weighted = torch.cat(ratios) * weights.repeat(len(ratios))[:, None]  # (T-1 * B, K)
            pairs = self.between * (self.forward[:-1].flatten(0, 1).T @ weighted)
        some = self.chain.lengths[:, None] > 0
        return Expected(labels, pairs, torch.where(some, self.forward[-1] * backward[-1], 0.0))


class Logs:
    """The sums in the log semiring: products are sums, and sums are logarithms of sums."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.inside = chain.inside
        steps = [chain.begins + chain.emissions[0]]
        for t in range(1, len(chain.emissions)):
            new = (steps[-1][:, :, None] + chain.transitions).logsumexp(1) + chain.emissions[t]
            steps.append(torch.where(self.inside[t], new, steps[-1]))
        self.forward = steps
        total = (steps[-1] + chain.ends).logsumexp(1)
        self.log_total = torch.where(chain.lengths > 0, total, 0.0)  # (B,)

    def expected(self, weights: Tensor) -> Expected:
        """Return the expectations; `weights` (B,) are those of the rows in `pairs`."""
        chain, total = self.chain, self.log_total[:, None]
        now = chain.ends.expand_as(self.forward[0])
        last = (self.forward[-1] + now - total).exp()
        labels, pairs = [last], torch.zeros_like(chain.transitions)
        for t in range(len(self.forward) - 1, 0, -1):
            after = (chain.emissions[t] + now)[:, None] + chain.transitions  # (B, from, to)
            both = (self.forward[t - 1][:, :, None] + after - total[..., None]).exp()
            both = torch.where(self.inside[t][..., None], both, 0.0)
            pairs += (weights[:, None, None] * both).sum(0)
            now = torch.where(self.inside[t], after.logsumexp(2), now)
            labels.append((self.forward[t - 1] + now - total).exp())
        some = chain.lengths[:, None] > 0
        found = torch.where(self.inside, torch.stack(labels[::-1]), 0.0)
        return Expected(found, pairs, torch.where(some, last, 0.0))


def sums(chain: Chain) -> Scaled | Logs:
    """Return the sums over all paths, by the quick way where it is exact."""
    scaled = Scaled(chain)
    return scaled if scaled.is_exact() else Logs(chain)


def _highest(scores: Tensor) -> Tensor:
    """Return the highest score, 0 where all are forbidden."""
    highest = scores.max()
    return torch.where(highest.isneginf(), 0.0, highest)


def _reachable(chain: Chain) -> Tensor:
    """Return which labels can stand at each step at all, (T, K)."""
    steps = len(chain.emissions)
    now = ~chain.begins.isneginf()
    allowed = (~chain.transitions.isneginf()).to(chain.transitions.dtype)
    found = [now]
    while len(found) < steps:
        now = now.to(allowed.dtype) @ allowed > 0
        if torch.equal(now, found[-1]):  # and so it stays
            break
        found.append(now)
    return torch.stack(found + [found[-1]] * (steps - len(found)))


class _LogTotal(torch.autograd.Function):
    """The logarithm of the sum over all paths; its gradients are the expectations."""

    @staticmethod
    def forward(ctx: Any, *scores: Tensor) -> Tensor:
        ctx.sums = sums(Chain(*scores))
        total: Tensor = ctx.sums.log_total
        return total

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, weights: Tensor) -> tuple[Tensor | None, ...]:
        labels, pairs, last = ctx.sums.expected(weights)
        rows = weights[:, None]
        labels = labels * rows  # (T, B, K)
        return labels, pairs, labels[0].sum(0), (last * rows).sum(0), None


def log_total(chain: Chain) -> Tensor:
    """Return the log of the sum of exp(score) over all paths, (B,); 0 for length 0."""
    total: Tensor = _LogTotal.apply(*chain)  # type: ignore[no-untyped-call]
    return total
