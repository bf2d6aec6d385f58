"""Training a classifier's network: a held-out part stops it and calibrates it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from relembra._files import JSON
from relembra._random import derive
from relembra.data import Encoded, Feature
from relembra.nn import PoolingKind, Trunk
from relembra.tasks._sequence import (
    Embedding,
    SequenceBatch,
    SequenceBatches,
    fingerprint,
    hold_out,
    in_order,
    make_encoder,
)
from relembra.tasks.classify._calibration import fit_temperature, log_softmax
from relembra.tasks.classify._network import SequenceNetwork
from relembra.training import History, State, Subscriber, Training, fit

__all__ = ["ClassWeight", "Fitted", "Recipe", "class_scores", "fit_network", "make_network"]

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
ClassWeight = Literal["balanced"] | None


@dataclass(frozen=True)
class Recipe:
    """What a network is made of, and how it is trained."""

    trunk: Trunk
    embedding: Embedding
    pooling: PoolingKind
    training: Training
    class_weight: ClassWeight
    validation: float
    calibrate: bool


@dataclass(frozen=True)
class Fitted:
    """A trained network and what belongs to it."""

    network: SequenceNetwork
    temperature: float
    history: History | None


class _Objective:
    """Cross-entropy, each class with its weight."""

    def __init__(self, network: SequenceNetwork, weights: Tensor | None) -> None:
        self.module, self._weights = network, weights

    def loss(self, batch: SequenceBatch, state: None) -> tuple[Tensor, State]:
        scores = self.module(batch.inputs)
        return functional.cross_entropy(scores, batch.target, self._weights), None


def make_network(feature: Feature, recipe: Recipe, classes: int) -> SequenceNetwork:
    """Make an untrained network; its weights are a function of the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(recipe.training.seed, "weights"))
        encoder = make_encoder(feature, recipe.embedding)
        return SequenceNetwork(
            encoder, recipe.trunk, recipe.pooling, classes, recipe.embedding.tempo
        )


def fit_network(
    feature: Feature,
    encoded: Encoded,
    truth: Ints,
    classes: int,
    recipe: Recipe,
    *,
    directory: str | os.PathLike[str] | None = None,
    resume: bool = False,
    force: bool = False,
    subscribers: Sequence[Subscriber] = (),
) -> Fitted:
    """Train on rows and their classes.

    Parameters
    ----------
    feature, encoded, truth
        The feature, its n rows, and their classes (n,) from 0 to `classes` - 1.
    classes
        K.
    recipe
        Settings.
    directory, resume, force, subscribers
        As `relembra.training.fit` takes them.
    """
    training = recipe.training
    kept, held = hold_out(len(truth), recipe.validation, training.seed, labels=truth)
    network = make_network(feature, recipe, classes)
    weights = _weights(truth[kept], classes) if recipe.class_weight == "balanced" else None
    source = SequenceBatches(
        encoded,
        torch.from_numpy(truth),
        rows=kept,
        batch_size=training.batch_size,
        seed=training.seed,
    )
    held_rows = _Rows(encoded, held)

    def validate() -> float:
        found = log_softmax(class_scores(network, held_rows))
        losses = -found[np.arange(len(held)), truth[held]]
        each = None if weights is None else weights.numpy()[truth[held]]
        return float(np.average(losses, weights=each))

    history = fit(
        _Objective(network, weights),
        source,
        training,
        validate=validate if len(held) else None,
        directory=directory,
        resume=resume,
        force=force,
        identity=_identity(feature, encoded, truth, held, recipe),
        subscribers=subscribers,
    )
    temperature = 1.0
    if recipe.calibrate and len(held):
        temperature = fit_temperature(class_scores(network, held_rows), truth[held])
    return Fitted(network, temperature, history)


def class_scores(network: SequenceNetwork, encoded: Encoded) -> Floats:
    """Return (n, K) scores before the softmax, float64; a row's bits are its own."""
    network.eval()
    rows = in_order(encoded, network)
    if not rows:
        return np.empty((0, network.head.out_features))
    return torch.stack(rows).double().numpy()


@dataclass(frozen=True)
class _Rows:
    """Some of the rows of something encoded."""

    encoded: Encoded
    rows: Ints

    @property
    def lengths(self) -> Ints:
        lengths: Ints = self.encoded.lengths[self.rows]
        return lengths

    def batch(self, indices: Any) -> Any:
        return self.encoded.batch(self.rows[indices])


def _weights(truth: Ints, classes: int) -> Tensor:
    """Return weights (K,) that make the classes count alike, 1 on average over the rows."""
    counts = np.bincount(truth, minlength=classes)
    return torch.from_numpy(len(truth) / (classes * np.maximum(counts, 1))).float()


def _identity(
    feature: Feature, encoded: Encoded, truth: Ints, held: Ints, recipe: Recipe
) -> dict[str, JSON]:
    return {
        "feature": feature.kind,
        "trunk": recipe.trunk.get_params(),  # type: ignore[attr-defined]
        "embedding": recipe.embedding.get_params(),  # type: ignore[attr-defined]
        "pooling": recipe.pooling,
        "class_weight": recipe.class_weight,
        "data": fingerprint(encoded, truth, held),
    }
