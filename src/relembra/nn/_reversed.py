"""A layer that walks from the end of every sequence to its beginning."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from relembra._errors import ConfigError
from relembra.nn._recurrent import RecurrentLayer

__all__ = ["Reversed"]


class Reversed(nn.Module):
    """Run a layer backward in time: the reverse half of a bidirectional one, alone.

    ONNX knows such a direction, and Keras calls it ``go_backwards`` (but gives the outputs in the
    order of the walk, where here they stay in the order of time).

    Parameters
    ----------
    layer
        `RNN`, `LSTM` or `GRU` in one direction.

    Raises
    ------
    ConfigError
        The layer is bidirectional.

    Examples
    --------
    >>> from relembra import nn
    >>> layer = nn.GRU(1, 2, batch_first=True)
    >>> x = torch.randn(1, 3, 1)
    >>> torch.equal(nn.Reversed(layer)(x)[0], layer(x.flip(1))[0].flip(1))
    True
    """

    def __init__(self, layer: RecurrentLayer) -> None:
        super().__init__()
        if layer.bidirectional:
            raise ConfigError("a bidirectional layer walks both ways already")
        self.layer = layer

    def forward(self, input: Tensor, hx: Any = None, *, lengths: Tensor | None = None) -> Any:
        """Run the layer.

        Parameters
        ----------
        input
            (T, B, I), or (B, T, I) if the layer is ``batch_first``.
        hx
            The state to begin with, at each sequence's last step.
        lengths
            (B,), steps of each row; all when None.

        Returns
        -------
        output, state
            As the layer's; the output at t has seen the steps from t on.
        """
        batch_first = self.layer.batch_first
        x = input if batch_first else input.transpose(0, 1)  # (B, T, I)
        order = self._order(x, lengths)  # (B, T), its own inverse
        turned = _taken(x, order)
        turned = turned if batch_first else turned.transpose(0, 1)
        output, state = self.layer(turned, hx, lengths=lengths)
        y = output if batch_first else output.transpose(0, 1)
        y = _taken(y, order)
        return y if batch_first else y.transpose(0, 1), state

    @staticmethod
    def _order(x: Tensor, lengths: Tensor | None) -> Tensor:
        steps = torch.arange(x.shape[1], device=x.device).expand(x.shape[:2])
        if lengths is None:
            return x.shape[1] - 1 - steps
        ends = lengths.to(x.device)[:, None]
        return torch.where(steps < ends, ends - 1 - steps, steps)


def _taken(x: Tensor, order: Tensor) -> Tensor:
    return x.gather(1, order[..., None].expand(*order.shape, x.shape[2]))
