"""Batches in order from any position, prepared here or by worker processes."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any, NamedTuple, TypeAlias

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from relembra._errors import ConfigError
from relembra.training._objective import BatchSource
from relembra.training._settings import Training

__all__ = ["Place", "Position", "all_steps", "stream"]

Position: TypeAlias = tuple[int, int]  # epoch, index of the batch in it


class Place(NamedTuple):
    """Where a batch stands, and which one follows."""

    position: Position
    following: Position


def all_steps(source: BatchSource, training: Training) -> int:
    """Return the steps of a whole run.

    Raises
    ------
    ConfigError
        An epoch has no batches.
    """
    first = _batches(source, 0)
    if training.epochs is None:
        return training.steps
    return first + sum(_batches(source, epoch) for epoch in range(1, training.epochs))


def stream(
    source: BatchSource, position: Position, steps: int, workers: int
) -> Generator[tuple[Place, Any], None, None]:
    """Yield ``steps`` places and their batches, beginning at a position.

    Worker processes only prepare what is yielded later: any number gives the same batches.
    """
    places = _Places(source, position, steps)
    if workers == 0:
        for place in places:
            yield place, source.batch(*place.position)
        return
    loader = DataLoader(
        _Batches(source),
        batch_size=None,
        sampler=places,
        num_workers=workers,
        collate_fn=_unchanged,
        generator=torch.Generator(),  # else the loader draws from the global one
    )
    for place, batch in loader:
        if isinstance(batch, Exception):
            raise batch
        yield place, batch


def _batches(source: BatchSource, epoch: int) -> int:
    count = source.batches(epoch)
    if count < 1:
        raise ConfigError(f"there is nothing to train on: epoch {epoch} has {count} batches")
    return count


def _unchanged(batch: Any) -> Any:
    return batch


class _Places(Sampler[Place]):
    def __init__(self, source: BatchSource, position: Position, steps: int) -> None:
        self._source, self._position, self._steps = source, position, steps

    def __iter__(self) -> Iterator[Place]:
        (epoch, index), left = self._position, self._steps
        while left > 0:
            count = _batches(self._source, epoch)
            for here in range(index, min(count, index + left)):
                following = (epoch, here + 1) if here + 1 < count else (epoch + 1, 0)
                yield Place((epoch, here), following)
            left -= count - index
            epoch, index = epoch + 1, 0


class _Batches(Dataset[tuple[Place, Any]]):
    def __init__(self, source: BatchSource) -> None:
        self._source = source

    def __getitem__(self, place: Place) -> tuple[Place, Any]:
        try:
            return place, self._source.batch(*place.position)
        except Exception as error:
            # Raised in the main process as it is; the loader would wrap it in a traceback.
            return place, error
