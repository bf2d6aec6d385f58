"""The first Keras program that everybody writes, many times faster by one import.

    pip install 'relembra[keras]'
    python examples/keras_first_program.py

Everything below the import is plain Keras. Take the import away to see it run Keras' own way.
"""

import time

import relembra.keras  # isort: skip  before Keras: it selects the torch backend

import numpy as np
from keras import Input
from keras.layers import LSTM, Dense
from keras.models import Sequential

n_timesteps, n_features = 100, 1

# How much of the last ten steps is still in memory? The target is their sum.
draw = np.random.default_rng(0)
x = draw.normal(size=(256, n_timesteps, n_features)).astype("float32")
y = x[:, -10:, 0].sum(axis=1)

model = Sequential()
model.add(Input((n_timesteps, n_features)))
model.add(LSTM(50, activation="relu"))
model.add(Dense(1))
model.compile(optimizer="adam", loss="mse")

start = time.perf_counter()
history = model.fit(x, y, batch_size=32, epochs=3, verbose=0)
seconds = time.perf_counter() - start
losses = ", ".join(f"{loss:.3f}" for loss in history.history["loss"])
print(f"loss by epoch: {losses}; {1000 * seconds / (3 * 8):.1f} ms a step")
print(f"relembra.keras enabled: {relembra.keras.is_enabled()}")
