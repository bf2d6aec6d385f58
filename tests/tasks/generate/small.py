"""Language models that train in a moment, and texts for them."""

import numpy as np

from relembra.nn import Trunk
from relembra.tasks.generate import Language, LanguageModel
from relembra.training import Training

TEXT = "the quick queen quits quietly\nand the red fox runs far from the den\n" * 12


def tiny(tokens="characters", *, cell="lstm", units=12, **options):
    """Return a model of few weights and few steps; `training` changes single settings."""
    settings = {"steps": 12, "batch_size": 4, "evaluate_every": 6, "learning_rate": 1e-2}
    settings |= options.pop("training", {})
    language = Language(**options.pop("language", {}))
    trunk = Trunk(cell=cell, units=units, **options.pop("trunk", {}))
    options.setdefault("length", 16)
    return LanguageModel(
        tokens, language=language, trunk=trunk, training=Training(**settings), **options
    )


def music(sequences=6, *, keys=12, steps=20, seed=0):
    """Return scales that rise from a random key: what comes next is certain."""
    chance = np.random.default_rng(seed)
    found = []
    for _ in range(sequences):
        places = (chance.integers(keys) + np.arange(steps)) % keys
        found.append(np.eye(keys, dtype=np.float32)[places])
    return found


def weights(model):
    """Return a copy of the network's weights."""
    return {name: t.clone() for name, t in model.network_.state_dict().items()}
