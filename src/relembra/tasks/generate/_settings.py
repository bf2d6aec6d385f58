"""Settings of a language model that are more than a number."""

from __future__ import annotations

from typing import Literal

from relembra._config import config
from relembra._errors import ConfigError
from relembra.nn import Trunk
from relembra.training import Training

__all__ = [
    "DEFAULT_DYNAMIC",
    "DEFAULT_LANGUAGE",
    "DEFAULT_TRAINING",
    "DEFAULT_TRUNK",
    "Dynamic",
    "Language",
    "Outputs",
    "Tokens",
]

Tokens = Literal["characters", "words", "subwords"]
Outputs = Literal["tokens", "frames"]

DEFAULT_TRUNK = Trunk(cell="lstm", units=256, dropout=0.2)

DEFAULT_TRAINING = Training(
    steps=4000,
    batch_size=32,
    learning_rate=3e-3,
    optimizer="adamw",
    weight_decay=1e-2,
    schedule="cosine",
    warmup=50,
    clip_norm=1.0,
    average=0.99,
    evaluate_every=200,
    patience=5,
)


@config
class Language:
    """What surrounds the trunk of a language model, and what keeps it from learning by heart.

    Dropout, locked dropout and weight drop belong to the trunk, and the average of the weights to
    the training: ``Trunk(dropout=0.4, locked_dropout=True, weight_drop=0.5)`` and
    ``Training(average=0.999)`` are the others of Merity, Keskar & Socher (2018).

    Parameters
    ----------
    embedding
        Features of a token's vector; None takes the trunk's units, but at most 128 where there are
        fewer than 1000 tokens. Frames go into the trunk as they are.
    tied
        Whether the output's weights are the tokens' vectors (Press & Wolf 2017; Inan 2017), with a
        projection before them where the sizes differ. Adaptive softmax has its own.
    embedding_dropout
        Rate at which training drops whole tokens (Gal & Ghahramani 2016).
    activation_penalty, temporal_penalty
        Weights of `relembra.nn.activation_penalty` and `relembra.nn.temporal_penalty` in the loss.
    adaptive
        Whether the output is an adaptive softmax (Grave et al. 2017), which spends little on rare
        tokens; None takes it from 20,000 tokens on.
    transpose
        For frames: training moves all keys of a sequence by up to so many, up or down.
    chords
        For frames: hidden units through which each key hears the keys below it that sound at the
        same time, so that chords are likely as a whole (Larochelle & Murray 2011); 0 takes the keys
        of a frame for independent of each other. It costs several times as much.

    Raises
    ------
    ConfigError
        A value makes no sense.

    Examples
    --------
    >>> Language(embedding_dropout=0.1).tied
    True
    """

    embedding: int | None = None
    tied: bool = True
    embedding_dropout: float = 0.0
    activation_penalty: float = 0.0
    temporal_penalty: float = 0.0
    adaptive: bool | None = None
    transpose: int = 0
    chords: int = 0

    def __post_init__(self) -> None:
        if self.embedding is not None and self.embedding < 1:
            raise ConfigError(f"Language.embedding is {self.embedding}; expected 1 or more")
        for name in ("activation_penalty", "temporal_penalty", "transpose", "chords"):
            if getattr(self, name) < 0:
                raise ConfigError(f"Language.{name} is {getattr(self, name)}; expected 0 or more")
        for name in ("transpose", "chords"):
            if type(getattr(self, name)) is not int:
                given = getattr(self, name)
                raise ConfigError(f"Language.{name} is {given!r}; expected a whole number")

    def embedding_size(self, symbols: int, units: int) -> int:
        """Return the features of a token's vector."""
        if self.embedding is not None:
            return self.embedding
        return min(units, 128) if symbols < 1000 else units

    def is_adaptive(self, symbols: int) -> bool:
        """Return whether the output is an adaptive softmax."""
        return symbols >= 20_000 if self.adaptive is None else self.adaptive


DEFAULT_LANGUAGE = Language()


@config
class Dynamic:
    """Dynamic evaluation: the model goes on learning from what it reads, after it has predicted it.

    After each segment the weights take a step against its gradient, divided by the root of the mean
    square of all such gradients so far, and a step back towards what training left (Krause et al.
    2018, equations 6 to 8; their mean squares are those of the training text, which a saved model
    no longer has). It costs about three times what reading costs.

    Parameters
    ----------
    length
        Steps of a segment.
    rate, decay
        How far each step goes: against the gradient, and back.

    Raises
    ------
    ConfigError
        A value makes no sense.

    Examples
    --------
    >>> Dynamic(rate=1e-3).length
    20
    """

    length: int = 20
    rate: float = 1e-4
    decay: float = 1e-3

    def __post_init__(self) -> None:
        if self.length < 1 or self.rate < 0 or not 0 <= self.decay < 1:
            raise ConfigError(
                f"got length {self.length}, rate {self.rate} and decay {self.decay}; expected a "
                "length of 1 or more, a rate of 0 or more, and a decay in [0, 1)"
            )


DEFAULT_DYNAMIC = Dynamic()
