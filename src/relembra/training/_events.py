"""What a run tells those who watch it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

from relembra.training._history import HistoryRow

__all__ = [
    "Aborted",
    "Checkpointed",
    "Evaluated",
    "Event",
    "Finished",
    "NothingToResume",
    "Started",
    "StepDone",
    "Subscriber",
]


@dataclass(frozen=True, slots=True)
class NothingToResume:
    """A resume was asked for, there is no checkpoint, and the run starts from the beginning."""

    path: Path


@dataclass(frozen=True, slots=True)
class Started:
    """A run begins, at step 0 or where a checkpoint left it."""

    step: int
    steps: int
    resumed: bool


@dataclass(frozen=True, slots=True)
class StepDone:
    """One optimiser step is done; ``step`` counts it."""

    step: int
    epoch: int
    loss: float
    gradient_norm: float
    learning_rate: float


@dataclass(frozen=True, slots=True)
class Evaluated:
    """An evaluation is done."""

    row: HistoryRow
    best: float | None
    improved: bool


@dataclass(frozen=True, slots=True)
class Checkpointed:
    """A checkpoint is on disk."""

    step: int
    path: Path


@dataclass(frozen=True, slots=True)
class Finished:
    """The run ended as it should; ``reason`` is ``"steps"`` or ``"patience"``."""

    step: int
    reason: str


@dataclass(frozen=True, slots=True)
class Aborted:
    """The run ends with an exception; ``reason`` names it."""

    step: int
    reason: str


Event: TypeAlias = (
    NothingToResume | Started | StepDone | Evaluated | Checkpointed | Finished | Aborted
)


class Subscriber(Protocol):
    """Anything that takes events. It must not change the model."""

    def __call__(self, event: Event) -> None:
        """Take one event."""
