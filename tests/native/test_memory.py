"""The core's memory: kept for the next step, but hardly more than was ever in use at once."""

import torch

from relembra import _native, nn


def step(layer, x):
    layer.zero_grad()
    layer(x)[0].sum().backward()


def test_a_step_like_the_last_needs_nothing_fresh():
    for cell, units in ((nn.LSTM, 150), (nn.GRU, 300)):
        layer, x = cell(20, units), torch.randn(30, 5, 20)
        for _ in range(3):
            step(layer, x)
        before = _native.memory_use()["fresh"]
        for _ in range(3):
            step(layer, x)
        assert _native.memory_use()["fresh"] == before


def test_little_more_is_held_than_was_in_use():
    for units in range(40, 400, 40):  # forward and backward want blocks of ever new sizes
        layer, x = nn.LSTM(30, units), torch.randn(10, 3, 30)
        step(layer, x)
        use = _native.memory_use()
        assert use["used"] + use["kept"] <= use["most"] * 9 / 8 + 2**20
