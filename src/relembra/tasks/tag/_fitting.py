"""Training a tagger's network: a held-out part says when to stop."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from relembra._errors import DataError
from relembra._files import JSON
from relembra._random import derive
from relembra.data import Encoded, Feature, Ragged
from relembra.evaluation import span_scores
from relembra.nn import Trunk
from relembra.tasks._sequence import (
    Embedding,
    SequenceBatches,
    SomeRows,
    fingerprint,
    hold_out,
    in_order,
)
from relembra.tasks.tag._network import TaggingNetwork, TaggingObjective
from relembra.tasks.tag._tag_set import Tag, TagSet
from relembra.training import History, Subscriber, Training, fit

__all__ = ["Examples", "Fitted", "Recipe", "fit_network", "make_network", "tagging_error"]

Ints = np.ndarray[Any, np.dtype[np.int64]]
Rows = Sequence[Sequence[Tag | None]]


@dataclass(frozen=True)
class Recipe:
    """What a network is made of, and how it is trained."""

    trunk: Trunk
    embedding: Embedding
    training: Training
    crf: bool
    validation: float


@dataclass(frozen=True, eq=False)
class Examples:
    """Encoded sequences, their tags (None where there is none) and the tags' numbers."""

    encoded: Encoded
    tags: Rows
    targets: Ragged

    def error(self, network: TaggingNetwork, tag_set: TagSet, rows: Ints) -> float:
        """Return one less the score of some rows."""
        encoded = SomeRows(self.encoded, rows)
        found = [tag_set.decode(row) for row in in_order(encoded, network.best)]
        return tagging_error(
            [self.tags[row] for row in rows], found, spans=tag_set.scheme is not None
        )


@dataclass(frozen=True)
class Fitted:
    """A trained network and the history of its training."""

    network: TaggingNetwork
    history: History | None


def make_network(feature: Feature, tag_set: TagSet, recipe: Recipe) -> TaggingNetwork:
    """Make an untrained network; its weights are a function of the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(recipe.training.seed, "weights"))
        return TaggingNetwork(
            feature,
            recipe.embedding,
            recipe.trunk,
            len(tag_set.inner),
            crf=recipe.crf,
            allowed=tag_set.allowed() if recipe.crf else None,
        )


def tagging_error(truth: Rows, found: Sequence[Sequence[Tag]], *, spans: bool) -> float:
    """Return one less the F1 of spans, or one less the share of right tags."""
    if spans:
        return 1.0 - span_scores(_texts(truth), _texts(found)).f1
    right = steps = 0
    for actual, guess in zip(truth, found, strict=True):
        known = [(a, g) for a, g in zip(actual, guess, strict=True) if a is not None]
        right += sum(a == g for a, g in known)
        steps += len(known)
    return 1.0 - right / max(steps, 1)


def _texts(rows: Rows) -> list[list[str]]:
    return [[str(tag) for tag in row] for row in rows]


def fit_network(
    feature: Feature,
    examples: Examples,
    tag_set: TagSet,
    recipe: Recipe,
    *,
    held_out: Examples | None = None,
    directory: str | os.PathLike[str] | None = None,
    resume: bool = False,
    force: bool = False,
    subscribers: Sequence[Subscriber] = (),
) -> Fitted:
    """Train on sequences and their tags.

    Parameters
    ----------
    feature, examples, tag_set, recipe
        What to learn, and how.
    held_out
        What tells when to stop; None takes the share `recipe.validation` of the examples.
    directory, resume, force, subscribers
        As `relembra.training.fit` takes them.
    """
    training = recipe.training
    count = len(examples.encoded.lengths)
    share = 0.0 if held_out is not None else recipe.validation
    kept, held = hold_out(count, share, training.seed)
    network = make_network(feature, tag_set, recipe)
    kept = kept[examples.encoded.lengths[kept] > 0]
    if not len(kept):
        raise DataError("there is nothing to train on: all sequences are empty")
    source = SequenceBatches(
        examples.encoded,
        examples.targets,
        rows=kept,
        batch_size=training.batch_size,
        seed=training.seed,
    )
    judged = held_out if held_out is not None else examples
    rows = held if held_out is None else np.arange(len(held_out.encoded.lengths))
    history = fit(
        TaggingObjective(network),
        source,
        training,
        validate=(lambda: judged.error(network, tag_set, rows)) if len(rows) else None,
        directory=directory,
        resume=resume,
        force=force,
        identity=_identity(feature, examples, held_out, held, tag_set, recipe),
        subscribers=subscribers,
    )
    return Fitted(network, history)


def _identity(
    feature: Feature,
    examples: Examples,
    held_out: Examples | None,
    held: Ints,
    tag_set: TagSet,
    recipe: Recipe,
) -> dict[str, JSON]:
    judged = None
    if held_out is not None:
        judged = fingerprint(held_out.encoded, held_out.targets.values)
    return {
        "feature": feature.kind,
        "trunk": recipe.trunk.get_params(),  # type: ignore[attr-defined]
        "embedding": recipe.embedding.get_params(),  # type: ignore[attr-defined]
        "crf": recipe.crf,
        "tags": tag_set.to_json(),
        "data": fingerprint(examples.encoded, examples.targets.values, held),
        "held out": judged,
    }
