"""`nn.RNN`, `nn.LSTM` and `nn.GRU` with the engine's forward pass, PyTorch's in all the rest."""

from __future__ import annotations

import sys
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from relembra._accelerate._noise import draw_gaps
from relembra._accelerate._packing import Rows, rows_of, to_packed, to_rows
from relembra._accelerate._spec import Plan, groups_of, plan_of
from relembra._errors import ConfigError, SlowPathWarning
from relembra.engine import Choice, Recurrence, Request, choose, run

__all__ = ["NO_SCRIPT", "SAID", "AcceleratedStack", "is_leaving", "say_once"]

Hidden = Tensor | tuple[Tensor, Tensor]

SAID = "_relembra_said"
"""Attribute of a layer: the reasons that it gave already for not taking the native path."""

NO_SCRIPT = (
    "torch.jit.script cannot compile an accelerated layer: script relembra.restore(model), and "
    "accelerate it again afterwards if you go on with it. torch.jit.trace and torch.export need "
    "no such care"
)

if TYPE_CHECKING:
    _Base = nn.LSTM
else:
    _Base = object


def is_leaving() -> bool:
    """Return whether others record the call, to run it without us."""
    return torch._C._is_tracing() or torch.onnx.is_in_onnx_export()


def say_once(layer: nn.Module, reason: str) -> None:
    """Warn that a layer on the CPU keeps PyTorch's own way, once for each layer and reason."""
    said = layer.__dict__.setdefault(SAID, set())
    if reason in said:
        return
    said.add(reason)
    warnings.warn(
        f"{type(layer).__name__} was accelerated, but takes PyTorch's own way: {reason}. "
        "relembra.restore(model) puts PyTorch's layers back.",
        SlowPathWarning,
        stacklevel=6,
    )


class AcceleratedStack(_Base):
    """What the accelerated layers share; it stands before PyTorch's class in the bases.

    Whatever the engine does not take, wrong input among it, goes to PyTorch's own forward.
    """

    def forward(self, input: Any, hx: Any = None) -> Any:
        """Run the layer; see PyTorch's documentation of it."""
        if "torch._dynamo" in sys.modules and not torch.compiler.is_dynamo_compiling():
            return _call_unwatched()(self, input, hx)
        return _call(self, input, hx)

    def choose_path(
        self,
        input: Any,
        *,
        lengths: Tensor | None = None,
        mask: Tensor | None = None,
        reset: Tensor | None = None,
        trace: bool = False,
    ) -> Choice:
        """Return the path that a call takes; see `relembra.engine.explain`."""
        if trace or any(t is not None for t in (lengths, mask, reset)):
            raise ConfigError(
                "layers of torch.nn take no lengths, mask, reset or trace; relembra.nn's do"
            )
        prepared = self._prepare(input, None)
        if prepared is None:
            return Choice("torch", "PyTorch's own forward gives the error, or takes what is empty")
        return _choose(prepared[0])

    def _prepare(self, input: Any, hx: Any) -> tuple[Request, Rows | None] | None:
        """Return the call in the engine's words, or None where it does not fit the layer."""
        plan = plan_of(self)
        flat = self._current_weights()
        if not _fits(plan, flat):
            return None
        rows: Rows | None = None
        if isinstance(input, PackedSequence):
            data = input.data
            if data.dim() != 2 or data.shape[1] != self.input_size or data.dtype != flat[0].dtype:
                return None
            if not data.is_cpu or torch.compiler.is_compiling():
                return None
            rows = rows_of(input.batch_sizes)
            x = to_rows(data, rows)
        else:
            data = input
            if not isinstance(input, Tensor) or input.dim() not in (2, 3) or not input.numel():
                return None
            if input.shape[-1] != self.input_size or input.dtype != flat[0].dtype:
                return None
            x = input if input.dim() == 3 else input.unsqueeze(0 if self.batch_first else 1)
            x = x if self.batch_first else x.transpose(0, 1)
        states = _states(plan, hx, x, unbatched=rows is None and input.dim() == 2)
        if states is None:
            return None
        hidden, cell = states
        if rows is not None and input.sorted_indices is not None:
            hidden = None if hidden is None else hidden.index_select(1, input.sorted_indices)
            cell = None if cell is None else cell.index_select(1, input.sorted_indices)
        request = Request(
            spec=plan.spec,
            weights=groups_of(plan, flat),
            x=x,
            lengths=None if rows is None else rows.lengths,
            hidden=hidden,
            cell=cell,
        )
        return request, rows

    def _current_weights(self) -> list[Any]:
        """Return the weights as PyTorch's forward finds them.

        Those that the layer has by name, as parametrizations, hooks, pruning and functional calls
        put them; unless none changed, then the flat list, which some code writes to directly.
        """
        named = [getattr(self, name, None) for name in self._flat_weights_names]
        flat, references = self._flat_weights, self._flat_weight_refs
        if len(references) == len(named) and all(
            reference is not None and reference() is weight
            for reference, weight in zip(references, named, strict=True)
        ):
            return list(flat)
        return named

    def _shaped(self, result: Recurrence, input: Any, rows: Rows | None) -> Any:
        """Return what PyTorch's layer returns."""
        states = [result.hidden] if result.cell is None else [result.hidden, result.cell]
        output: Any = result.output
        if rows is not None:
            if input.unsorted_indices is not None:
                states = [state.index_select(1, input.unsorted_indices) for state in states]
            output = PackedSequence(
                to_packed(output, rows),
                input.batch_sizes,
                input.sorted_indices,
                input.unsorted_indices,
            )
        elif input.dim() == 2:
            output, states = output.squeeze(0), [state.squeeze(1) for state in states]
        elif not self.batch_first:
            output = output.transpose(0, 1)
        return output, states[0] if len(states) == 1 else (states[0], states[1])

    def __reduce_ex__(self, protocol: Any) -> Any:
        from relembra._accelerate._classes import reduced

        return reduced(self) or super().__reduce_ex__(protocol)

    def __prepare_scriptable__(self) -> nn.Module:
        """Refuse to be compiled by TorchScript, which knows PyTorch's layers alone."""
        raise ConfigError(NO_SCRIPT)


_unwatched: list[Any] = []


def _call_unwatched() -> Any:
    """Return `_call` for eager calls while the compiler is loaded.

    The compiler breaks its graph at every nn.LSTM, and would then look at each of our functions.
    """
    if not _unwatched:
        _unwatched.append(torch.compiler.disable(_call))
    return _unwatched[0]


def _call(layer: AcceleratedStack, input: Any, hx: Any) -> Any:
    theirs = super(AcceleratedStack, layer).forward
    prepared = None if is_leaving() else layer._prepare(input, hx)
    if prepared is None:
        return theirs(input, hx)
    request, rows = prepared
    choice = _choose(request)
    if choice.path != "native":
        if request.x.device.type == "cpu":
            say_once(layer, choice.reason)
        return theirs(input, hx)
    if layer.training and (noise := draw_gaps(request.spec, request.x, rows)):
        request = replace(request, noise=noise)
    return layer._shaped(run(request, "native"), input, rows)


def _choose(request: Request) -> Choice:
    if request.x.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
        return Choice("torch", "under autocast PyTorch's layers compute in another type")
    choice = choose(request)
    return choice if choice.path == "native" else Choice("torch", choice.reason)


def _fits(plan: Plan, flat: list[Any]) -> bool:
    """Whether the weights have the shapes that the native core will read."""
    if len(flat) != len(plan.shapes):
        return False
    return all(
        isinstance(weight, Tensor) and weight.shape == shape
        for weight, shape in zip(flat, plan.shapes, strict=True)
    )


def _states(
    plan: Plan, hx: Any, x: Tensor, unbatched: bool
) -> tuple[Tensor | None, Tensor | None] | None:
    """Return the initial states with their batch, or None where they do not fit."""
    if hx is None:
        return None, None
    spec = plan.spec
    is_pair = isinstance(hx, tuple | list)
    if is_pair != spec.cell.has_cell_state or (is_pair and len(hx) != 2):
        return None
    found: list[Tensor | None] = []
    for state, size in zip(hx if is_pair else (hx,), (spec.state_size, spec.hidden_size)):  # noqa: B905
        if not isinstance(state, Tensor) or state.dtype != x.dtype:
            return None
        batched = state.unsqueeze(1) if unbatched and state.dim() == 2 else state
        expected = (spec.num_layers * spec.directions, x.shape[0], size)
        if (unbatched and state.dim() != 2) or batched.shape != expected:
            return None
        found.append(batched)
    return found[0], found[1] if is_pair else None
