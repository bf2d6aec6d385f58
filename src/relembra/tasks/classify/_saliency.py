"""Which steps spoke for a label: gradient times input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from relembra.data import (
    Audio,
    Feature,
    ImageScan,
    ImageSequence,
    Inputs,
    Subwords,
    WordCharacters,
    Words,
)
from relembra.tasks.classify._network import SequenceNetwork

__all__ = ["Saliency", "explain", "pieces_of"]

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, eq=False)
class Saliency:
    """How much each step of a sequence spoke for a label.

    Attributes
    ----------
    label
        The label.
    probability
        What the model gives it.
    pieces
        The words, characters or pieces of the text; None for numeric frames.
    weights
        (T,) for each step: positive where it spoke for the label, negative where against it.
    """

    label: Any
    probability: float
    pieces: list[str] | None
    weights: Floats


def explain(network: SequenceNetwork, inputs: Inputs, label: int) -> Floats:
    """Return the weights (T,) of the steps of one row for a class.

    The gradient of the class's score, less the mean score of all, with respect to the encoded
    step, times the encoded step (Shrikumar et al. 2016; Denil et al. 2014 for text). What n-grams
    add to the scores counts for the steps at which they end.

    Parameters
    ----------
    network
        In eval mode.
    inputs
        One row.
    label
        The class, as a column.
    """
    vectors = network.encoder(**inputs.values).detach().requires_grad_()
    scores = network.scores(vectors, inputs.lengths)[0]
    if not vectors.numel():
        return np.zeros(0)
    (gradient,) = torch.autograd.grad(scores[label] - scores.mean(), vectors)
    weights = (gradient * vectors.detach()).sum(2)[0]
    if network.ngrams is not None:
        steps = network.ngrams.steps(inputs.values["ids"])[0]  # (T, K + 1)
        own = (steps[:, label] - steps[:, :-1].mean(1)) / steps[:, -1].sum().clamp(min=1).sqrt()
        weights = weights + own
    found: Floats = weights.double().numpy()
    return found


def pieces_of(feature: Feature, row: Any) -> list[str] | None:
    """Return what the steps of a text are; None for numeric frames, recordings and images."""
    if isinstance(feature, Audio | ImageScan | ImageSequence):
        return None
    if isinstance(feature, WordCharacters):
        return feature.words.words(row)
    if isinstance(feature, Words):
        return feature.words(row)
    if isinstance(feature, Subwords):
        return [feature.decode([piece]) for piece in feature.ids(row).tolist()]
    return list(row) if isinstance(row, str) else None
