"""One Keras backend, told by JSON lines what to do; it runs under Pythons that lack Relembra.

python _keras_worker.py THREADS OURS
"""

import json
import sys
import time

import numpy as np

STEPS, BATCHES = 100, 8


def make(layer, units, options, batch):
    """Return model and data; the same numbers on every backend."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((STEPS, 1)),
            getattr(keras.layers, layer)(units, **options),
            keras.layers.Dense(1),
        ]
    )
    draw = np.random.default_rng(0)
    model.compile(optimizer="adam", loss="mse")
    x = draw.normal(size=(BATCHES * batch, STEPS, 1)).astype("float32")
    return model, x, x[:, -10:, 0].sum(1, keepdims=True).astype("float32"), batch


def seconds_of(call, steps, budget, clock):
    """Return the seconds of a step, by repeating a call that makes some for a while."""
    call()
    now = {"wall": time.perf_counter, "cpu": time.process_time}[clock]
    count, start = 0, now()
    while count == 0 or now() - start < budget:
        call()
        count += steps
    return (now() - start) / count


def answer(question, kept):
    """Do what is asked; `kept` holds the model between questions."""
    do = question.pop("do")
    if do == "make":
        kept[:] = make(**question)
        return "made"
    model, x, y, batch = kept
    if do == "losses":
        return [
            float(model.train_on_batch(x[at : at + batch], y[at : at + batch]))
            for at in (i % BATCHES * batch for i in range(question["steps"]))
        ]
    calls = {
        "fit": (lambda: model.fit(x, y, batch_size=batch, verbose=0), BATCHES),
        "train_on_batch": (lambda: model.train_on_batch(x[:batch], y[:batch]), 1),
        "predict": (lambda: model.predict(x, batch_size=batch, verbose=0), BATCHES),
    }
    return seconds_of(*calls[do], question["seconds"], question["clock"])


if __name__ == "__main__":
    threads, ours = int(sys.argv[1]), sys.argv[2] == "1"
    if ours:
        import relembra.keras  # noqa: F401
    import keras

    if keras.config.backend() == "torch":
        import torch

        torch.set_num_threads(threads)
    state = []
    for line in sys.stdin:
        print(json.dumps({"answer": answer(json.loads(line), state)}), flush=True)
