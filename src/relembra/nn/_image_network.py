"""A small convolutional network that makes a vector of each image of a sequence."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from relembra.nn._linear import Linear

__all__ = ["ImageNetwork"]

_MAPS = (16, 32, 32)
_SIDE, _STRIDE, _MARGIN = 3, 2, 1


class ImageNetwork(nn.Module):
    """Map images to vectors: three convolutions that halve each side, and a linear layer.

    In inference an image's vector has the same bits in any company: convolutions are products of
    its squares with :class:`Linear`'s weights.

    Parameters
    ----------
    colours
        C, numbers of a pixel.
    height, width
        Pixels of the images.
    size
        F, features of a vector.

    Examples
    --------
    >>> ImageNetwork(1, 32, 32, 10)(torch.zeros(2, 5, 1, 32, 32)).shape
    torch.Size([2, 5, 10])
    """

    def __init__(self, colours: int, height: int, width: int, size: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList()
        for maps in _MAPS:
            self.convolutions.append(Linear(colours * _SIDE**2, maps))
            colours, height, width = maps, _halved(height), _halved(width)
        self.linear = Linear(colours * height * width, size)

    def forward(self, images: Tensor) -> Tensor:
        """Map (B, T, C, height, width) to (B, T, F)."""
        x = images.flatten(0, 1)
        for convolution in self.convolutions:
            height, width = x.shape[2:]
            squares = functional.unfold(x, _SIDE, padding=_MARGIN, stride=_STRIDE)
            maps = torch.relu(convolution(squares.transpose(1, 2)))  # (B T, squares, maps)
            x = maps.transpose(1, 2).unflatten(2, (_halved(height), _halved(width)))
        vectors: Tensor = self.linear(x.flatten(1)).unflatten(0, images.shape[:2])
        return vectors


def _halved(side: int) -> int:
    return (side + 2 * _MARGIN - _SIDE) // _STRIDE + 1
