"""Vectors of images."""

from __future__ import annotations

import torch
from torch.nn import functional

from relembra.nn import ImageNetwork


def test_it_is_three_convolutions_and_a_linear_layer() -> None:
    network, images = ImageNetwork(3, 9, 14, 5), torch.randn(2, 3, 3, 9, 14)
    x = images.flatten(0, 1)
    for layer in network.convolutions:
        weight = layer.weight.unflatten(1, (x.shape[1], 3, 3))
        x = functional.conv2d(x, weight, layer.bias, stride=2, padding=1).relu()
    expected = functional.linear(x.flatten(1), network.linear.weight, network.linear.bias)
    assert torch.allclose(network(images).flatten(0, 1), expected, atol=1e-5)


def test_an_image_has_the_same_bits_in_any_company() -> None:
    network, images = ImageNetwork(1, 16, 16, 7), torch.randn(3, 11, 1, 16, 16)
    with torch.no_grad():
        together = network(images)
        for row in range(3):
            for step in (0, 10):
                alone = network(images[row : row + 1, step : step + 1])
                assert torch.equal(alone[0, 0], together[row, step])
