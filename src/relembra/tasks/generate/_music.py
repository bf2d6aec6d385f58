"""Writing frames of keys, such as music."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from relembra._errors import ConfigError, DataError
from relembra._random import generator
from relembra.tasks.generate._generating import Reader
from relembra.tasks.generate._network import LanguageNetwork

__all__ = ["write_frames"]

Frame = NDArray[np.float32]


def write_frames(
    network: LanguageNetwork, prompt: ArrayLike, length: int, temperature: float, seed: int
) -> Iterator[Frame]:
    """Check the prompt (T, K), and return what yields the frames (K,) that follow it.

    Raises
    ------
    DataError
        The prompt has no frame, or another number of keys.
    ConfigError
        The temperature is negative.
    """
    frames = np.asarray(prompt, np.float32)
    if frames.ndim != 2 or not len(frames) or frames.shape[1] != network.symbols:
        raise DataError(f"the prompt has shape {frames.shape}, expected (T, {network.symbols})")
    if not 0 <= temperature < np.inf:
        raise ConfigError(f"temperature is {temperature}; expected a number from 0 upward")
    reader = Reader(network)
    reader.read(torch.from_numpy(frames))
    return _written(reader, network.symbols, length, temperature, seed)


def _written(
    reader: Reader, keys: int, length: int, temperature: float, seed: int
) -> Iterator[Frame]:
    chance = generator(seed, "generate")
    for _ in range(length):
        frame = reader.write_frame(chance.random(keys), temperature)  # (K,)
        yield frame.numpy().copy()
        reader.read(frame[None])
