"""The best path of a linear chain."""

from __future__ import annotations

import torch
from torch import Tensor

from relembra.nn._crf_sums import Chain

__all__ = ["best_path"]


def best_path(chain: Chain) -> tuple[Tensor, Tensor]:
    """Return the best path (B, T), 0 beyond the length, and its score (B,); in any type."""
    inside = chain.inside  # (T, B, 1)
    into = chain.transitions.T.contiguous()  # (to, from)
    stay = torch.arange(len(into), device=into.device)
    best = chain.begins + chain.emissions[0]  # (B, K), of the paths that end in each label
    before = []  # T - 1 of (B, K), the label before each
    for t in range(1, len(chain.emissions)):
        score, label = (best[:, None] + into).max(-1)
        best = torch.where(inside[t], score + chain.emissions[t], best)
        before.append(torch.where(inside[t], label, stay))
    score, label = (best + chain.ends).max(-1)  # (B,)
    path = [label]
    for labels in reversed(before):
        path.append(labels.gather(1, path[-1][:, None])[:, 0])
    tags = torch.where(inside[..., 0], torch.stack(path[::-1]), 0)
    return tags.T.contiguous(), torch.where(chain.lengths > 0, score, 0.0)
