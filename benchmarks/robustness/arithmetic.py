"""What arithmetic does to a computation in torch: how far rounding moves it, how large it gets."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map


def has_numbers(value: Any) -> bool:
    """Whether it is a tensor with floating-point numbers in it."""
    return isinstance(value, Tensor) and value.is_floating_point() and value.numel() > 0


def rounded(value: Tensor, source: torch.Generator) -> Tensor:
    """Return each number an epsilon up, down (one in four each), or as it is."""
    draws = torch.randint(0, 4, value.shape, generator=source)
    share = (draws == 0).to(value.dtype) - (draws == 1).to(value.dtype)
    return value * (1 + torch.finfo(value.dtype).eps * share)


class RandomRounding(TorchDispatchMode):
    """Rounds what any operation gives, forward and backward, at random.

    Monte Carlo arithmetic (Parker 1997; CESTAC, Vignes 1993): the spread of such runs is the error
    that rounding makes in this computation, whatever the order and the library.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.source = torch.Generator().manual_seed(number)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute, then round; views and what is written in place stay what they are."""
        given = func(*args, **(kwargs or {}))
        if any(result.alias_info for result in func._schema.returns):
            return given
        return tree_map(lambda v: rounded(v, self.source) if has_numbers(v) else v, given)


class Largest(TorchDispatchMode):
    """Notes the largest finite number that any operation gives, forward and backward."""

    value = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute as without us."""
        given = func(*args, **(kwargs or {}))
        for value in filter(has_numbers, tree_leaves(given)):
            size = torch.nan_to_num(value.detach(), 0.0, 0.0, 0.0).abs().max()
            self.value = max(self.value, float(size))
        return given
