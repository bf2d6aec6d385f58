"""What the loop needs to know of a task: a loss to lower, and batches in a fixed order."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

from torch import Tensor, nn

__all__ = ["BatchSource", "Objective", "State"]

# The recurrent state that truncated backpropagation carries from one batch to the next.
State: TypeAlias = "Tensor | tuple[State, ...] | None"


class Objective(Protocol):
    """A module and the loss that training lowers.

    Attributes
    ----------
    module
        The module whose parameters are trained.
    """

    @property
    def module(self) -> nn.Module:
        """The module whose parameters are trained."""

    def loss(self, batch: Any, state: Any) -> tuple[Tensor, State]:
        """Return the loss of a batch.

        Parameters
        ----------
        batch
            What the source gave.
        state
            What the call for the previous batch returned, detached; ``None`` at the start
            of a segment and whenever the source carries no state.

        Returns
        -------
        tuple
            The loss, a tensor of one number, and the state to carry on (``None``, a tensor,
            or tuples of those; the loop detaches it).
        """


class BatchSource(Protocol):
    """Batches by number: a pure function of (seed, epoch, index), so that order is repeatable.

    Attributes
    ----------
    carries_state
        Whether a batch continues the sequences of the one before (truncated
        backpropagation through time).
    """

    @property
    def carries_state(self) -> bool:
        """Whether a batch continues the sequences of the one before."""

    def batches(self, epoch: int) -> int:
        """Return the number of batches in an epoch, 1 or more."""

    def batch(self, epoch: int, index: int) -> Any:
        """Return one batch; the same whenever and wherever it is asked for."""

    def starts_segment(self, epoch: int, index: int) -> bool:
        """Return whether the carried state is dropped before this batch."""
