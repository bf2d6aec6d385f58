"""The networks of the recipes as people write them in plain torch: `torch.nn` and packed sequences.

Each twin has the parameters of ours, takes a batch as lists of tensors without padding (what a
`Dataset` would hand to `collate_fn`), pads it itself and returns the loss of it. B rows, T steps.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from relembra.nn import TokenEmbedding, Trunk, WordCharacterEmbedding
from relembra.tasks._sequence import SequenceBatch
from relembra.tasks._sequence._encoder import SymbolEncoder
from relembra.tasks.classify._network import SequenceNetwork
from relembra.tasks.generate._batches import Segment
from relembra.tasks.generate._network import LanguageNetwork
from relembra.tasks.tag._network import TaggingNetwork

Rows = list[Tensor]
PLAIN = ("cell", "units", "layers", "bidirectional", "dropout", "input_dropout", "weight_drop")


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
        weights = [
            functional.dropout(w, self.weight_drop) if name.startswith("weight_hh") else w
            for name, w in self.rnn.named_parameters()
        ]
        between = self.rnn.dropout
        output, *state = torch.lstm(
            x, state, weights, True, self.rnn.num_layers, between, True, False, True
        )
        return output, state

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Read rows of unequal length."""
        if self.weight_drop:
            raise ValueError("the twin drops weights only where all rows are of one length")
        packed = pack_padded_sequence(
            self.input_dropout(x), lengths, batch_first=True, enforce_sorted=False
        )
        return pad_packed_sequence(self.rnn(packed)[0], batch_first=True)[0]


def lengths_of(rows: Rows) -> Tensor:
    return torch.tensor([len(row) for row in rows])


def inside(lengths: Tensor) -> Tensor:
    """Which steps belong to their row, (B, T)."""
    return torch.arange(int(lengths.max())) < lengths[:, None]


def cut(padded: Tensor, lengths: Tensor) -> Rows:
    """Take the padding away."""
    return [row[:n].clone() for row, n in zip(padded, lengths.tolist(), strict=True)]


def refuse(noise: object) -> None:
    """Raise ValueError where training changes the frames: the twins do not."""
    if noise is not None:
        raise ValueError(f"the twins know no noise, got {noise}")


def forget(ids: Tensor, rate: float) -> Tensor:
    """Take symbols for the unknown one, at a rate."""
    lost = torch.rand(ids.shape) < rate
    return torch.where(lost & (ids != 0), 1, ids)


class Characters(nn.Module):
    """A language model over text in rows side by side, its state carried on."""

    def __init__(self, ours: LanguageNetwork) -> None:
        super().__init__()
        symbols, size = ours.embedding.weight.shape
        trunk = ours.trunk.settings
        self.embedding = nn.Embedding(symbols, size, padding_idx=0)
        self.body = Body(size, trunk)
        self.projection = nn.Linear(trunk.units, size)
        self.bias = nn.Parameter(torch.zeros(symbols))
        self.state: Any = None

    @staticmethod
    def rows(segment: Segment) -> tuple[Rows, Rows]:
        return list(segment.inputs), list(segment.targets)

    def begin(self) -> None:
        self.state = None

    def loss(self, inputs: Rows, targets: Rows) -> Tensor:
        output, state = self.body.walk(self.embedding(torch.stack(inputs)), self.state)
        self.state = tuple(part.detach() for part in state)
        features = self.projection(self.body.dropout(output))
        scores = functional.linear(features, self.embedding.weight, self.bias)
        return functional.cross_entropy(scores.flatten(0, 1), torch.stack(targets).flatten())


class Music(nn.Module):
    """Which keys sound next, each for itself."""

    def __init__(self, ours: LanguageNetwork) -> None:
        super().__init__()
        self.body = Body(ours.symbols, ours.trunk.settings)
        self.head = nn.Linear(self.body.size, ours.symbols)

    @staticmethod
    def rows(segment: Segment) -> tuple[Rows, Rows]:
        assert segment.lengths is not None
        return cut(segment.inputs, segment.lengths), cut(segment.targets, segment.lengths)

    def begin(self) -> None:
        pass

    def loss(self, inputs: Rows, targets: Rows) -> Tensor:
        lengths = lengths_of(inputs)
        output = self.body(pad_sequence(inputs, batch_first=True), lengths)
        scores = self.head(self.body.dropout(output))
        losses = functional.binary_cross_entropy_with_logits(
            scores, pad_sequence(targets, batch_first=True), reduction="none"
        )
        return losses.sum(2)[inside(lengths)].mean()


class Encoder(nn.Module):
    """Frames as they are or through a linear layer; symbols; words beside their letters."""

    def __init__(self, ours: nn.Module) -> None:
        super().__init__()
        self.size: int = ours.output_size  # type: ignore[assignment]
        self.unknown_rate, self.dropout, self.symbol_dropout = 0.0, nn.Dropout(0.0), 0.0
        self.linear = self.reader = None
        if not isinstance(ours, SymbolEncoder):
            refuse(ours.noise)
            found = ours.linear
            if isinstance(found, nn.Module):
                self.linear = nn.Linear(*reversed(found.weight.shape))  # type: ignore[arg-type]
            return
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
            frames = pad_sequence(rows["frames"], batch_first=True)
            vectors = frames if self.linear is None else self.linear(frames)
            return vectors, lengths_of(rows["frames"])
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

    def _spelled(self, reader: nn.LSTM, rows: dict[str, Rows]) -> Tensor:
        letters = self.letters(pad_sequence(rows["characters"], batch_first=True))
        packed = pack_padded_sequence(
            letters, lengths_of(rows["characters"]), batch_first=True, enforce_sorted=False
        )
        last = reader(packed)[1][0]  # (2, U, C)
        spelling = pad_sequence(rows["spelling"], batch_first=True)
        return last.transpose(0, 1).flatten(1)[spelling]


def embedding_like(ours: TokenEmbedding) -> nn.Embedding:
    return nn.Embedding(*ours.weight.shape, padding_idx=ours.padding)


class Tags(nn.Module):
    """A tag for each step, chosen each for itself or as a chain."""

    def __init__(self, ours: TaggingNetwork) -> None:
        super().__init__()
        self.encoder = Encoder(ours.encoder)
        self.body = Body(self.encoder.size, ours.trunk.settings)
        tags = ours.head.out_features
        self.head = nn.Linear(self.body.size, tags)
        self.chain = None
        if ours.crf is not None:
            self.chain = Chain(tags, ours.crf.forbidden)

    @staticmethod
    def rows(batch: SequenceBatch) -> tuple[dict[str, Rows], Rows]:
        return Encoder.rows(batch), cut(batch.target, batch.inputs.lengths)

    def begin(self) -> None:
        pass

    def loss(self, inputs: dict[str, Rows], targets: Rows) -> Tensor:
        vectors, lengths = self.encoder(inputs)
        scores = self.head(self.body.dropout(self.body(vectors, lengths)))
        padded = pad_sequence(targets, batch_first=True, padding_value=-1)
        if self.chain is not None:
            return self.chain(scores, padded.clamp(min=0), inside(lengths)) / lengths.sum()
        return functional.cross_entropy(scores.flatten(0, 1), padded.flatten(), ignore_index=-1)


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


class Label(nn.Module):
    """A label for a sequence."""

    def __init__(self, ours: SequenceNetwork) -> None:
        super().__init__()
        refuse(ours.tempo)
        self.encoder = Encoder(ours.encoder)
        self.body = Body(self.encoder.size, ours.trunk.settings)
        self.kind = ours.pooling.kind
        if self.kind == "attention":
            self.hidden = nn.Linear(self.body.size, self.body.size)
            self.score = nn.Linear(self.body.size, 1, bias=False)
        self.head = nn.Linear(self.body.size, ours.head.out_features)

    @staticmethod
    def rows(batch: SequenceBatch) -> tuple[dict[str, Rows], Tensor]:
        return Encoder.rows(batch), batch.target

    def begin(self) -> None:
        pass

    def loss(self, inputs: dict[str, Rows], target: Tensor) -> Tensor:
        vectors, lengths = self.encoder(inputs)
        read = self._pooled(self.body(vectors, lengths), lengths)
        return functional.cross_entropy(self.head(self.body.dropout(read)), target)

    def _pooled(self, x: Tensor, lengths: Tensor) -> Tensor:
        outside = ~inside(lengths)[..., None]
        if self.kind == "max":
            return x.masked_fill(outside, -torch.inf).amax(1)
        if self.kind == "mean":  # behind its end a row is zero already
            return x.sum(1) / lengths[:, None]
        if self.kind == "attention":
            scores = self.score(torch.tanh(self.hidden(x))).masked_fill(outside, -torch.inf)
            return (torch.softmax(scores, 1) * x).sum(1)
        last = x[torch.arange(len(x)), lengths - 1]
        if not self.body.rnn.bidirectional:
            return last
        half = x.shape[2] // 2
        return torch.cat([last[:, :half], x[:, 0, half:]], 1)
