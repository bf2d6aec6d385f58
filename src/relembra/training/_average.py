"""An exponential moving average of the weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

__all__ = ["Average"]


class Average:
    """Weights averaged over the steps, the recent ones counting most.

    The decay of update ``n`` is ``min(decay, (1 + n) / (10 + n))``, so that the random
    initial weights are forgotten soon even when the decay is close to one.

    Parameters
    ----------
    parameters
        The trained parameters by name.
    decay
        The decay, in (0, 1).
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], decay: float) -> None:
        self._names = list(parameters)
        self._live = [p.detach() for p in parameters.values()]
        self._mean = [p.clone() for p in self._live]
        self._decay = decay

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights of a step, counted from 0."""
        decay = min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self._mean, self._live, 1.0 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put the average in the place of the weights for a while."""
        kept = [p.clone() for p in self._live]
        try:
            self.apply()
            yield
        finally:
            _copy(self._live, kept)

    def apply(self) -> None:
        """Put the average in the place of the weights for good."""
        _copy(self._live, self._mean)

    def tensors(self) -> dict[str, Tensor]:
        """Return the averages by name."""
        return dict(zip(self._names, self._mean, strict=True))

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore the averages that :meth:`tensors` gave."""
        _copy(self._mean, [tensors[name] for name in self._names])


@torch.no_grad()
def _copy(targets: list[Tensor], sources: list[Tensor]) -> None:
    for target, source in zip(targets, sources, strict=True):
        target.copy_(source)
