"""From symbols to vectors."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from relembra._errors import DataError
from relembra.nn._locked_dropout import check_rate

__all__ = ["TokenEmbedding"]


class TokenEmbedding(nn.Module):
    """A vector for each symbol; training may drop whole symbols.

    The vectors begin uniform in ±sqrt(3 / size), of length 1 on average (Ma & Hovy 2016, section
    4.1), that of the padding at zero, where it stays.

    Parameters
    ----------
    symbols, size
        V, how many symbols there are with padding and unknown, and E, the features of a vector.
    dropout
        Rate at which training drops symbols: one that is dropped is zero wherever it stands in the
        call, the others are divided by 1 - rate (Gal & Ghahramani 2016, section 4.2).
    padding
        The symbol whose vector is zero; None for none.

    Raises
    ------
    ConfigError
        The rate is not in [0, 1).

    Examples
    --------
    >>> embedding = TokenEmbedding(symbols=5, size=3)
    >>> vectors = embedding(torch.tensor([[2, 4, 0]]))
    >>> vectors.shape, vectors[0, 2].tolist()
    (torch.Size([1, 3, 3]), [0.0, 0.0, 0.0])
    """

    def __init__(
        self, symbols: int, size: int, *, dropout: float = 0.0, padding: int | None = 0
    ) -> None:
        super().__init__()
        check_rate("dropout", dropout)
        self.output_size = size
        self.dropout = dropout
        self.padding = padding
        self.weight = nn.Parameter(torch.empty(symbols, size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the vectors."""
        bound = math.sqrt(3.0 / self.output_size)
        nn.init.uniform_(self.weight, -bound, bound)
        if self.padding is not None:
            with torch.no_grad():
                self.weight[self.padding] = 0.0

    def forward(self, ids: Tensor) -> Tensor:
        """Map symbols (B, T), or of any shape, to vectors (B, T, E).

        Raises
        ------
        DataError
            A symbol is not one of the V.
        """
        try:
            vectors = functional.embedding(ids, self.weight, self.padding)
        except IndexError:
            low, high = int(ids.min()), int(ids.max())
            raise DataError(
                f"symbols lie between {low} and {high}, expected 0 to {len(self.weight) - 1}"
            ) from None
        if not self.training or not self.dropout:
            return vectors
        keep = self.weight.new_empty(len(self.weight)).bernoulli_(1.0 - self.dropout)  # (V,)
        return vectors * (keep / (1.0 - self.dropout))[ids][..., None]

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"{len(self.weight)}, {self.output_size}, dropout={self.dropout}"
