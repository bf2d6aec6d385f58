"""What RNN, LSTM and GRU share: parameters, checks, packed and unbatched input, the call."""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from relembra._errors import ConfigError, SlowPathWarning
from relembra.engine import (
    CellSpec,
    Choice,
    LayerWeights,
    PathName,
    Recurrence,
    Request,
    StackSpec,
    draw_noise,
    infer,
    run,
)
from relembra.engine import choose as choose_path
from relembra.engine._request import check_recompute
from relembra.nn._hidden import Hidden, add_batch, check_hidden, drop_batch, permute
from relembra.nn._packing import pack_like, permute_trace, unpack
from relembra.nn._streaming import Streaming
from relembra.nn._torch_names import TorchNames

__all__ = ["RecurrentLayer"]


class RecurrentLayer(Streaming, TorchNames, nn.Module):
    """Base of `RNN`, `LSTM` and `GRU`; use those.

    Parameters
    ----------
    spec
        The stack that is computed.
    batch_first
        Whether batched input and output are (B, T, features) rather than (T, B, features).
    path
        ``auto``, or the path that must be taken.
    recompute
        See `relembra.engine.recurrent`; the attribute may be changed between calls.
    device, dtype
        Of the parameters.
    """

    def __init__(
        self,
        spec: StackSpec,
        *,
        batch_first: bool,
        path: PathName,
        recompute: bool | int = False,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
    ) -> None:
        super().__init__()
        self.spec = spec
        if spec.dropout > 0 and spec.num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero "
                f"dropout expects num_layers greater than 1, but got dropout={spec.dropout} and "
                "num_layers=1",
                stacklevel=3,
            )
        self.batch_first = batch_first
        check_recompute(recompute)
        self.path: PathName = path
        self.recompute: bool | int = recompute
        self.last_path: str | None = None
        self._said: set[str] = set()
        for name, shape in spec.parameter_shapes().items():
            value = torch.empty(shape, device=device, dtype=dtype)
            self.register_parameter(name, nn.Parameter(value))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters as PyTorch does, uniform in ±1/sqrt(H).

        Gains of layer normalisation begin at one and shifts at zero. With ``forget_bias`` the
        forget gate's biases begin at that sum, all other biases stay as drawn.
        """
        bound = 1.0 / math.sqrt(self.hidden_size)
        for name, parameter in self.named_parameters():
            if name.startswith("gain_"):
                nn.init.ones_(parameter)
            elif name.startswith("bias_c_"):
                nn.init.zeros_(parameter)
            else:
                nn.init.uniform_(parameter, -bound, bound)
        self._set_forget_bias()

    def _set_forget_bias(self) -> None:
        cell, bias = self.spec.cell, self.spec.cell.forget_bias
        if bias is None or not self.spec.bias:
            return
        # A coupled forget gate is one minus the input gate: its bias is the input gate's, negated.
        row, value = (0, -bias) if cell.coupled else (1, bias)
        rows = slice(row * self.hidden_size, (row + 1) * self.hidden_size)
        with torch.no_grad():
            for suffix in self.spec.suffixes():
                self.get_parameter("bias_ih" + suffix)[rows] = value
                self.get_parameter("bias_hh" + suffix)[rows] = 0.0

    def choose_path(
        self,
        input: Tensor | PackedSequence,
        *,
        lengths: Tensor | None = None,
        mask: Tensor | None = None,
        reset: Tensor | None = None,
        trace: bool = False,
    ) -> Choice:
        """Return the path that a call would take; see `relembra.engine.explain`."""
        if isinstance(input, PackedSequence):
            x, lengths = pad_packed_sequence(input, batch_first=True)
        else:
            x = self._batch_major(input if input.dim() == 3 else input.unsqueeze(self._batch_dim))
        # A source of its own: to ask must not change what is drawn next.
        source = torch.Generator(x.device).manual_seed(0)
        request = self._request(x, None, lengths, mask, reset, False, trace, source)
        return self._find(request)

    @property
    def _batch_dim(self) -> int:
        return 0 if self.batch_first else 1

    @property
    def _dtype(self) -> torch.dtype:
        """Of the input."""
        weight: Tensor = getattr(self, "weight_ih_l0")  # noqa: B009  registered by name
        return weight.dtype

    def _batch_major(self, x: Tensor) -> Tensor:
        return x if self.batch_first else x.transpose(0, 1)

    def layer_weights(self) -> list[LayerWeights]:
        """Return the parameters as the engine takes them, a group a layer and direction."""
        # Through getattr, so that parametrizations and functional_call are seen.
        return self.spec.weights(
            {name: getattr(self, name) for name in self.spec.parameter_shapes()}
        )

    def _read_weights(self) -> list[LayerWeights]:
        """Return the weights that a call carries."""
        return self.layer_weights()

    def _request(
        self,
        x: Tensor,
        hx: Hidden | None,
        lengths: Tensor | None,
        mask: Tensor | None,
        reset: Tensor | None,
        hold_output: bool,
        trace: bool,
        source: torch.Generator | None = None,
    ) -> Request:
        hidden, cell = hx if isinstance(hx, tuple) else (hx, None)
        noise = None
        if self.training:
            noise = draw_noise(self.spec, x.shape[0], x.shape[1], x, source)
        return Request(
            spec=self.spec,
            weights=self._read_weights(),
            x=x,
            lengths=lengths,
            mask=mask,
            reset=reset,
            hidden=hidden,
            cell=cell,
            noise=noise,
            hold_output=hold_output,
            trace=trace,
            recompute=self.recompute,
        )

    def _run(self, request: Request, frames: int = 5) -> Recurrence:
        """Compute; the caller of the module is so many frames away."""
        request.check()
        choice = self._choose(request, frames + 1)
        self.last_path = choice.path
        return run(request, choice.path)

    def _find(self, request: Request) -> Choice:
        return choose_path(request, self.path)

    def _choose(self, request: Request, frames: int) -> Choice:
        """Choose the path, and say once when it is slow."""
        choice = self._find(request)
        if choice.slow and choice.reason not in self._said:
            self._said.add(choice.reason)
            _say_slow(type(self).__name__, choice.reason, frames + 1)
        return choice

    def forward(
        self,
        input: Tensor | PackedSequence,
        hx: Hidden | list[Tensor] | None = None,
        *,
        lengths: Tensor | None = None,
        mask: Tensor | None = None,
        reset: Tensor | None = None,
        hold_output: bool = False,
        trace: bool = False,
    ) -> Any:
        """Run the layer over sequences.

        Parameters
        ----------
        input
            (T, B, I), or (B, T, I) with ``batch_first``, or unbatched (T, I), or packed.
        hx
            Initial state: h of shape (L*D, B, P), for the LSTM (h, c) with c (L*D, B, H); without B
            for unbatched input. Zeros when None.
        lengths, mask, reset, hold_output
            See `relembra.engine.recurrent`. Masks are (B, T) whatever ``batch_first`` says, and
            (T,) for unbatched input, whose length is a single number.
        trace
            Return a third value, the `relembra.engine.Trace` of all states and gates.

        Returns
        -------
        output
            As the input, with D*P features; packed for packed input.
        state
            h, or (h, c) for the LSTM, after each row's last step.

        Raises
        ------
        DataError
            A shape, type or length does not fit; it is named.
        """
        if lengths is None and mask is None and reset is None and not trace:
            quick = self._infer(input, hx)
            if quick is not None:
                return quick
        if isinstance(hx, list):
            hx = (hx[0], hx[1])
        if isinstance(input, PackedSequence):
            return self._packed(input, hx, lengths, mask, reset, trace)
        self._check_input(input, hx)
        if input.dim() == 2:
            hx, mask, reset = add_batch(hx), _row(mask), _row(reset)
            lengths = None if lengths is None else lengths.reshape(-1)  # a single number
            x = input.unsqueeze(0)  # (1, T, I)
        else:
            x = self._batch_major(input)
        result = self._run(self._request(x, hx, lengths, mask, reset, hold_output, trace))
        output, state = self._batch_major(result.output), self._state(result)
        if input.dim() == 2:
            output, state = result.output.squeeze(0), drop_batch(state)
        return (output, state, result.trace) if trace else (output, state)

    def _infer(self, input: Tensor | PackedSequence, hx: Any) -> Any:
        """Take the shortest way where no gradient is recorded; None where it cannot be taken."""
        if type(input) is not Tensor or input.dim() != 3 or self.path not in ("auto", "native"):
            return None
        if self.training and self.spec.has_noise:
            return None
        hidden, cell = hx if type(hx) is tuple and len(hx) == 2 else (hx, None)
        found = infer(self.spec, self._parameters, self._batch_major(input), hidden, cell)
        if found is None:
            return None
        self.last_path = "native"
        output, hidden, cell = found
        return self._batch_major(output), hidden if cell is None else (hidden, cell)

    def _packed(
        self,
        input: PackedSequence,
        hx: Hidden | None,
        lengths: Tensor | None,
        mask: Tensor | None,
        reset: Tensor | None,
        trace: bool,
    ) -> Any:
        if lengths is not None or mask is not None or reset is not None:
            raise ConfigError(
                "a packed input carries its lengths: give lengths, mask or reset "
                "with a padded tensor instead"
            )
        x, sizes = unpack(input)  # rows in packed order
        self._check_input(x, hx, batch_first=True)
        hx = permute(hx, input.sorted_indices)
        result = self._run(self._request(x, hx, sizes, None, None, False, trace), frames=6)
        output = pack_like(input, result.output, sizes)
        state = permute(self._state(result), input.unsorted_indices)
        if not trace:
            return output, state
        return output, state, permute_trace(result.trace, input.unsorted_indices)

    def _state(self, result: Recurrence) -> Hidden:
        return result.hidden if result.cell is None else (result.hidden, result.cell)

    def _check_input(self, x: Tensor, hx: Hidden | None, batch_first: bool | None = None) -> None:
        """Raise PyTorch's errors for what PyTorch checks (they are part of its interface)."""
        name = type(self).__name__
        if x.dim() not in (2, 3):
            got = f"{x.dim()}D tensor" if name == "RNN" else f"{x.dim()}D"
            raise ValueError(f"{name}: Expected input to be 2D or 3D, got {got} instead")
        dtype = self._dtype
        if x.dtype != dtype and not torch.is_autocast_enabled(x.device.type):
            raise ValueError(
                f"RNN input dtype ({x.dtype}) does not match weight dtype ({dtype}). "
                f"Convert input: input.to({dtype}), or convert model: model.to({x.dtype})"
            )
        if x.shape[-1] != self.input_size:
            raise RuntimeError(
                "input.size(-1) must be equal to input_size. "
                f"Expected {self.input_size}, got {x.shape[-1]}"
            )
        first = self.batch_first if batch_first is None else batch_first
        rows = x.shape[0 if first else 1] if x.dim() == 3 else None
        if hx is not None:
            check_hidden(name, self.spec, hx, rows)

    def extra_repr(self) -> str:
        """Return PyTorch's text, with the options that differ from the plain cell."""
        spec, plain = self.spec, CellSpec(kind=self.spec.cell.kind)
        text = f"{spec.input_size}, {spec.hidden_size}"
        shown: dict[str, object] = {"proj_size": 0, "num_layers": 1, "bias": True}
        shown |= {"batch_first": False, "dropout": 0.0, "bidirectional": False}
        shown |= {"recompute": False, "locked_dropout": False}
        for key, usual in shown.items():
            if getattr(self, key) != usual:
                text += f", {key}={getattr(self, key)}"
        for key in vars(plain):
            value = getattr(spec.cell, key)
            if value != getattr(plain, key) and key != "projection":
                text += f", {key}={getattr(value, 'name', value)}"
        return text


def _say_slow(name: str, reason: str, frames: int) -> None:
    warnings.warn(
        f"{name} takes the slow reference path: {reason}. Say path='reference' to accept that in "
        "silence.",
        SlowPathWarning,
        stacklevel=frames,
    )


# Under torch.compile it is said while the graph is made, and is no part of it. This is what
# `torch.compiler.assume_constant_result` does, without importing the compiler.
_say_slow._dynamo_marked_constant = True  # type: ignore[attr-defined]


def _row(mask: Tensor | None) -> Tensor | None:
    return None if mask is None else mask.reshape(1, -1)
