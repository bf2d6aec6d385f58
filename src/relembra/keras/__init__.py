"""Keras 3's own LSTM, GRU, SimpleRNN and Bidirectional on the engine: import this, change nothing.

The import selects Keras' torch backend, so it comes before anything that imports Keras itself.

Examples
--------
>>> import relembra.keras
>>> import torch
>>> from keras.layers import LSTM
>>> LSTM(3, activation="relu")(torch.ones(2, 5, 1)).shape
torch.Size([2, 3])
>>> relembra.keras.disable()  # Keras as it was
>>> relembra.keras.enable()
"""

from relembra.keras import _backend

_backend.select()

from relembra.keras._hooks import disable as disable  # noqa: E402  the backend comes first
from relembra.keras._hooks import enable as enable  # noqa: E402
from relembra.keras._hooks import is_enabled as is_enabled  # noqa: E402

__all__ = ["disable", "enable", "is_enabled"]

enable()
