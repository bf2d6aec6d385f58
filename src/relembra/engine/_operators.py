"""The native path as torch operators: what `torch.compile` and `torch.export` see of it.

``relembra::stack`` is a whole stack of layers over whole sequences, one node of a graph however
long they are. Its gradient is ``stack_train``, which returns beside the results what backward needs
(the tape, as a tensor of bytes), and ``stack_backward``. Direct calls of the native core are
cheaper: in eager mode the operators run only where something has to see them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from relembra import _native
from relembra._errors import DataError
from relembra.engine._form import (
    FIELDS,
    MASKS,
    Form,
    Operands,
    apart,
    form_of,
    joined,
    operands_of,
    shape_of,
    spread,
)
from relembra.engine._request import Request

__all__ = ["address_of", "call_stack", "place_of", "run_operator", "steps_of"]

_OPERANDS = (
    "Tensor x, Tensor[] weights, Tensor? hidden, Tensor? cell, Tensor? lengths, Tensor? mask, "
    "Tensor? reset, Tensor[] masks, Tensor[] gaps"
)
_FORM = (
    "str kind, int units, int states, int layers, int directions, bool time_major, str[] fields, "
    "str[] masks_given, str[] functions, float[] constants, float zoneout_hidden, "
    "float zoneout_cell, bool norm, bool gate_masks"
)
_SCHEMAS = (
    f"stack({_OPERANDS}, {_FORM}) -> (Tensor output, Tensor hidden, Tensor cell)",
    f"stack_train({_OPERANDS}, {_FORM}) "
    "-> (Tensor output, Tensor hidden, Tensor cell, Tensor tape)",
    f"stack_backward({_OPERANDS}, {_FORM}, Tensor output, Tensor tape, Tensor? d_output, "
    "Tensor? d_hidden, Tensor? d_cell, bool wants_x) "
    "-> (Tensor d_x, Tensor d_hidden, Tensor d_cell, Tensor[] d_weights)",
)
_LIBRARY = torch.library.Library("relembra", "DEF")
for _schema in _SCHEMAS:
    _LIBRARY.define(_schema, tags=(torch.Tag.pt2_compliant_tag, torch.Tag.needs_exact_strides))


def run_operator(request: Request) -> tuple[Tensor, Tensor, Tensor | None]:
    """Compute output and final states as a node of a graph."""
    return call_stack(operands_of(request), form_of(request))


def call_stack(operands: Operands, form: Form) -> tuple[Tensor, Tensor, Tensor | None]:
    """Call the operator; the cell state is None where the cell has none."""
    output, hidden, cell = torch.ops.relembra.stack(*operands, *form)
    return output, hidden, cell if form.has_cell else None


# ------------------------------------------------------------------ shapes


def _like_steps(x: Tensor, features: int, time_major: bool) -> Tensor:
    rows, steps = x.shape[0], x.shape[1]
    if time_major:
        return x.new_empty(steps, rows, features).transpose(0, 1)
    return x.new_empty(rows, steps, features)


def _states(x: Tensor, form: Form) -> tuple[Tensor, Tensor]:
    count, rows = form.layers * form.directions, x.shape[0]
    cell = (count, rows, form.units) if form.has_cell else (0,)
    return x.new_empty(count, rows, form.states), x.new_empty(cell)


def _results(x: Tensor, form: Form) -> tuple[Tensor, Tensor, Tensor]:
    return _like_steps(x, form.states * form.directions, form.time_major), *_states(x, form)


_shape = lru_cache(maxsize=256)(shape_of)


def _tape(given: Operands, form: Form) -> Tensor:
    x = given.x
    # The features of the input and the constants, which may be symbols, make no difference to it.
    bare = form._replace(functions=(), constants=(), zoneout_hidden=0.0, zoneout_cell=0.0)
    step = _native.tape_step(_shape(bare, 1), x.dtype == torch.float64, bool(given.gaps))
    size = _native.tape_header + x.shape[0] * x.shape[1] * step
    return x.new_empty(size, dtype=torch.uint8)


def _gradients(given: Operands, form: Form, wants_x: bool) -> tuple[Tensor, Tensor, Tensor]:
    x = given.x
    d_x = _like_steps(x, x.shape[2], form.time_major) if wants_x else x.new_empty(0)
    return d_x, *_states(x, form)


def _fresh(tensors: list[Tensor]) -> list[Tensor]:
    return [t.new_empty(t.shape) for t in tensors]


_COUNT = len(Operands._fields)
_END = _COUNT + len(Form._fields)


def _read(arguments: Any) -> tuple[Operands, Form]:
    """Return what an operator was given; lists in the form become tuples, which can be keys."""
    form = (tuple(v) if isinstance(v, list) else v for v in arguments[_COUNT:_END])
    return Operands(*arguments[:_COUNT]), Form._make(form)


def _fake_stack(*arguments: Any) -> Any:
    given, form = _read(arguments)
    return _results(given.x, form)


def _fake_train(*arguments: Any) -> Any:
    given, form = _read(arguments)
    return *_results(given.x, form), _tape(given, form)


def _fake_backward(*arguments: Any) -> Any:
    given, form = _read(arguments)
    return *_gradients(given, form, arguments[-1]), _fresh(given.weights)


# ------------------------------------------------------------------ kernels


def place_of(steps: Tensor | None) -> tuple[int, int, int]:
    """Return address and strides of a sequence, of rows and of steps; zeros for None."""
    return (0, 0, 0) if steps is None else (steps.data_ptr(), steps.stride(0), steps.stride(1))


def address_of(tensor: Tensor | None) -> int:
    """Return the address, zero for None."""
    return 0 if tensor is None else tensor.data_ptr()


def steps_of(x: Tensor) -> Tensor:
    """Return a tensor (B, T, features) whose features lie side by side."""
    return x if x.stride(2) == 1 or x.shape[2] == 1 else x.contiguous()


def _dense(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.contiguous()


def _side_by_side(given: Operands) -> Operands:
    return Operands(
        x=steps_of(given.x),
        weights=[w.contiguous() for w in given.weights],
        hidden=_dense(given.hidden),
        cell=_dense(given.cell),
        lengths=_dense(given.lengths),
        mask=_dense(given.mask),
        reset=_dense(given.reset),
        masks=[mask.contiguous() for mask in given.masks],
        gaps=[gap.contiguous() for gap in given.gaps],
    )


def _input(given: Operands, form: Form) -> Any:
    x = given.x
    return _native.Input(
        x.dtype == torch.float64,
        x.shape[0],
        x.shape[1],
        address_of(given.lengths),
        address_of(given.mask),
        address_of(given.reset),
        *place_of(x),
        spread(given.weights, form.fields, FIELDS),
        address_of(given.hidden),
        address_of(given.cell),
        spread(given.masks, form.masks, MASKS),
        [gap.data_ptr() for gap in given.gaps] or [0] * (form.layers - 1),
        torch.get_num_threads(),
    )


def _check_lengths(given: Operands) -> None:
    """Look at values that nobody could see while the graph was made."""
    if given.lengths is None or not given.lengths.numel():
        return
    low, high = (int(v) for v in given.lengths.aminmax())
    if low < 0 or high > given.x.shape[1]:
        raise DataError(
            f"lengths must lie in 0…{given.x.shape[1]}, got values from {low} to {high}"
        )


def _forward(arguments: tuple[Any, ...], keep: bool) -> tuple[Tensor, ...]:
    given, form = _read(arguments)
    _check_lengths(given)
    output, hidden, cell = _results(given.x, form)
    tape = _tape(given, form) if keep else None
    given = _side_by_side(given)
    _native.forward(
        _shape(form, given.x.shape[2]),
        _input(given, form),
        *place_of(output),
        hidden.data_ptr(),
        cell.data_ptr() if cell.numel() else 0,
        keep,
        address_of(tape),
    )
    return (output, hidden, cell) if tape is None else (output, hidden, cell, tape)


def _stack(*arguments: Any) -> Any:
    return _forward(arguments, keep=False)


def _stack_train(*arguments: Any) -> Any:
    return _forward(arguments, keep=True)


def _stack_backward(*arguments: Any) -> Any:
    given, form = _read(arguments)
    output, tape, d_output, d_hidden, d_cell, wants_x = arguments[_END:]
    d_x, d_hidden0, d_cell0 = _gradients(given, form, wants_x)
    given = _side_by_side(given)
    d_weights = _fresh(given.weights)
    d_output = None if d_output is None else steps_of(d_output)
    d_hidden, d_cell = _dense(d_hidden), _dense(d_cell)
    call = _input(given, form)
    _native.backward(
        _native.restore(_shape(form, given.x.shape[2]), call, tape.data_ptr()),
        call,
        *place_of(steps_of(output)),
        *place_of(d_output),
        address_of(d_hidden),
        address_of(d_cell) if form.has_cell else 0,
        *(place_of(d_x) if wants_x else (0, 0, 0)),
        d_hidden0.data_ptr(),
        d_cell0.data_ptr() if form.has_cell else 0,
        spread(d_weights, form.fields, FIELDS),
    )
    return d_x, d_hidden0, d_cell0, d_weights


# ------------------------------------------------------------------ gradients


class _Differentiable(torch.autograd.Function):
    """``relembra::stack`` for autograd. Not twice: that is for the eager path."""

    @staticmethod
    def forward(ctx: Any, form: Form, counts: tuple[int, int, int], *tensors: Any) -> Any:
        given = joined(tensors, *counts)
        with torch._C._AutoDispatchBelowAutograd():
            *results, tape = torch.ops.relembra.stack_train(*given, *form)
        ctx.form, ctx.counts = form, counts
        ctx.save_for_backward(results[0], tape, *tensors)
        ctx.set_materialize_grads(False)
        if not form.has_cell:
            ctx.mark_non_differentiable(results[2])
        return tuple(results)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *upstream: Tensor | None) -> Any:
        output, tape, *tensors = ctx.saved_tensors
        given, needed = joined(tensors, *ctx.counts), ctx.needs_input_grad[2:]
        d_x, d_hidden, d_cell, d_weights = torch.ops.relembra.stack_backward(
            *given, *ctx.form, output, tape, *upstream, needed[0]
        )
        found = [d_x, d_hidden, d_cell, None, None, None, *d_weights]
        found += [None] * (len(tensors) - len(found))
        return None, None, *(g if n else None for g, n in zip(found, needed, strict=True))


def _autograd(*arguments: Any) -> Any:
    given, form = _read(arguments)
    tensors = apart(given)
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors):
        counts = (len(given.weights), len(given.masks), len(given.gaps))
        return _Differentiable.apply(form, counts, *tensors)  # type: ignore[no-untyped-call]
    with torch._C._AutoDispatchBelowAutograd():
        return torch.ops.relembra.stack(*arguments)


_LIBRARY.impl("stack", _autograd, "Autograd")
for _name, _kernel, _fake in (
    ("stack", _stack, _fake_stack),
    ("stack_train", _stack_train, _fake_train),
    ("stack_backward", _stack_backward, _fake_backward),
):
    _LIBRARY.impl(_name, _kernel, "CPU")
    torch.library.register_fake(f"relembra::{_name}", _fake, lib=_LIBRARY)
