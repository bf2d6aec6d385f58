"""From what a feature encodes to the vectors that the trunk reads."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from relembra._errors import ConfigError
from relembra.data import Audio, Feature, Frames, ImageScan, ImageSequence, WordCharacters
from relembra.nn import FrameNoise, ImageNetwork, Linear, TokenEmbedding, WordCharacterEmbedding
from relembra.tasks._sequence._settings import Embedding

__all__ = ["FrameEncoder", "SymbolEncoder", "make_encoder"]


class FrameEncoder(nn.Module):
    """Frames as they are, or through a linear layer.

    Parameters
    ----------
    channels
        K, features of a frame.
    size
        Features after the linear layer; 0 for none.
    noise
        What training does to the frames before.
    """

    def __init__(self, channels: int, size: int = 0, noise: FrameNoise | None = None) -> None:
        super().__init__()
        self.noise = noise
        self.linear = Linear(channels, size) if size else None
        self.output_size = size or channels

    def forward(self, frames: Tensor) -> Tensor:
        """Map (B, T, K) to (B, T, output_size)."""
        if self.noise is not None:
            frames = self.noise(frames)
        return frames if self.linear is None else self.linear(frames)


class ImageEncoder(nn.Module):
    """Images as vectors, some features of which training drops.

    Parameters
    ----------
    feature
        Size and colours of the images.
    size
        Features of an image's vector.
    dropout
        Rate at which features are dropped, at each step anew.
    """

    def __init__(self, feature: ImageSequence, size: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.network = ImageNetwork(feature.colours, feature.height, feature.width, size)
        self.dropout = nn.Dropout(dropout)
        self.output_size = size

    def forward(self, images: Tensor) -> Tensor:
        """Map (B, T, C, height, width) to (B, T, output_size)."""
        vectors: Tensor = self.dropout(self.network(images))
        return vectors


class SymbolEncoder(nn.Module):
    """Symbols as vectors, some features of which training drops.

    Parameters
    ----------
    embedding
        Makes vectors of what a batch holds.
    dropout
        Rate at which features are dropped, at each step anew.
    unknown_rate
        Rate at which training takes a symbol for the unknown one, whose vector is learned so.
    """

    def __init__(
        self,
        embedding: TokenEmbedding | WordCharacterEmbedding,
        dropout: float = 0.0,
        unknown_rate: float = 0.0,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.unknown_rate = unknown_rate
        self.dropout = nn.Dropout(dropout)
        self.output_size = embedding.output_size

    def forward(self, **values: Tensor) -> Tensor:
        """Map a batch's tensors to (B, T, output_size)."""
        if self.training and self.unknown_rate:
            ids = values["ids"]
            forgotten = torch.empty(ids.shape, device=ids.device).bernoulli_(self.unknown_rate) > 0
            values["ids"] = torch.where(forgotten & (ids != 0), 1, ids)
        vectors: Tensor = self.dropout(self.embedding(**values))
        return vectors


def make_encoder(feature: Feature, settings: Embedding) -> nn.Module:
    """Return the module for a feature; its call takes the `Inputs.values` by their names.

    Parameters
    ----------
    feature
        A fitted feature.
    settings
        Sizes and rates.

    Returns
    -------
    torch.nn.Module
        With the attribute ``output_size``, the features of a step.

    Raises
    ------
    ConfigError
        The feature is of no known sort.

    Examples
    --------
    >>> from relembra.data import Characters
    >>> feature = Characters.fit(["abc"])
    >>> encoder = make_encoder(feature, Embedding(size=4))
    >>> encoder(**feature.encode(["ab", "c"]).batch([0, 1]).values).shape
    torch.Size([2, 2, 4])
    """
    if isinstance(feature, Frames | Audio | ImageScan):
        return FrameEncoder(feature.channels, settings.frames, _noise(feature.bands, settings))
    if isinstance(feature, ImageSequence):
        return ImageEncoder(feature, settings.size, settings.feature_dropout)
    if isinstance(feature, WordCharacters):
        words = WordCharacterEmbedding(
            feature.words.size,
            feature.characters.size,
            settings.size,
            character_size=settings.characters,
            character_units=settings.character_units,
            dropout=settings.dropout,
            unknown_rate=settings.unknown_rate,
        )
        return SymbolEncoder(words, settings.feature_dropout)
    symbols = getattr(feature, "size", None)
    if not isinstance(symbols, int):
        raise ConfigError(f"no encoder is known for features of the kind {feature.kind!r}")
    embedding = TokenEmbedding(symbols, settings.size, dropout=settings.dropout)
    return SymbolEncoder(embedding, settings.feature_dropout, settings.unknown_rate)


_NOISES = ("warp", "band_mask", "step_mask", "jitter", "gain")


def _noise(bands: int, settings: Embedding) -> FrameNoise | None:
    """Return the noise of training, if there is any."""
    rates = {name: getattr(settings, name) for name in _NOISES}
    return FrameNoise(bands, **rates) if any(rates.values()) else None
