"""What a recurrent layer is: the cell's equations as a value, and the stack built of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Literal, NamedTuple, get_args

from torch import Tensor

from relembra._errors import ConfigError
from relembra.engine._activation import Activation

__all__ = ["CellSpec", "LayerWeights", "StackSpec"]

CellKind = Literal["rnn", "lstm", "gru"]
RecurrentDropoutKind = Literal["state", "gates", "candidate", "weights"]

_TANH, _SIGMOID = Activation("tanh"), Activation("sigmoid")
# Options that only some cells have, with the value that means "not asked for".
_LSTM_ONLY: dict[str, object] = {
    "peepholes": False,
    "coupled": False,
    "projection": 0,
    "forget_bias": None,
    "zoneout_cell": 0.0,
    "state_activation": None,
}
_FOREIGN: dict[CellKind, dict[str, object]] = {
    "rnn": {**_LSTM_ONLY, "gate_activation": _SIGMOID, "reset_after": True},
    "gru": _LSTM_ONLY,
    "lstm": {"reset_after": True},
}


class _HashedOnce:
    """A frozen dataclass by which every call looks something up: its hash is computed once."""

    @cached_property
    def _hash(self) -> int:
        return hash(tuple(getattr(self, field.name) for field in fields(self)))  # type: ignore[arg-type]

    def __getstate__(self) -> dict[str, Any]:
        # Hashes of strings differ from process to process.
        return {name: value for name, value in self.__dict__.items() if name != "_hash"}


@dataclass(frozen=True, kw_only=True)
class CellSpec(_HashedOnce):
    """The equations of a recurrent cell, with PyTorch's gate order and parameter layout.

    Parameters
    ----------
    kind
        ``rnn`` (Elman 1990), ``lstm`` (Hochreiter & Schmidhuber 1997 with the forget gate of Gers
        et al. 2000) or ``gru`` (Cho et al. 2014).
    activation
        Of the new state (rnn) or the candidate (lstm g, gru n).
    state_activation
        Of the cell state on its way out (lstm only); None means the same as `activation`.
    gate_activation
        Of the gates (lstm, gru).
    reset_after
        GRU only. True applies the reset gate after the recurrent product (PyTorch, cuDNN), False
        before it (Cho et al. 2014).
    layer_norm
        Layer normalisation inside the recurrence (Ba et al. 2016, eqs. 20-22 and 26-29): the
        products with the input and with the state are normalised apart, gates together and, in
        the GRU, the candidate for itself; the LSTM's cell state is normalised on its way out. The
        biases of the cell are the norms' shifts. The Elman cell takes the LSTM's form.
    peepholes
        Gates see the cell state (Gers et al. 2002): input and forget gate the old one, the output
        gate the new one.
    coupled
        The forget gate is one minus the input gate (Greff et al. 2017); gate order i g o.
    projection
        Size of the projected state (Sak et al. 2014); 0 means none.
    recurrent_dropout, recurrent_dropout_kind
        Rate, and what is dropped: ``state`` (Gal & Ghahramani 2016: the state on its way into the
        recurrent product, one mask for the sequence), ``gates`` (the same with a mask for each
        gate: their "untied" form, and Keras'), ``candidate`` (Semeniuta et al. 2016: the candidate,
        a mask for each step), ``weights`` (Merity et al. 2018: the recurrent matrix).
    zoneout_hidden, zoneout_cell
        Probability that a unit keeps its old state (Krueger et al. 2017). Without a mask the
        expectation is computed.
    forget_bias
        Initial bias of the forget gate (Gers et al. 2000; Jozefowicz et al. 2015 advise 1). None
        leaves PyTorch's initialisation. It concerns initialisation alone.

    Raises
    ------
    ConfigError
        An option is out of range, or means nothing for this kind of cell; it is named.

    Examples
    --------
    >>> CellSpec(kind="lstm", peepholes=True).gate_names
    ('input', 'forget', 'candidate', 'output')
    >>> CellSpec(kind="gru", peepholes=True)
    Traceback (most recent call last):
    ...
    relembra._errors.ConfigError: a gru cell has no option 'peepholes' (got True)
    """

    kind: CellKind
    activation: Activation = _TANH
    state_activation: Activation | None = None
    gate_activation: Activation = _SIGMOID
    reset_after: bool = True
    layer_norm: bool = False
    peepholes: bool = False
    coupled: bool = False
    projection: int = 0
    recurrent_dropout: float = 0.0
    recurrent_dropout_kind: RecurrentDropoutKind = "state"
    zoneout_hidden: float = 0.0
    zoneout_cell: float = 0.0
    forget_bias: float | None = None

    def __hash__(self) -> int:
        return self._hash

    def __post_init__(self) -> None:
        if self.kind not in _FOREIGN:
            raise ConfigError(f"unknown cell {self.kind!r}; known: rnn, lstm, gru")
        for name, absent in _FOREIGN[self.kind].items():
            if getattr(self, name) != absent:
                raise ConfigError(
                    f"a {self.kind} cell has no option {name!r} (got {getattr(self, name)})"
                )
        self._check_rates()

    def _check_rates(self) -> None:
        for name in ("recurrent_dropout", "zoneout_hidden", "zoneout_cell"):
            rate = getattr(self, name)
            if not 0.0 <= rate < 1.0:
                raise ConfigError(f"{name} is a probability in [0, 1), got {rate}")
        known = get_args(RecurrentDropoutKind)
        if self.recurrent_dropout_kind not in known:
            raise ConfigError(
                f"unknown recurrent_dropout_kind {self.recurrent_dropout_kind!r}; "
                f"known: {', '.join(known)}"
            )
        if self.kind == "rnn" and self.recurrent_dropout_kind == "candidate":
            raise ConfigError(
                "a rnn cell has no candidate apart from its state: dropping it would erase the "
                "memory; use recurrent_dropout_kind 'state' or 'weights'"
            )
        if self.projection < 0:
            raise ConfigError(f"projection is a size >= 0, got {self.projection}")

    @property
    def gate_names(self) -> tuple[str, ...]:
        """Names of the blocks of rows in the weights, in order."""
        if self.kind == "rnn":
            return ("state",)
        if self.kind == "gru":
            return ("reset", "update", "candidate")
        if self.coupled:
            return ("input", "candidate", "output")
        return ("input", "forget", "candidate", "output")

    @property
    def norm_groups(self) -> tuple[int, ...]:
        """How many gates share each layer normalisation, in order."""
        return (2, 1) if self.kind == "gru" else (len(self.gate_names),)

    @property
    def has_cell_state(self) -> bool:
        """Whether the cell carries a cell state besides the hidden one."""
        return self.kind == "lstm"


class LayerWeights(NamedTuple):
    """Parameters of one layer in one direction; G gates of H units, I inputs, P outputs."""

    weight_ih: Tensor  # (G*H, I)
    weight_hh: Tensor  # (G*H, P)
    bias_ih: Tensor | None = None  # (G*H,)
    bias_hh: Tensor | None = None  # (G*H,)
    weight_hr: Tensor | None = None  # (P, H)  projection
    peephole: Tensor | None = None  # (2 or 3, H)  i [f] o
    gain_ih: Tensor | None = None  # (G*H,)  layer normalisation
    gain_hh: Tensor | None = None  # (G*H,)
    gain_c: Tensor | None = None  # (H,)
    bias_c: Tensor | None = None  # (H,)


@dataclass(frozen=True, kw_only=True)
class StackSpec(_HashedOnce):
    """Several recurrent layers, in one direction or both.

    Parameters
    ----------
    cell
        The equations, the same in every layer.
    input_size, hidden_size
        I, the features of a step, and H, the units of a layer and direction.
    num_layers, bidirectional, bias
        As in `torch.nn.LSTM`.
    dropout, locked_dropout
        Rate of the dropout between layers, and whether one mask serves all steps of a sequence
        (Gal & Ghahramani 2016) rather than each step having its own.

    Examples
    --------
    >>> spec = StackSpec(cell=CellSpec(kind="gru"), input_size=3, hidden_size=2)
    >>> spec.parameter_shapes()["weight_ih_l0"]
    (6, 3)
    """

    cell: CellSpec
    input_size: int
    hidden_size: int
    num_layers: int = 1
    bidirectional: bool = False
    bias: bool = True
    dropout: float = 0.0
    locked_dropout: bool = False

    def __hash__(self) -> int:
        return self._hash

    def __post_init__(self) -> None:
        for name in ("input_size", "hidden_size", "num_layers"):
            size = getattr(self, name)
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise ConfigError(f"{name} must be a whole number of at least 1, got {size!r}")
        if isinstance(self.dropout, bool) or not 0.0 <= self.dropout <= 1.0:
            raise ConfigError(f"dropout is a probability in [0, 1], got {self.dropout}")
        if self.cell.forget_bias is not None and not self.bias:
            raise ConfigError(
                f"forget_bias {self.cell.forget_bias} needs the biases that bias=False leaves out"
            )
        if self.cell.projection >= self.hidden_size:
            raise ConfigError(
                f"the projection must be smaller than hidden_size {self.hidden_size}, "
                f"got {self.cell.projection}"
            )

    @property
    def directions(self) -> int:
        """1, or 2 when bidirectional."""
        return 2 if self.bidirectional else 1

    @property
    def has_noise(self) -> bool:
        """Whether training draws masks of dropout or zoneout."""
        cell = self.cell
        rates = cell.recurrent_dropout or cell.zoneout_hidden or cell.zoneout_cell
        return bool(rates or self.dropout)

    @property
    def state_size(self) -> int:
        """P, the features of the hidden state of one layer and direction."""
        return self.cell.projection or self.hidden_size

    def suffixes(self) -> list[str]:
        """Return the name endings of layers and directions, in the order of the states."""
        ends = ["", "_reverse"][: self.directions]
        return [f"_l{layer}{end}" for layer in range(self.num_layers) for end in ends]

    def layer_shapes(self, layer: int) -> dict[str, tuple[int, ...]]:
        """Return the shape of each `LayerWeights` field that a layer has."""
        cell, hidden, state = self.cell, self.hidden_size, self.state_size
        inputs = self.input_size if layer == 0 else state * self.directions
        rows = len(cell.gate_names) * hidden
        shapes: dict[str, tuple[int, ...]] = {
            "weight_ih": (rows, inputs),
            "weight_hh": (rows, state),
        }
        if self.bias:
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        if cell.projection:
            shapes["weight_hr"] = (state, hidden)
        if cell.peepholes:
            shapes["peephole"] = (2 if cell.coupled else 3, hidden)
        if cell.layer_norm:
            shapes |= {"gain_ih": (rows,), "gain_hh": (rows,)}
            if cell.has_cell_state:
                shapes["gain_c"] = (hidden,)
                if self.bias:
                    shapes["bias_c"] = (hidden,)
        return shapes

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every parameter by its PyTorch name, in PyTorch's order."""
        return {
            field + suffix: shape
            for index, suffix in enumerate(self.suffixes())
            for field, shape in self.layer_shapes(index // self.directions).items()
        }

    def weights(self, parameters: Mapping[str, Tensor]) -> list[LayerWeights]:
        """Collect named parameters into one `LayerWeights` for each layer and direction."""
        return [
            LayerWeights(
                **{
                    field: parameters[field + suffix]
                    for field in self.layer_shapes(index // self.directions)
                }
            )
            for index, suffix in enumerate(self.suffixes())
        ]
