"""The straight way beside the network: runs of symbols, each with a weight for each class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from relembra.nn import sum_over_steps

__all__ = ["NGramPath", "NGramTable"]


class NGramTable(NamedTuple):
    """The known runs of one length.

    Attributes
    ----------
    codes
        (M,) int64, rising: the place of the run without its last symbol among the runs that are
        one shorter, times the number of symbols, plus the last symbol.
    weights
        (M, K + 1): for each class, and 1, by which known runs are counted.
    """

    codes: Tensor
    weights: Tensor


class NGramPath(nn.Module):
    """Add up the weights of the runs of symbols in a row, over the root of how many are known.

    Source: Wang & Manning, "Baselines and bigrams" (2012), for runs of two words.

    Parameters
    ----------
    bias
        (K,), of the classes.
    tables
        The runs of 1, 2, ... symbols. The codes of the first are the symbols themselves.
    symbols
        V, with padding (0) and unknown (1), which are in no run.

    Examples
    --------
    >>> first = NGramTable(torch.tensor([2, 3]), torch.tensor([[1.0, 0.0, 1.0], [0.0, 4.0, 1.0]]))
    >>> second = NGramTable(torch.tensor([1 * 4 + 3]), torch.tensor([[0.0, 4.0, 1.0]]))
    >>> path = NGramPath(torch.zeros(2), [first, second], 4)
    >>> path(torch.tensor([[3, 3, 2, 0]]), torch.tensor([3])).tolist()  # 3, 3, 2 and 3 3
    [[0.5, 6.0]]
    """

    bias: Tensor

    def __init__(self, bias: Tensor, tables: list[NGramTable], symbols: int) -> None:
        super().__init__()
        self.symbols, self.longest = symbols, len(tables)
        self.register_buffer("bias", bias)
        for length, table in enumerate(tables, 1):
            self.register_buffer(f"codes{length}", table.codes)
            self.register_buffer(f"weights{length}", table.weights)

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], symbols: int) -> NGramPath:
        """Return the path whose ``state_dict`` these tensors are."""
        tables: list[NGramTable] = []
        while f"codes{len(tables) + 1}" in tensors:
            length = len(tables) + 1
            tables.append(NGramTable(tensors[f"codes{length}"], tensors[f"weights{length}"]))
        return cls(tensors["bias"], tables, symbols)

    def scale(self, factor: float) -> None:
        """Multiply all scores."""
        for name, buffer in self.named_buffers():
            if name == "bias":
                buffer *= factor
            elif name.startswith("weights"):
                buffer[:, :-1] *= factor

    def steps(self, ids: Tensor) -> Tensor:
        """Return (B, T, K + 1): what the runs that end at each step of (B, T) add, and how many."""
        total = torch.zeros(*ids.shape, len(self.bias) + 1)
        before = torch.zeros_like(ids)  # the place of the run so far, -1 where there is none
        for length in range(1, self.longest + 1):
            codes, weights = self.get_buffer(f"codes{length}"), self.get_buffer(f"weights{length}")
            if not len(codes):
                break
            code = torch.where(before >= 0, before * self.symbols + ids, -1)
            place = torch.searchsorted(codes, code).clamp(max=len(codes) - 1)
            place = torch.where((codes[place] == code) & (ids > 1), place, -1)
            total = total + torch.where(place[..., None] >= 0, weights[place], 0.0)
            before = torch.cat([torch.full_like(place[:, :1], -1), place[:, :-1]], 1)
        return total

    def finish(self, sums: Tensor) -> Tensor:
        """Return the scores (B, K) for what the steps of rows add up to, (B, K + 1)."""
        scores: Tensor = self.bias + sums[:, :-1] / sums[:, -1:].clamp(min=1).sqrt()
        return scores

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Return scores (B, K) of rows (B, T); they have the same bits in any company."""
        if not ids.shape[1]:
            return self.bias.expand(len(ids), -1).clone()
        outside = torch.arange(ids.shape[1]) >= lengths[:, None]
        return self.finish(sum_over_steps(self.steps(ids.masked_fill(outside, 0))))
