"""What the networks in plain torch share: encoders, convolutions, recurrent layers, a chain.

B rows, T steps. Rows come as lists of tensors without padding, what a `Dataset` would hand to
`collate_fn`.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import (
    PackedSequence,
    pack_padded_sequence,
    pad_packed_sequence,
    pad_sequence,
)

from relembra.nn import Convolutions, TokenEmbedding, Trunk, WordCharacterEmbedding
from relembra.tasks._sequence import SequenceBatch
from relembra.tasks._sequence._encoder import FrameEncoder, SymbolEncoder
from relembra.tasks._sequence._front import places

Rows = list[Tensor]
PLAIN = ("cell", "units", "layers", "bidirectional", "dropout", "input_dropout", "weight_drop")


def lengths_of(rows: Rows) -> Tensor:
    return torch.tensor([len(row) for row in rows])


def inside(lengths: Tensor) -> Tensor:
    """Which steps belong to their row, (B, T)."""
    return torch.arange(int(lengths.max())) < lengths[:, None]


def cut(padded: Tensor, lengths: Tensor) -> Rows:
    """Take the padding away."""
    return [row[:n].clone() for row, n in zip(padded, lengths.tolist(), strict=True)]


def forget(ids: Tensor, rate: float) -> Tensor:
    """Take symbols for the unknown one, at a rate."""
    lost = torch.rand(ids.shape) < rate
    return torch.where(lost & (ids != 0), 1, ids)


def embedding_like(ours: TokenEmbedding) -> nn.Embedding:
    return nn.Embedding(*ours.weight.shape, padding_idx=ours.padding)


class Body(nn.Module):
    """`torch.nn.LSTM` or `GRU` with dropout around it."""

    def __init__(self, inputs: int, trunk: Trunk) -> None:
        super().__init__()
        plain = Trunk(**{name: getattr(trunk, name) for name in PLAIN})
        if plain != trunk:
            raise ValueError(f"torch.nn has no such layer, or no such option: {trunk}")
        between = trunk.dropout if trunk.layers > 1 else 0.0
        self.rnn = getattr(nn, trunk.cell.upper())(
            inputs,
            trunk.units,
            trunk.layers,
            batch_first=True,
            dropout=between,
            bidirectional=trunk.bidirectional,
        )
        self.input_dropout, self.dropout = (
            nn.Dropout(trunk.input_dropout),
            nn.Dropout(trunk.dropout),
        )
        self.size = trunk.units * (2 if trunk.bidirectional else 1)
        self.weight_drop = trunk.weight_drop

    def walk(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Read rows of one length; weights are dropped as Merity et al. (2018) do it."""
        if not (self.training and self.weight_drop):
            return self.rnn(x, state)
        if state is None:
            state = (x.new_zeros(self.rnn.num_layers, len(x), self.rnn.hidden_size),) * 2
        output, *state = torch.lstm(
            x, state, self._dropped(), True, self.rnn.num_layers, self.rnn.dropout, True, False,
            True,
        )  # fmt: skip
        return output, state

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Read rows of unequal length."""
        packed = pack_padded_sequence(
            self.input_dropout(x), lengths, batch_first=True, enforce_sorted=False
        )
        if self.training and self.weight_drop:
            rnn, data, sizes = self.rnn, packed.data, packed.batch_sizes
            directions = rnn.num_layers * (2 if rnn.bidirectional else 1)
            state = (data.new_zeros(directions, len(x), rnn.hidden_size),) * 2
            output = torch.lstm(
                data, sizes, state, self._dropped(), True, rnn.num_layers, rnn.dropout, True,
                rnn.bidirectional,
            )[0]  # fmt: skip
            order = packed.sorted_indices, packed.unsorted_indices
            return pad_packed_sequence(PackedSequence(output, sizes, *order), batch_first=True)[0]
        return pad_packed_sequence(self.rnn(packed)[0], batch_first=True)[0]

    def _dropped(self) -> list[Tensor]:
        return [
            functional.dropout(w, self.weight_drop) if name.startswith("weight_hh") else w
            for name, w in self.rnn.named_parameters()
        ]


class Encoder(nn.Module):
    """Frames as they are or through a linear layer; symbols; words beside their letters.

    What training does to frames are torch operations on either side: the same modules do it.
    """

    def __init__(self, ours: nn.Module, tempo: nn.Module | None = None) -> None:
        super().__init__()
        if not isinstance(ours, FrameEncoder | SymbolEncoder):
            raise ValueError(f"the twins know no {type(ours).__name__}")
        self.size = ours.output_size
        self.unknown_rate, self.dropout, self.symbol_dropout = 0.0, nn.Dropout(0.0), 0.0
        self.linear = self.reader = self.noise = None
        self.tempo = copy.deepcopy(tempo)
        if isinstance(ours, FrameEncoder):
            self.noise = copy.deepcopy(ours.noise)
            if ours.linear is not None:
                self.linear = nn.Linear(*reversed(ours.linear.weight.shape))
        else:
            self._read_symbols(ours)

    def _read_symbols(self, ours: SymbolEncoder) -> None:
        self.dropout = nn.Dropout(ours.dropout.p)
        inner = ours.embedding
        words = inner.words if isinstance(inner, WordCharacterEmbedding) else inner
        self.symbol_dropout = words.dropout
        self.words = embedding_like(words)
        self.unknown_rate = ours.unknown_rate
        if isinstance(inner, WordCharacterEmbedding):
            self.unknown_rate = inner.unknown_rate
            self.letters = embedding_like(inner.characters)
            self.reader = nn.LSTM(
                self.letters.embedding_dim,
                inner.reader.hidden_size,
                batch_first=True,
                bidirectional=True,
            )

    @staticmethod
    def rows(batch: SequenceBatch) -> dict[str, Rows]:
        values, lengths = batch.inputs
        found = {
            name: cut(values[name], lengths)
            for name in ("frames", "ids", "spelling")
            if name in values
        }
        if "characters" in values:
            found["characters"] = cut(values["characters"], values["character_lengths"])
        return found

    def forward(self, rows: dict[str, Rows]) -> tuple[Tensor, Tensor]:
        """Return (B, T, size) and the lengths (B,)."""
        if "frames" in rows:
            return self._framed(rows["frames"])
        ids = pad_sequence(rows["ids"], batch_first=True)
        if self.training and self.unknown_rate:
            ids = forget(ids, self.unknown_rate)
        vectors = self.words(ids)
        if self.training and self.symbol_dropout:
            kept = torch.rand(self.words.num_embeddings) >= self.symbol_dropout
            vectors = vectors * (kept / (1 - self.symbol_dropout))[ids][..., None]
        if self.reader is not None:
            vectors = torch.cat([vectors, self._spelled(self.reader, rows)], 2)
        return self.dropout(vectors), lengths_of(rows["ids"])

    def _framed(self, rows: Rows) -> tuple[Tensor, Tensor]:
        frames, lengths = pad_sequence(rows, batch_first=True), lengths_of(rows)
        if self.tempo is not None:
            frames, lengths = self.tempo(frames, lengths)
        if self.noise is not None:
            frames = self.noise(frames)
        return frames if self.linear is None else self.linear(frames), lengths

    def _spelled(self, reader: nn.LSTM, rows: dict[str, Rows]) -> Tensor:
        letters = self.letters(pad_sequence(rows["characters"], batch_first=True))
        packed = pack_padded_sequence(
            letters, lengths_of(rows["characters"]), batch_first=True, enforce_sorted=False
        )
        last = reader(packed)[1][0]  # (2, U, C)
        spelling = pad_sequence(rows["spelling"], batch_first=True)
        return last.transpose(0, 1).flatten(1)[spelling]


class Front(nn.Module):
    """The places of steps; `torch.nn.Conv1d` and `BatchNorm1d`, in which padding does not count."""

    def __init__(self, ours: Any) -> None:
        super().__init__()
        self.positions, self.size = ours.positions, ours.output_size
        self.layers = None if ours.convolutions is None else Convolved(ours.convolutions)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Map (B, T, I) to (B, T, size)."""
        if self.positions:
            where = places(0, x.shape[1], self.positions)
            x = torch.cat([x, where.expand(len(x), -1, -1)], 2)
        return x if self.layers is None else self.layers(x, lengths)


class Convolved(nn.Module):
    """Convolutions over the steps of rows, zero beyond their lengths."""

    def __init__(self, ours: Convolutions) -> None:
        super().__init__()
        before = ours.window - 1 if ours.causal else (ours.window - 1) // 2
        self.around = (before, ours.window - 1 - before)
        self.size = ours.output_size
        self.convolutions = nn.ModuleList(
            nn.Conv1d(features, self.size, ours.window, bias=False) for features in ours.sizes
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(self.size) for _ in ours.sizes)
        self.dropout = nn.Dropout(ours.dropout.p)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Map (B, T, I) to (B, T, size), zero beyond a row's length."""
        within = inside(lengths)
        x = x.masked_fill(~within[..., None], 0.0)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            found = convolution(functional.pad(x.transpose(1, 2), self.around)).transpose(1, 2)
            x = torch.zeros_like(found)
            x[within] = self.dropout(torch.relu(norm(found[within])))
        return x


class Stem(nn.Module):
    """What stands before a head that reads sequences: encoder, convolutions, recurrent layers."""

    def __init__(self, ours: Any) -> None:
        super().__init__()
        self.encoder = Encoder(ours.encoder, getattr(ours, "tempo", None))
        self.front = Front(ours.front)
        self.body = Body(self.front.size, ours.trunk.settings)

    def forward(self, rows: dict[str, Rows]) -> tuple[Tensor, Tensor]:
        """Return (B, T, body.size) and the lengths (B,)."""
        vectors, lengths = self.encoder(rows)
        return self.body(self.front(vectors, lengths), lengths), lengths


class Chain(nn.Module):
    """A conditional random field as it is mostly written: logsumexp, step by step, by autograd."""

    def __init__(self, tags: int, forbidden: Tensor | None) -> None:
        super().__init__()
        self.transitions = nn.Parameter(torch.zeros(tags, tags))
        self.begins, self.ends = nn.Parameter(torch.zeros(tags)), nn.Parameter(torch.zeros(tags))
        wall = torch.zeros(tags + 1, tags + 1)
        self.wall = wall if forbidden is None else wall.masked_fill(forbidden, -1e4)

    def forward(self, scores: Tensor, tags: Tensor, inside: Tensor) -> Tensor:
        """Return the negative log-likelihood of all rows together."""
        between = self.transitions + self.wall[:-1, :-1]
        begins, ends = self.begins + self.wall[-1, :-1], self.ends + self.wall[:-1, -1]
        rows = torch.arange(len(tags))
        forward = begins + scores[:, 0]
        path = begins[tags[:, 0]] + scores[rows, 0, tags[:, 0]]
        for t in range(1, scores.shape[1]):
            here = inside[:, t]
            step = torch.logsumexp(forward[:, :, None] + between, 1) + scores[:, t]
            forward = torch.where(here[:, None], step, forward)
            gained = between[tags[:, t - 1], tags[:, t]] + scores[rows, t, tags[:, t]]
            path = path + torch.where(here, gained, 0.0)
        path = path + ends[tags[rows, inside.sum(1) - 1]]
        return (torch.logsumexp(forward + ends, 1) - path).sum()
