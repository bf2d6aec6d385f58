"""Forecasters that train in a moment, and series for them."""

import hashlib

import numpy as np

from relembra.data import Panel
from relembra.nn import Trunk
from relembra.tasks import Forecaster
from relembra.training import Training


def tiny(horizon=4, *, cell="lstm", units=4, **options):
    """Return a forecaster of few weights and few steps; `training` changes single settings."""
    settings = {"steps": 6, "batch_size": 8, "evaluate_every": 3, "patience": None, "warmup": 0}
    settings |= options.pop("training", {})
    options.setdefault("seasons", (8,))
    trunk = Trunk(cell=cell, units=units, **options.pop("trunk", {}))
    return Forecaster(horizon, trunk=trunk, training=Training(**settings), **options)


def wave(steps=64, *, season=8, noise=0.1, seed=0, level=10.0):
    """Return a noisy wave around a level."""
    chance = np.random.default_rng(seed)
    phase = 2 * np.pi * np.arange(steps) / season
    return level + 2 * np.sin(phase) + noise * chance.standard_normal(steps)


def panel_of(*series):
    """Return a panel of integer steps."""
    return Panel.from_series({f"s{i}": values for i, values in enumerate(series)}, "int")


def digest(model):
    """Return a hash over every bit that a fit decides."""
    fitted = model.fitted_
    sha = hashlib.sha256(str(fitted.steps).encode())
    parts = fitted.network.state_dict() | fitted.standardizer.tensors()
    for name, tensor in sorted((parts | {"factors": fitted.factors}).items()):
        sha.update(name.encode())
        sha.update(tensor.numpy().tobytes())
    return sha.hexdigest()
