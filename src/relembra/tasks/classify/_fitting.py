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
    SomeRows,
    fingerprint,
    hold_out,
    vectors_in_order,
)
from relembra.tasks.classify._calibration import fit_mixture, fit_temperature, log_softmax
from relembra.tasks.classify._network import SequenceNetwork
from relembra.tasks.classify._ngram_fitting import fit_ngrams, longest_run, rows_to_look_at
from relembra.tasks.classify._targets import ClassWeight
from relembra.training import History, State, Subscriber, Training, fit

__all__ = ["Fitted", "Recipe", "class_scores", "fit_network", "make_network"]

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Recipe:
    """What a network is made of, and how it is trained."""

    trunk: Trunk
    embedding: Embedding
    pooling: PoolingKind
    training: Training
    ngrams: int | Literal["auto"]
    class_weight: ClassWeight
    label_smoothing: float
    validation: float
    calibrate: bool


@dataclass(frozen=True)
class Fitted:
    """A trained network and what belongs to it."""

    network: SequenceNetwork
    temperature: float
    history: History | None
    notes: tuple[str, ...] = ()  # what was left out


class _Objective:
    """Cross-entropy, each class with its weight, the labels smoothed."""

    def __init__(self, network: SequenceNetwork, weights: Tensor | None, smoothing: float) -> None:
        self.module, self._weights, self._smoothing = network, weights, smoothing

    def loss(self, batch: SequenceBatch, state: None) -> tuple[Tensor, State]:
        scores = self.module(batch.inputs)
        loss = functional.cross_entropy(
            scores, batch.target, self._weights, label_smoothing=self._smoothing
        )
        return loss, None


def make_network(feature: Feature, recipe: Recipe, classes: int) -> SequenceNetwork:
    """Make an untrained network; its weights are a function of the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(recipe.training.seed, "weights"))
        return SequenceNetwork(feature, recipe.embedding, recipe.trunk, recipe.pooling, classes)


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
    weights = _weights(recipe.class_weight, truth[kept], classes)
    source = SequenceBatches(
        encoded,
        torch.from_numpy(truth),
        rows=kept,
        batch_size=training.batch_size,
        seed=training.seed,
    )
    held_rows = SomeRows(encoded, held)

    def validate() -> float:
        found = log_softmax(class_scores(network, held_rows))
        losses = -found[np.arange(len(held)), truth[held]]
        each = None if weights is None else weights.numpy()[truth[held]]
        return float(np.average(losses, weights=each))

    history = fit(
        _Objective(network, weights, recipe.label_smoothing),
        source,
        training,
        validate=validate if len(held) else None,
        directory=directory,
        resume=resume,
        force=force,
        identity=_identity(feature, encoded, truth, held, recipe),
        subscribers=subscribers,
    )
    longest = longest_run(feature) if recipe.ngrams == "auto" else recipe.ngrams
    notes: tuple[str, ...] = ()
    if longest and longest_run(feature):
        notes = _add_ngrams(network, feature, encoded, truth, (kept, held), longest, recipe)
    temperature = 1.0
    if recipe.calibrate and len(held) and network.ngrams is None:
        temperature = fit_temperature(class_scores(network, held_rows), truth[held])
    return Fitted(network, temperature, history, notes)


def _add_ngrams(
    network: SequenceNetwork,
    feature: Feature,
    encoded: Encoded,
    truth: Ints,
    parts: tuple[Ints, Ints],
    longest: int,
    recipe: Recipe,
) -> tuple[str, ...]:
    """Put n-grams beside a trained network; the held-out rows say how much of either counts.

    Returns what they did not learn from, as sentences.
    """
    kept, held = parts
    classes = network.head.out_features
    some: dict[str, Any] = {"longest": longest, "class_weight": _by_code(recipe.class_weight)}
    found = fit_ngrams(feature, encoded, truth, classes, kept, **some)
    if found is None:
        return ()
    path = found
    judged = held if recipe.calibrate else held[:0]
    rows = SomeRows(encoded, judged)
    straight = vectors_in_order(rows, lambda i: path(i.values["ids"], i.lengths), classes)
    deep, wide = fit_mixture(class_scores(network, rows), straight, truth[judged])
    with torch.no_grad():
        for parameter in network.head.parameters():
            parameter.mul_(deep)
    every = np.arange(len(truth))
    if len(held):  # what the network did not learn from, the n-grams may
        path = fit_ngrams(feature, encoded, truth, classes, every, **some) or path
    path.scale(wide)
    network.ngrams = path
    looked_at = len(rows_to_look_at(encoded, truth, every))
    if looked_at == len(truth):
        return ()
    return (f"n-grams: learnt from {looked_at:,} of {len(truth):,} rows, evenly chosen",)


def class_scores(network: SequenceNetwork, encoded: Encoded) -> Floats:
    """Return (n, K) scores before the softmax, float64; a row's bits are its own."""
    network.eval()
    return vectors_in_order(encoded, network, network.head.out_features)


def _by_code(weights: ClassWeight) -> Any:
    """Return weights as scikit-learn takes them, the classes being 0 to K - 1."""
    return dict(enumerate(weights)) if isinstance(weights, tuple) else weights


def _weights(given: ClassWeight, truth: Ints, classes: int) -> Tensor | None:
    """Return weights (K,); balanced ones make the classes count alike, 1 on average over rows."""
    if isinstance(given, tuple):
        return torch.tensor(given)
    if given is None:
        return None
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
        "class_weight": str(recipe.class_weight),
        "label_smoothing": recipe.label_smoothing,
        "data": fingerprint(encoded, truth, held),
    }
