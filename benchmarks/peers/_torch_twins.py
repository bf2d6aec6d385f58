"""The networks of the recipes as people write them in plain torch: `torch.nn` and packed sequences.

Each twin has the parameters of ours, takes a batch as lists of tensors without padding (what a
`Dataset` would hand to `collate_fn`), pads it itself and returns the loss of it. B rows, T steps.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from benchmarks.peers._torch_parts import Body, Chain, Encoder, Rows, Stem, cut, inside, lengths_of
from relembra.tasks._sequence import SequenceBatch
from relembra.tasks.classify._network import SequenceNetwork
from relembra.tasks.generate._batches import Segment
from relembra.tasks.generate._heads import ChordHead, FrameHead, TokenHead
from relembra.tasks.generate._network import LanguageNetwork
from relembra.tasks.tag._network import TaggingNetwork


class Characters(nn.Module):
    """A language model over text in rows side by side, its state carried on."""

    def __init__(self, ours: LanguageNetwork) -> None:
        super().__init__()
        if not isinstance(ours.head, TokenHead):
            raise ValueError(f"the twins know no {type(ours.head).__name__} over tokens")
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
    """Which keys sound next, each for itself or with regard to those below."""

    def __init__(self, ours: LanguageNetwork) -> None:
        super().__init__()
        if not isinstance(ours.head, FrameHead):
            raise ValueError(f"the twins know no {type(ours.head).__name__} over frames")
        self.body = Body(ours.symbols, ours.trunk.settings)
        self.head = nn.Linear(self.body.size, ours.symbols)
        self.chord = None
        if isinstance(ours.head, ChordHead):
            self.chord = Chord(self.body.size, *ours.head.above.shape)

    @staticmethod
    def rows(segment: Segment) -> tuple[Rows, Rows]:
        assert segment.lengths is not None
        return cut(segment.inputs, segment.lengths), cut(segment.targets, segment.lengths)

    def begin(self) -> None:
        pass

    def loss(self, inputs: Rows, targets: Rows) -> Tensor:
        lengths = lengths_of(inputs)
        read = self.body.dropout(self.body(pad_sequence(inputs, batch_first=True), lengths))
        keys = pad_sequence(targets, batch_first=True)
        scores = self.head(read)
        if self.chord is not None:
            scores = scores + self.chord(read, keys)
        losses = functional.binary_cross_entropy_with_logits(scores, keys, reduction="none")
        return losses.sum(2)[inside(lengths)].mean()


class Chord(nn.Module):
    """What the keys below say of each key: a neural autoregressive distribution estimator."""

    def __init__(self, features: int, keys: int, units: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(features, units)
        self.below = nn.Linear(keys, units, bias=False)
        self.above = nn.Parameter(torch.zeros(keys, units))

    def forward(self, x: Tensor, keys: Tensor) -> Tensor:
        """Map (B, T, F) and keys (B, T, K) to what is added to their log-odds, (B, T, K)."""
        sounding = keys[..., None] * self.below.weight.T  # (B, T, K, units)
        heard = self.hidden(x)[:, :, None] + sounding.cumsum(2) - sounding
        return (torch.relu(heard) * self.above).sum(3)


class Tags(nn.Module):
    """A tag for each step, chosen each for itself or as a chain."""

    def __init__(self, ours: TaggingNetwork) -> None:
        super().__init__()
        self.stem = Stem(ours)
        self.dropout = self.stem.body.dropout
        tags = ours.head.out_features
        self.head = nn.Linear(self.stem.body.size, tags)
        self.chain = None
        if ours.crf is not None:
            self.chain = Chain(tags, ours.crf.forbidden)

    @staticmethod
    def rows(batch: SequenceBatch) -> tuple[dict[str, Rows], Rows]:
        return Encoder.rows(batch), cut(batch.target, batch.inputs.lengths)

    def begin(self) -> None:
        pass

    def loss(self, inputs: dict[str, Rows], targets: Rows) -> Tensor:
        read, lengths = self.stem(inputs)
        scores = self.head(self.dropout(read))
        padded = pad_sequence(targets, batch_first=True, padding_value=-1)
        if self.chain is not None:
            return self.chain(scores, padded.clamp(min=0), inside(lengths)) / lengths.sum()
        return functional.cross_entropy(scores.flatten(0, 1), padded.flatten(), ignore_index=-1)


class Label(nn.Module):
    """A label for a sequence."""

    def __init__(self, ours: SequenceNetwork) -> None:
        super().__init__()
        self.stem = Stem(ours)
        size = self.stem.body.size
        self.dropout, self.bidirectional = self.stem.body.dropout, ours.trunk.settings.bidirectional
        self.kind = ours.pooling.kind
        if self.kind == "attention":
            self.hidden = nn.Linear(size, size)
            self.score = nn.Linear(size, 1, bias=False)
        self.head = nn.Linear(size, ours.head.out_features)

    @staticmethod
    def rows(batch: SequenceBatch) -> tuple[dict[str, Rows], Tensor]:
        return Encoder.rows(batch), batch.target

    def begin(self) -> None:
        pass

    def loss(self, inputs: dict[str, Rows], target: Tensor) -> Tensor:
        scores = self.head(self.dropout(self._pooled(*self.stem(inputs))))
        return functional.cross_entropy(scores, target)

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
        if not self.bidirectional:
            return last
        half = x.shape[2] // 2
        return torch.cat([last[:, :half], x[:, 0, half:]], 1)
