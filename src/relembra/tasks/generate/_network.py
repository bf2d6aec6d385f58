"""The network of a language model: tokens or frames, a trunk, what comes next."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from relembra._errors import ConfigError
from relembra.nn import TokenEmbedding, Trunk
from relembra.tasks.generate._heads import AdaptiveHead, ChordHead, FrameHead, Head, TokenHead
from relembra.tasks.generate._settings import Language, Outputs

__all__ = ["LanguageNetwork", "State", "Walked"]

State = tuple[Tensor, ...]


class Walked(NamedTuple):
    """What a trunk made of a batch."""

    output: Tensor  # (B, T, F), after dropout
    raw: Tensor  # (B, T, F), before
    state: State


class LanguageNetwork(nn.Module):
    """Read tokens or frames, and say what comes next.

    Parameters
    ----------
    symbols
        V tokens with padding and unknown, or K keys of a frame.
    language, trunk, outputs
        The settings.

    Raises
    ------
    ConfigError
        The trunk is bidirectional: it would read what it should predict.
    """

    def __init__(self, symbols: int, language: Language, trunk: Trunk, outputs: Outputs) -> None:
        super().__init__()
        if trunk.bidirectional:
            raise ConfigError(
                "a language model with Trunk(bidirectional=True) would read what it should "
                "predict; take bidirectional=False"
            )
        self.symbols = symbols
        self.embedding: nn.Module = nn.Identity()
        size = symbols
        if outputs == "tokens":
            size = language.embedding_size(symbols, trunk.units)
            self.embedding = TokenEmbedding(symbols, size, dropout=language.embedding_dropout)
        self.trunk = trunk.build(size)
        self.head = _head(self.trunk.output_size, symbols, language, outputs, self.embedding)

    def forward(self, x: Tensor, state: State = (), *, lengths: Tensor | None = None) -> Walked:
        """Read tokens (B, T) or frames (B, T, K)."""
        raw, new = self.trunk.walk(self.embedding(x), state, lengths=lengths)
        return Walked(self.trunk.dropout(raw), raw, new)

    def nats(self, walked: Walked, target: Tensor) -> Tensor:
        """Return the negative log-likelihood (B, T) of tokens (B, T) or frames (B, T, K)."""
        flat = target.flatten(0, 1)
        found: Tensor = self.head(walked.output.flatten(0, 1), flat)
        return found.view(target.shape[:2])


def _head(
    features: int, symbols: int, language: Language, outputs: Outputs, embedding: nn.Module
) -> Head:
    if outputs == "tokens" and (language.chords or language.transpose):
        raise ConfigError("Language.chords and transpose are for music: outputs='frames'")
    if outputs == "frames" and language.chords:
        return ChordHead(features, symbols, language.chords)
    if outputs == "frames":
        return FrameHead(features, symbols)
    if language.is_adaptive(symbols):
        return AdaptiveHead(features, symbols)
    tied = embedding if language.tied and isinstance(embedding, TokenEmbedding) else None
    return TokenHead(features, symbols, tied)
