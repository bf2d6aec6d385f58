"""What a classifier is made of where nobody says otherwise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from relembra._config import replace
from relembra.nn import PoolingKind, Trunk
from relembra.tasks._sequence import Embedding
from relembra.training import Training

__all__ = [
    "DEFAULT_EMBEDDING",
    "DEFAULT_TRAINING",
    "DEFAULT_TRUNK",
    "Defaults",
    "Kind",
    "defaults_for",
]

Kind = Literal["text", "alphabet", "numbers"]

DEFAULT_TRUNK = Trunk(cell="lstm", units=100, bidirectional=True, dropout=0.5)

DEFAULT_EMBEDDING = Embedding(size=200, feature_dropout=0.5, unknown_rate=0.03)

DEFAULT_TRAINING = Training(
    steps=400,
    batch_size=64,
    learning_rate=3e-3,
    optimizer="adamw",
    weight_decay=1e-4,
    schedule="cosine",
    warmup=50,
    average=0.99,
    evaluate_every=25,
    patience=8,
)

_SHARE = 0.1  # the part held out
_SMOOTHING = 0.1  # of labels so few that a network would be sure of each
_FEW = 1000  # rows of numbers of which nothing is held out: a tenth of them tells little


@dataclass(frozen=True)
class Defaults:
    """Settings that follow from the kind and the number of the rows."""

    pooling: PoolingKind
    label_smoothing: float
    validation: float
    embedding: Embedding
    trunk: Trunk
    training: Training


def defaults_for(rows: int, kind: Kind, *, aligned: bool = False) -> Defaults:
    """Return the settings for so many rows of a kind.

    `DEFAULT_EMBEDDING`, `DEFAULT_TRUNK` and `DEFAULT_TRAINING`, and the maximum over the steps. Of
    texts two passes over the rows at least, of anything else twenty; a tenth of the rows tells when
    to stop.

    Numbers are read through two layers of convolutions. Of fewer than 1,000 rows of numbers, a
    tenth of which tells little, nothing is held out: a smaller network takes 600 steps in small
    batches and learns faster, and sees the numbers with noise (a jitter and a gain of 0.1); a tenth
    of each label is divided among all.

    The letters of an alphabet, such as that of DNA, are read by a smaller network in small batches,
    too, for 1,200 steps at least; where all rows are equally long, they are taken to be aligned,
    and each step knows its place.

    Parameters
    ----------
    rows
        n, of the training data.
    kind
        ``text`` (words, pieces of words, characters), ``alphabet`` or ``numbers``.
    aligned
        Whether all rows are equally long.

    Examples
    --------
    >>> [defaults_for(n, "numbers").validation for n in (999, 1000)]
    [0.0, 0.1]
    >>> [defaults_for(n, "text").training.steps for n in (1000, 100_000)]
    [400, 2814]
    >>> [defaults_for(2000, "alphabet", aligned=a).embedding.positions for a in (False, True)]
    [0, 32]
    """
    embedding, trunk, training = DEFAULT_EMBEDDING, DEFAULT_TRUNK, DEFAULT_TRAINING
    if kind == "alphabet":
        embedding, trunk, training = _ALPHABET, _ALPHABET_TRUNK, _ALPHABET_TRAINING
        embedding = replace(embedding, positions=_PLACES if aligned else 0)
    if kind == "numbers":
        embedding = replace(embedding, convolutions=2)
        if rows < _FEW:
            noisy = replace(embedding, jitter=0.1, gain=0.1)
            return Defaults("max", _SMOOTHING, 0.0, noisy, _SMALL_TRUNK, _SMALL_TRAINING)
    one = math.ceil(rows * (1 - _SHARE) / training.batch_size)  # pass over what is not held out
    steps = max(training.steps, (2 if kind == "text" else 20) * one)
    training = replace(training, steps=steps, evaluate_every=max(25, steps // 24))
    return Defaults("max", 0.0, _SHARE, embedding, trunk, training)


_PLACES = 32

_ALPHABET = Embedding(size=16, feature_dropout=0.1)

_ALPHABET_TRUNK = Trunk(cell="lstm", units=64, bidirectional=True, dropout=0.5)

_ALPHABET_TRAINING = replace(
    DEFAULT_TRAINING, steps=1200, batch_size=32, weight_decay=1e-2, patience=None
)

_SMALL_TRUNK = Trunk(cell="lstm", units=64, bidirectional=True, dropout=0.4)

_SMALL_TRAINING = replace(
    DEFAULT_TRAINING, steps=600, batch_size=16, learning_rate=5e-3, evaluate_every=50
)
