"""The trunk between features and head: settings, and the module that they describe."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from relembra._config import check_count, config, replace
from relembra._errors import ConfigError
from relembra.engine import PathName
from relembra.engine._request import check_recompute
from relembra.engine._spec import RecurrentDropoutKind
from relembra.nn._feedforward import FeedForward
from relembra.nn._layers import GRU, LSTM, RNN
from relembra.nn._locked_dropout import LockedDropout, check_rate
from relembra.nn._recurrent import RecurrentLayer

__all__ = ["CELLS", "RecurrentTrunk", "Trunk"]

CELLS = ("lstm", "gru", "rnn", "feedforward")
"""The cells that a trunk can be made of."""


@config
class Trunk:
    """What stands between the features and the head.

    Parameters
    ----------
    cell
        ``lstm``, ``gru``, ``rnn``, or ``feedforward``, a baseline with no sense of order.
    units, layers, bidirectional
        Size of a layer, how many, and whether they read both ways.
    dropout, input_dropout
        Rate between layers and on the trunk's output, and on its input.
    locked_dropout
        Whether these have one mask for all steps of a sequence, as `LockedDropout`, rather than one
        for each step.
    recurrent_dropout, zoneout, layer_norm
        As in `relembra.engine.CellSpec`; a feedforward trunk has none of them.
    weight_drop
        Rate at which training drops weights of the recurrent matrices, the same ones at all steps
        of a call (DropConnect; Merity, Keskar & Socher 2018, section 2). It stands in the place of
        `recurrent_dropout`.
    recompute
        For sequences of very many steps, as in `relembra.nn.LSTM`: memory for time.
    path
        The engine's path; ``auto`` lets it choose.

    Examples
    --------
    >>> import torch
    >>> output, state = Trunk(cell="gru", units=8).build(3)(torch.zeros(2, 5, 3))
    >>> output.shape
    torch.Size([2, 5, 8])
    """

    cell: Literal["lstm", "gru", "rnn", "feedforward"] = "lstm"
    units: int = 50
    layers: int = 1
    bidirectional: bool = False
    dropout: float = 0.0
    input_dropout: float = 0.0
    locked_dropout: bool = False
    recurrent_dropout: float = 0.0
    weight_drop: float = 0.0
    zoneout: float = 0.0
    layer_norm: bool = False
    recompute: bool | int = False
    path: PathName = "auto"

    def __post_init__(self) -> None:
        if self.cell not in CELLS:
            raise ConfigError(f"unknown cell {self.cell!r}; known: {', '.join(CELLS)}")
        for name in ("units", "layers"):
            check_count(f"Trunk.{name}", getattr(self, name), least=1)
        for name in ("dropout", "input_dropout", "recurrent_dropout", "weight_drop", "zoneout"):
            check_rate(name, getattr(self, name))
        if self.recurrent_dropout and self.weight_drop:
            raise ConfigError(
                "recurrent_dropout drops states and weight_drop drops the weights that they meet: "
                f"give one of them, got {self.recurrent_dropout} and {self.weight_drop}"
            )
        check_recompute(self.recompute)
        recurrent = self.recurrent_dropout or self.weight_drop or self.zoneout or self.layer_norm
        recurrent = recurrent or self.bidirectional or self.recompute
        if self.cell == "feedforward" and recurrent:
            raise ConfigError(
                "a feedforward trunk has no state: recurrent_dropout, weight_drop, zoneout, "
                "layer_norm, bidirectional and recompute mean nothing to it"
            )

    def build(self, input_size: int) -> RecurrentTrunk:
        """Make the module for inputs of (B, T, input_size)."""
        return RecurrentTrunk(self, input_size)

    def without_memory(self) -> Trunk:
        """Return the feedforward trunk of the same size, to say what memory was worth.

        Examples
        --------
        >>> Trunk(cell="gru", units=8, bidirectional=True).without_memory()
        Trunk(cell='feedforward', units=8, ...)
        """
        none = {"bidirectional": False, "recurrent_dropout": 0.0, "weight_drop": 0.0}
        off = {"zoneout": 0.0, "layer_norm": False, "recompute": False}
        return replace(self, cell="feedforward", **none, **off)


class RecurrentTrunk(nn.Module):
    """The module that a `Trunk` describes; every cell has the same call."""

    def __init__(self, settings: Trunk, input_size: int) -> None:
        super().__init__()
        self.settings = settings
        self.body = _body(settings, input_size)
        self.input_dropout = _dropout(settings, settings.input_dropout)
        self.dropout = _dropout(settings, settings.dropout)
        self.output_size = settings.units * (2 if settings.bidirectional else 1)

    def forward(
        self,
        x: Tensor,
        state: tuple[Tensor, ...] = (),
        *,
        lengths: Tensor | None = None,
        mask: Tensor | None = None,
        reset: Tensor | None = None,
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Map (B, T, I) to (B, T, output_size).

        The state is (h, c), (h,) or (), each (L*D, B, units). For `lengths`, `mask` and `reset`
        see `relembra.engine.recurrent`.
        """
        output, state = self.walk(x, state, lengths=lengths, mask=mask, reset=reset)
        return self.dropout(output), state

    def walk(
        self,
        x: Tensor,
        state: tuple[Tensor, ...] = (),
        *,
        lengths: Tensor | None = None,
        mask: Tensor | None = None,
        reset: Tensor | None = None,
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Do as the call does, but leave the output as it is before the dropout.

        `temporal_penalty` looks at it; the attribute `dropout` is what the call does to it then.
        """
        x = self.input_dropout(x)
        if not isinstance(self.body, RecurrentLayer):
            output, state = self.body(x)
            return output, state
        hx = None if not state else state if len(state) == 2 else state[0]
        output, new = self.body(x, hx, lengths=lengths, mask=mask, reset=reset)
        return output, new if isinstance(new, tuple) else (new,)


def _dropout(s: Trunk, rate: float) -> nn.Module:
    return LockedDropout(rate) if s.locked_dropout else nn.Dropout(rate)


def _body(s: Trunk, inputs: int) -> nn.Module:
    between = s.dropout if s.layers > 1 else 0.0
    if s.cell == "feedforward":
        return FeedForward(inputs, s.units, s.layers, dropout=between, locked=s.locked_dropout)
    kind: RecurrentDropoutKind = "weights" if s.weight_drop else "state"
    if s.cell == "lstm":
        return LSTM(
            inputs,
            s.units,
            s.layers,
            batch_first=True,
            dropout=between,
            bidirectional=s.bidirectional,
            forget_bias=1.0,
            layer_norm=s.layer_norm,
            recurrent_dropout=s.weight_drop or s.recurrent_dropout,
            recurrent_dropout_kind=kind,
            zoneout=s.zoneout,
            recompute=s.recompute,
            locked_dropout=s.locked_dropout,
            path=s.path,
        )
    plain = GRU if s.cell == "gru" else RNN
    return plain(
        inputs,
        s.units,
        s.layers,
        batch_first=True,
        dropout=between,
        bidirectional=s.bidirectional,
        layer_norm=s.layer_norm,
        recurrent_dropout=s.weight_drop or s.recurrent_dropout,
        recurrent_dropout_kind=kind,
        zoneout=s.zoneout,
        recompute=s.recompute,
        locked_dropout=s.locked_dropout,
        path=s.path,
    )
