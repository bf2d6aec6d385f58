"""From what a feature encodes to the vectors that the trunk reads."""

from __future__ import annotations

from torch import Tensor, nn

from relembra._errors import ConfigError
from relembra.data import Feature, Frames, WordCharacters
from relembra.nn import Linear, TokenEmbedding, WordCharacterEmbedding
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
    """

    def __init__(self, channels: int, size: int = 0) -> None:
        super().__init__()
        self.linear = Linear(channels, size) if size else None
        self.output_size = size or channels

    def forward(self, frames: Tensor) -> Tensor:
        """Map (B, T, K) to (B, T, output_size)."""
        return frames if self.linear is None else self.linear(frames)


class SymbolEncoder(nn.Module):
    """Symbols as vectors, some features of which training drops.

    Parameters
    ----------
    embedding
        Makes vectors of what a batch holds.
    dropout
        Rate at which features are dropped, at each step anew.
    """

    def __init__(self, embedding: TokenEmbedding | WordCharacterEmbedding, dropout: float) -> None:
        super().__init__()
        self.embedding = embedding
        self.dropout = nn.Dropout(dropout)
        self.output_size = embedding.output_size

    def forward(self, **values: Tensor) -> Tensor:
        """Map a batch's tensors to (B, T, output_size)."""
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
    if isinstance(feature, Frames):
        return FrameEncoder(feature.channels, settings.frames)
    return SymbolEncoder(_embedding(feature, settings), settings.feature_dropout)


def _embedding(feature: Feature, settings: Embedding) -> TokenEmbedding | WordCharacterEmbedding:
    if isinstance(feature, WordCharacters):
        return WordCharacterEmbedding(
            feature.words.size,
            feature.characters.size,
            settings.size,
            character_size=settings.characters,
            character_units=settings.character_units,
            dropout=settings.dropout,
            unknown_rate=settings.unknown_rate,
        )
    symbols = getattr(feature, "size", None)
    if not isinstance(symbols, int):
        raise ConfigError(f"no encoder is known for features of the kind {feature.kind!r}")
    return TokenEmbedding(symbols, settings.size, dropout=settings.dropout)
