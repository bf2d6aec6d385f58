"""Words as vectors of their own beside what their letters say."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from relembra.nn._embedding import TokenEmbedding
from relembra.nn._layers import LSTM
from relembra.nn._locked_dropout import check_rate

__all__ = ["WordCharacterEmbedding"]


class WordCharacterEmbedding(nn.Module):
    """A word's own vector beside the final states of an LSTM that reads its letters both ways.

    So a word that training never saw has a vector too (Lample et al. 2016, section 4.1; Ling et al.
    2015). Each distinct word of a batch is read once.

    Parameters
    ----------
    words, characters
        How many words and characters there are, with padding (0) and unknown (1).
    size
        E, the features of a word's own vector.
    character_size, character_units
        Features of a character's vector, and C, units of the LSTM in each direction.
    dropout
        Rate at which training drops whole words' own vectors, as in `TokenEmbedding`.
    unknown_rate
        Rate at which training takes a word for the unknown one, so that the unknown word's vector
        is learned and the letters are relied upon.

    Raises
    ------
    ConfigError
        A rate is not in [0, 1).

    Examples
    --------
    >>> embedding = WordCharacterEmbedding(words=9, characters=7, size=4, character_units=3)
    >>> vectors = embedding(
    ...     ids=torch.tensor([[5, 1, 5]]),  # the second is a word that nobody knows
    ...     spelling=torch.tensor([[0, 1, 0]]),
    ...     characters=torch.tensor([[2, 3, 0], [4, 4, 6]]),
    ...     character_lengths=torch.tensor([2, 3]),
    ... )
    >>> vectors.shape, torch.equal(vectors[0, 0], vectors[0, 2])
    (torch.Size([1, 3, 10]), True)
    """

    def __init__(
        self,
        words: int,
        characters: int,
        size: int,
        *,
        character_size: int = 32,
        character_units: int = 64,
        dropout: float = 0.0,
        unknown_rate: float = 0.0,
    ) -> None:
        super().__init__()
        check_rate("unknown_rate", unknown_rate)
        self.unknown_rate = unknown_rate
        self.words = TokenEmbedding(words, size, dropout=dropout)
        self.characters = TokenEmbedding(characters, character_size)
        self.reader = LSTM(
            character_size, character_units, batch_first=True, bidirectional=True, forget_bias=1.0
        )
        self.output_size = size + 2 * character_units

    def forward(
        self, ids: Tensor, spelling: Tensor, characters: Tensor, character_lengths: Tensor
    ) -> Tensor:
        """Map words to vectors.

        Parameters
        ----------
        ids
            (B, T), each word's number; 0 for padding.
        spelling
            (B, T), which row of `characters` spells the word; at padding it does not matter.
        characters, character_lengths
            (U, L) and (U,), the letters of the U distinct words.

        Returns
        -------
        Tensor
            (B, T, E + 2 C); zero at padding.

        Raises
        ------
        DataError
            A word or a character is not one of those that there are.
        """
        if self.training and self.unknown_rate:
            forgotten = torch.empty(ids.shape, device=ids.device).bernoulli_(self.unknown_rate) > 0
            known = torch.where(forgotten & (ids != 0), 1, ids)
        else:
            known = ids
        if not len(characters):  # a batch without words
            return self.words.weight.new_zeros(*ids.shape, self.output_size)
        _, (last, _) = self.reader(self.characters(characters), lengths=character_lengths)
        read = last.transpose(0, 1).flatten(1)[spelling]  # (2, U, C) -> (U, 2C) -> (B, T, 2C)
        read = read.masked_fill((ids == 0)[..., None], 0.0)
        return torch.cat([self.words(known), read], -1)
