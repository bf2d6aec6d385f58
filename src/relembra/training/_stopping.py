"""When to stop, and when to slow down: what the validation errors say."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Stopping"]


@dataclass
class Stopping:
    """Counts evaluations without improvement.

    Attributes
    ----------
    best
        The lowest validation error so far.
    best_step
        The step that had it.
    waited
        Evaluations since then.
    slowed
        Evaluations since the rate was halved or the error last fell.
    factor
        What is left of the learning rate.

    Examples
    --------
    >>> stopping = Stopping()
    >>> [stopping.improves(error, step) for step, error in enumerate([3.0, 2.0, 2.5])]
    [True, True, False]
    >>> stopping.exhausted(patience=1)
    True
    """

    best: float | None = None
    best_step: int = 0
    waited: int = 0
    slowed: int = 0
    factor: float = 1.0

    def improves(self, error: float, step: int) -> bool:
        """Record a validation error; return whether it is the lowest so far."""
        if self.best is None or error < self.best:
            self.best, self.best_step, self.waited, self.slowed = error, step, 0, 0
            return True
        self.waited += 1
        self.slowed += 1
        return False

    def slow_down(self, plateau: int) -> None:
        """Halve the learning rate when the error has not fallen for ``plateau`` evaluations."""
        if self.slowed >= plateau:
            self.factor *= 0.5
            self.slowed = 0

    def exhausted(self, patience: int | None) -> bool:
        """Return whether the error has not fallen for ``patience`` evaluations."""
        return patience is not None and self.waited >= patience

    def to_dict(self) -> dict[str, Any]:
        """Return the counters as JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Stopping:
        """Return the counters that :meth:`to_dict` gave."""
        return cls(**values)
