"""What the scores of a language model are."""

from __future__ import annotations

from dataclasses import dataclass

from relembra.evaluation import bits_per_character, perplexity

__all__ = ["LanguageScores"]


@dataclass(frozen=True)
class LanguageScores:
    """How well a text was predicted.

    Attributes
    ----------
    nats
        The summed negative log-likelihood.
    tokens
        How many tokens, or frames, were predicted.
    characters
        How many characters they stand for; 0 for frames.

    Examples
    --------
    >>> scores = LanguageScores(nats=14.0, tokens=10, characters=20)
    >>> scores.per_token, round(scores.perplexity, 2), round(scores.bits_per_character, 2)
    (1.4, 4.06, 1.01)
    """

    nats: float
    tokens: int
    characters: int = 0

    @property
    def per_token(self) -> float:
        """Nats per token, or per frame."""
        return self.nats / self.tokens

    @property
    def perplexity(self) -> float:
        """Among how many equally likely tokens the model seems to choose."""
        return perplexity(self.nats, self.tokens)

    @property
    def bits_per_character(self) -> float | None:
        """Bits per character; None for frames."""
        return bits_per_character(self.nats, self.characters) if self.characters else None

    def to_dict(self) -> dict[str, float | int | None]:
        """Return all of them by their usual names."""
        values: dict[str, float | int | None] = {
            "nll": self.per_token,
            "perplexity": self.perplexity,
            "bits_per_character": self.bits_per_character,
            "tokens": self.tokens,
        }
        return values
