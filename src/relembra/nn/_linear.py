"""The linear layer of heads."""

from __future__ import annotations

import torch
from torch import Tensor

from relembra.engine import linear

__all__ = ["Linear"]


class Linear(torch.nn.Linear):
    """`torch.nn.Linear` whose rows, in inference, have the same bits in any company.

    See `relembra.engine.linear`.

    Examples
    --------
    >>> layer, x = Linear(3, 2), torch.randn(5, 3)
    >>> with torch.no_grad():
    ...     torch.equal(layer(x)[4:], layer(x[4:]))
    True
    """

    def forward(self, input: Tensor) -> Tensor:
        """Map (…, I) to (…, O)."""
        return linear(input, self.weight, self.bias)
