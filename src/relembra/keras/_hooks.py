"""What is put into Keras, and what was there before."""

from __future__ import annotations

from typing import Any

import keras
from keras.src.backend.torch.layer import TorchLayer
from keras.src.backend.torch.trainer import TorchEpochIterator

from relembra.keras._bidirectional import bidirectional_call
from relembra.keras._feeding import batch_end, batches, track_variables
from relembra.keras._layers import inner_loop
from relembra.keras._step import predict_step, test_step, train_step

__all__ = ["disable", "enable", "is_enabled"]

# The class of Keras' models that knows how the backend trains.
_TRAINER = next(base for base in keras.Model.__mro__ if "train_step" in vars(base))
_STEPS = ("train", "test", "predict")
_PLACES: tuple[tuple[type, str, Any], ...] = (
    (keras.layers.RNN, "inner_loop", inner_loop),
    (keras.layers.LSTM, "inner_loop", inner_loop),
    (keras.layers.GRU, "inner_loop", inner_loop),
    (keras.layers.Bidirectional, "call", bidirectional_call),
    (_TRAINER, "train_step", train_step),
    (_TRAINER, "test_step", test_step),
    (_TRAINER, "predict_step", predict_step),
    (TorchLayer, "_track_variables", track_variables),
    (TorchEpochIterator, "_get_iterator", batches),
    *((keras.callbacks.CallbackList, f"on_{name}_batch_end", batch_end) for name in _STEPS),
)
_BEFORE: dict[tuple[type, str], Any] = {}


def enable() -> None:
    """Let Keras' recurrent layers and training steps run on the engine; done by the import.

    It holds for models made before as well. A second call changes nothing.
    """
    for owner, name, make in _PLACES:
        if (owner, name) not in _BEFORE:
            _BEFORE[owner, name] = own = vars(owner)[name]
            setattr(owner, name, make(own))


def disable() -> None:
    """Put everything back; `enable` undoes that. Models and their weights stay as they are."""
    while _BEFORE:
        (owner, name), own = _BEFORE.popitem()
        setattr(owner, name, own)


def is_enabled() -> bool:
    """Return whether Keras' layers run on the engine."""
    return bool(_BEFORE)
