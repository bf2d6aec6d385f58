"""PyTorch's random stream, set anew at every step."""

from __future__ import annotations

from types import TracebackType

import torch
from torch import nn

from relembra._random import derive

__all__ = ["RandomStream"]


class RandomStream:
    """Makes PyTorch's random numbers a function of the seed and the place in the run.

    Used as a context, it gives the caller's random state back at the end.

    Parameters
    ----------
    seed
        The seed of the run.
    module
        The module; the generators of its devices are the ones that are set.
    """

    def __init__(self, seed: int, module: nn.Module) -> None:
        self._seed = seed
        self._generators = [torch.default_generator, *_cuda_generators(module)]
        self._kept: list[torch.Tensor] = []

    def __enter__(self) -> RandomStream:
        self._kept = [generator.get_state() for generator in self._generators]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for generator, state in zip(self._generators, self._kept, strict=True):
            generator.set_state(state)

    def move_to(self, place: str, step: int) -> None:
        """Set the stream of a place (``"step"``, ``"evaluate"``) of a step."""
        seed = derive(self._seed, place, step)
        for generator in self._generators:
            generator.manual_seed(seed)


def _cuda_generators(module: nn.Module) -> list[torch.Generator]:
    indices = {p.device.index for p in module.parameters() if p.device.type == "cuda"}
    return [torch.cuda.default_generators[index] for index in sorted(indices)]
