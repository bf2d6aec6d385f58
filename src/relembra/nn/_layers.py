"""RNN, LSTM and GRU: PyTorch's constructors and calls, and the options that PyTorch lacks."""

from __future__ import annotations

import torch

from relembra.engine import Activation, CellSpec, PathName, StackSpec
from relembra.engine._spec import RecurrentDropoutKind
from relembra.nn._recurrent import RecurrentLayer

__all__ = ["GRU", "LSTM", "RNN"]

Device = torch.device | str | None


class RNN(RecurrentLayer):
    """Elman's recurrent network, h_t = f(W x_t + b + U h_{t-1} + b').

    Parameters
    ----------
    input_size, hidden_size, num_layers, nonlinearity, bias, batch_first, dropout, bidirectional
        As in `torch.nn.RNN`; `nonlinearity` may be any name of `relembra.engine.ACTIVATIONS`.
    device, dtype
        Of the parameters.
    layer_norm, recurrent_dropout, recurrent_dropout_kind, zoneout
        See `relembra.engine.CellSpec`; `zoneout` is its ``zoneout_hidden``.
    recompute
        Whether, or every how many steps, to keep a state for backward and compute the others
        again; see `relembra.engine.recurrent`.
    locked_dropout
        Whether `dropout` has one mask for all steps of a sequence (Gal & Ghahramani 2016).
    path
        ``auto``, or the engine's path that must be taken.

    Raises
    ------
    ConfigError
        An option is unknown, out of range or makes no sense together with another.

    Examples
    --------
    >>> output, state = RNN(3, 4, nonlinearity="relu")(torch.zeros(5, 2, 3))
    >>> output.shape, state.shape
    (torch.Size([5, 2, 4]), torch.Size([1, 2, 4]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str | Activation = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Device = None,
        dtype: torch.dtype | None = None,
        *,
        layer_norm: bool = False,
        recurrent_dropout: float = 0.0,
        recurrent_dropout_kind: RecurrentDropoutKind = "state",
        zoneout: float = 0.0,
        recompute: bool | int = False,
        locked_dropout: bool = False,
        path: PathName = "auto",
    ) -> None:
        cell = CellSpec(
            kind="rnn",
            activation=Activation.of(nonlinearity),
            layer_norm=layer_norm,
            recurrent_dropout=recurrent_dropout,
            recurrent_dropout_kind=recurrent_dropout_kind,
            zoneout_hidden=zoneout,
        )
        spec = _stack(
            cell, input_size, hidden_size, num_layers, bias, dropout, bidirectional, locked_dropout
        )
        super().__init__(
            spec,
            batch_first=batch_first,
            path=path,
            recompute=recompute,
            device=device,
            dtype=dtype,
        )

    @property
    def nonlinearity(self) -> str:
        """Name of the activation."""
        return self.spec.cell.activation.name

    @property
    def mode(self) -> str:
        """PyTorch's name of the kind of layer."""
        return f"RNN_{self.nonlinearity.upper()}"


class LSTM(RecurrentLayer):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate of Gers et al. 2000).

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size
        As in `torch.nn.LSTM`.
    device, dtype
        Of the parameters.
    activation, state_activation, gate_activation
        Of the candidate, of the cell state on its way out (None: as the candidate), of the gates.
    forget_bias, layer_norm, peepholes, coupled, recurrent_dropout, recurrent_dropout_kind
        See `relembra.engine.CellSpec`.
    zoneout
        Probability that a unit keeps its old state, (hidden, cell) or one number for both.
    recompute
        Whether, or every how many steps, to keep a state for backward and compute the others
        again; see `relembra.engine.recurrent`.
    locked_dropout
        Whether `dropout` has one mask for all steps of a sequence (Gal & Ghahramani 2016).
    path
        ``auto``, or the engine's path that must be taken.

    Raises
    ------
    ConfigError
        An option is unknown, out of range or makes no sense together with another.

    Examples
    --------
    >>> layer = LSTM(3, 4, batch_first=True, forget_bias=1.0)
    >>> output, (h, c) = layer(torch.zeros(2, 5, 3), lengths=torch.tensor([5, 0]))
    >>> output.shape, bool(c[0, 1].any())
    (torch.Size([2, 5, 4]), False)
    """

    mode = "LSTM"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Device = None,
        dtype: torch.dtype | None = None,
        *,
        activation: str | Activation = "tanh",
        state_activation: str | Activation | None = None,
        gate_activation: str | Activation = "sigmoid",
        forget_bias: float | None = None,
        layer_norm: bool = False,
        peepholes: bool = False,
        coupled: bool = False,
        recurrent_dropout: float = 0.0,
        recurrent_dropout_kind: RecurrentDropoutKind = "state",
        zoneout: float | tuple[float, float] = 0.0,
        recompute: bool | int = False,
        locked_dropout: bool = False,
        path: PathName = "auto",
    ) -> None:
        hidden, cell_rate = zoneout if isinstance(zoneout, tuple) else (zoneout, zoneout)
        cell = CellSpec(
            kind="lstm",
            activation=Activation.of(activation),
            state_activation=None if state_activation is None else Activation.of(state_activation),
            gate_activation=Activation.of(gate_activation),
            forget_bias=forget_bias,
            layer_norm=layer_norm,
            peepholes=peepholes,
            coupled=coupled,
            projection=proj_size,
            recurrent_dropout=recurrent_dropout,
            recurrent_dropout_kind=recurrent_dropout_kind,
            zoneout_hidden=hidden,
            zoneout_cell=cell_rate,
        )
        spec = _stack(
            cell, input_size, hidden_size, num_layers, bias, dropout, bidirectional, locked_dropout
        )
        super().__init__(
            spec,
            batch_first=batch_first,
            path=path,
            recompute=recompute,
            device=device,
            dtype=dtype,
        )


class GRU(RecurrentLayer):
    """Gated recurrent unit (Cho et al. 2014).

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional
        As in `torch.nn.GRU`.
    device, dtype
        Of the parameters.
    activation, gate_activation
        Of the candidate and of the gates.
    reset_after
        Whether the reset gate acts after the recurrent product (PyTorch, cuDNN) or before it (Cho).
    layer_norm, recurrent_dropout, recurrent_dropout_kind, zoneout
        See `relembra.engine.CellSpec`; `zoneout` is its ``zoneout_hidden``.
    recompute
        Whether, or every how many steps, to keep a state for backward and compute the others
        again; see `relembra.engine.recurrent`.
    locked_dropout
        Whether `dropout` has one mask for all steps of a sequence (Gal & Ghahramani 2016).
    path
        ``auto``, or the engine's path that must be taken.

    Raises
    ------
    ConfigError
        An option is unknown, out of range or makes no sense together with another.

    Examples
    --------
    >>> output, state = GRU(3, 4, bidirectional=True)(torch.zeros(5, 3))
    >>> output.shape, state.shape
    (torch.Size([5, 8]), torch.Size([2, 4]))
    """

    mode = "GRU"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Device = None,
        dtype: torch.dtype | None = None,
        *,
        activation: str | Activation = "tanh",
        gate_activation: str | Activation = "sigmoid",
        reset_after: bool = True,
        layer_norm: bool = False,
        recurrent_dropout: float = 0.0,
        recurrent_dropout_kind: RecurrentDropoutKind = "state",
        zoneout: float = 0.0,
        recompute: bool | int = False,
        locked_dropout: bool = False,
        path: PathName = "auto",
    ) -> None:
        cell = CellSpec(
            kind="gru",
            activation=Activation.of(activation),
            gate_activation=Activation.of(gate_activation),
            reset_after=reset_after,
            layer_norm=layer_norm,
            recurrent_dropout=recurrent_dropout,
            recurrent_dropout_kind=recurrent_dropout_kind,
            zoneout_hidden=zoneout,
        )
        spec = _stack(
            cell, input_size, hidden_size, num_layers, bias, dropout, bidirectional, locked_dropout
        )
        super().__init__(
            spec,
            batch_first=batch_first,
            path=path,
            recompute=recompute,
            device=device,
            dtype=dtype,
        )


def _stack(
    cell: CellSpec,
    input_size: int,
    hidden_size: int,
    num_layers: int,
    bias: bool,
    dropout: float,
    bidirectional: bool,
    locked_dropout: bool,
) -> StackSpec:
    return StackSpec(
        cell=cell,
        input_size=input_size,
        hidden_size=hidden_size,
        num_layers=num_layers,
        bias=bias,
        dropout=dropout,
        bidirectional=bidirectional,
        locked_dropout=locked_dropout,
    )
