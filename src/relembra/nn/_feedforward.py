"""The baseline with no sense of order: each step for itself."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from relembra.nn._linear import Linear
from relembra.nn._locked_dropout import LockedDropout

__all__ = ["FeedForward"]


class FeedForward(nn.Module):
    """A network that sees one step at a time and remembers nothing.

    It stands where a recurrent trunk stands, so that a comparison says what memory was worth.

    Parameters
    ----------
    input_size, units, layers
        I features in, `units` out, `layers` hidden layers with tanh between.
    dropout, locked
        Rate between layers, and whether one mask serves all steps, as in `LockedDropout`.

    Examples
    --------
    >>> net = FeedForward(3, 8)
    >>> net(torch.zeros(2, 5, 3))[0].shape
    torch.Size([2, 5, 8])
    """

    def __init__(
        self,
        input_size: int,
        units: int,
        layers: int = 1,
        *,
        dropout: float = 0.0,
        locked: bool = False,
    ) -> None:
        super().__init__()
        sizes = [input_size, *[units] * layers]
        self.layers = nn.ModuleList(
            Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:], strict=True)
        )
        self.dropout = LockedDropout(dropout) if locked else nn.Dropout(dropout)

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Map (B, T, I) to (B, T, units); the state is empty."""
        for i, layer in enumerate(self.layers):
            x = torch.tanh(layer(self.dropout(x) if i else x))  # (B, T, units)
        return x, ()
