"""A call of the native core as plain values: which tensors it reads, and what is no tensor.

What the core knows of a cell is written down here once: the names of the weights that it reads
(`FIELDS`) and of the masks (`MASKS`), in its order, and the constants of its options.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from relembra import _native
from relembra.engine._activation import Activation
from relembra.engine._noise import LayerNoise, StackNoise
from relembra.engine._request import Request
from relembra.engine._spec import CellSpec, LayerWeights, StackSpec

__all__ = [
    "FIELDS",
    "MASKS",
    "Form",
    "Operands",
    "apart",
    "form_of",
    "is_plain",
    "is_staged",
    "joined",
    "layers_of",
    "native_shape",
    "noise_of",
    "operands_of",
    "parameters_of",
    "shape_of",
    "spread",
]

FIELDS = LayerWeights._fields
"""The parameters of a layer and direction that the core reads, in its order."""
MASKS = ("state", "candidate", "zoneout_hidden", "zoneout_cell")
"""The masks of a layer and direction, likewise. That of the weights is a product before it."""


class Operands(NamedTuple):
    """The tensors of a call: L layers, D directions, B rows, T steps, I inputs, H units."""

    x: Tensor  # (B, T, I)
    weights: list[Tensor]  # those of Form.fields, for each of the L*D layers and directions
    hidden: Tensor | None  # (L*D, B, P)
    cell: Tensor | None  # (L*D, B, H)
    lengths: Tensor | None  # (B,) int64
    mask: Tensor | None  # (B, T) bool
    reset: Tensor | None  # (B, T) bool
    masks: list[Tensor]  # those of Form.masks, for each layer and direction
    gaps: list[Tensor]  # none, or L-1 of (B, T, D*P): dropout masks between layers


class Form(NamedTuple):
    """What is no tensor."""

    kind: str  # a name of the native CellKind
    units: int  # H
    states: int  # P
    layers: int  # L
    directions: int  # D
    time_major: bool  # how outputs (B, T, features) lie in memory
    fields: Sequence[str] = ()  # names out of FIELDS
    masks: Sequence[str] = ()  # names out of MASKS
    # Of cells with options alone: names and constants (slope, offset, alpha) of the activations of
    # gate, candidate and state.
    functions: Sequence[str] = ()
    constants: Sequence[float] = ()
    zoneout_hidden: float = 0.0  # in expectation, where there are no masks
    zoneout_cell: float = 0.0
    norm: bool = False
    gate_masks: bool = False  # the masks of the state are (B, G, P)

    @property
    def has_cell(self) -> bool:
        """Whether there is a cell state."""
        return self.kind.endswith("lstm")


def is_plain(cell: CellSpec) -> bool:
    """Whether the kernels without options can compute a cell, which are faster."""
    # By name: these have no constants, and constants may be symbols to the compiler.
    functions = ("tanh", "relu") if cell.kind == "rnn" else ("tanh",)
    return (
        cell.activation.name in functions
        and (cell.state_activation or cell.activation).name == cell.activation.name
        and cell.gate_activation.name == "sigmoid"
        and not (cell.peepholes or cell.coupled or cell.zoneout_hidden or cell.zoneout_cell)
        and not is_staged(cell)
    )


def is_staged(cell: CellSpec, gate_masks: bool = False) -> bool:
    """Whether a step of a cell has several stages in the kernels."""
    return cell.layer_norm or bool(cell.projection) or not cell.reset_after or gate_masks


def _kind(cell: CellSpec, plain: bool, gate_masks: bool) -> str:
    if is_staged(cell, gate_masks):
        name = "coupled_lstm" if cell.coupled else cell.kind
        return f"staged_{name}" if cell.reset_after else "staged_gru_before"
    if not plain:
        return "coupled_lstm" if cell.coupled else f"general_{cell.kind}"
    return f"rnn_{cell.activation.name}" if cell.kind == "rnn" else cell.kind


def _form(
    spec: StackSpec,
    fields: Sequence[str],
    masks: Sequence[str],
    gate_masks: bool,
    time_major: bool = False,
) -> Form:
    cell = spec.cell
    plain = not masks and is_plain(cell)
    sizes = (spec.hidden_size, spec.state_size, spec.num_layers, spec.directions)
    form = Form(_kind(cell, plain, gate_masks), *sizes, time_major, fields, masks)
    if plain:
        return form
    used = (cell.gate_activation, cell.activation, cell.state_activation or cell.activation)
    return form._replace(
        functions=tuple(f.name for f in used),
        constants=tuple(c for f in used for c in _constants(f)),
        zoneout_hidden=cell.zoneout_hidden,
        zoneout_cell=cell.zoneout_cell,
        norm=cell.layer_norm,
        gate_masks=gate_masks,
    )


def _constants(f: Activation) -> tuple[float, float, float]:
    return f.slope, f.offset, f.alpha


def form_of(request: Request) -> Form:
    """Return the form of a request that the native core can compute."""
    own, x = request.weights[0], request.x
    fields = tuple(name for name in FIELDS if getattr(own, name) is not None)
    time_major = bool(x.stride(0) < x.stride(1))
    masks, gate_masks = _mask_names(request), request.gate_masks
    return _form(request.spec, fields, masks, gate_masks, time_major)


def operands_of(request: Request) -> Operands:
    """Return the tensors of a request that the native core can compute."""
    noise = request.noise
    weights: list[Tensor] = []
    for index, own in enumerate(request.weights):
        dropped = noise.layers[index].weights if noise else None
        if dropped is not None:
            own = own._replace(weight_hh=own.weight_hh * dropped)
        weights += [t for t in parameters_of(own) if t is not None]
    return Operands(
        request.x,
        weights,
        request.hidden,
        request.cell,
        _moved(request.lengths, request.x.device, torch.int64),
        _moved(request.mask, request.x.device, torch.bool),
        _moved(request.reset, request.x.device, torch.bool),
        _masks(request),
        _gaps(request),
    )


def parameters_of(weights: LayerWeights) -> tuple[Tensor | None, ...]:
    """Return the parameters that the core reads, None where there are none."""
    return tuple(weights)


def _moved(tensor: Tensor | None, device: torch.device, dtype: torch.dtype) -> Tensor | None:
    if tensor is None or (tensor.device == device and tensor.dtype == dtype):
        return tensor  # so that nothing is written into the graph
    return tensor.to(device=device, dtype=dtype)


def _mask_names(request: Request) -> tuple[str, ...]:
    layers = request.noise.layers if request.noise else ()
    return tuple(n for n in MASKS if any(getattr(own, n) is not None for own in layers))


def _masks(request: Request) -> list[Tensor]:
    """Return the masks of every layer, where any has them."""
    layers, names = request.noise.layers if request.noise else (), _mask_names(request)
    return [_filled(request, name, getattr(own, name)) for own in layers for name in names]


def _filled(request: Request, name: str, mask: Tensor | None) -> Tensor:
    """Return a mask, or one that says what its absence means."""
    if mask is not None:
        return mask
    spec, (rows, steps) = request.spec, request.x.shape[:2]
    width = spec.state_size if name in ("state", "zoneout_hidden") else spec.hidden_size
    gates = (len(spec.cell.gate_names),) if request.gate_masks else ()
    shape = (rows, *gates, width) if name == "state" else (rows, steps, width)
    absent = {"zoneout_hidden": spec.cell.zoneout_hidden, "zoneout_cell": spec.cell.zoneout_cell}
    return request.x.new_full(shape, absent.get(name, 1.0))


def _gaps(request: Request) -> list[Tensor]:
    """Return a mask for every gap where there is any."""
    spec, given = request.spec, request.noise.between if request.noise else ()
    if all(gap is None for gap in given):
        return []
    shape = (*request.x.shape[:2], spec.state_size * spec.directions)
    return [request.x.new_ones(shape) if gap is None else gap for gap in given]


# ------------------------------------------------------------------ one list, and back


def apart(given: Operands) -> list[Tensor | None]:
    """Return the operands in a flat list, as autograd wants them; `joined` undoes it."""
    states = (given.hidden, given.cell, given.lengths, given.mask, given.reset)
    return [given.x, *states, *given.weights, *given.masks, *given.gaps]


def joined(tensors: Any, weights: int, masks: int, gaps: int) -> Operands:
    x, hidden, cell, lengths, mask, reset, *rest = tensors
    own, noise = rest[:weights], rest[weights : weights + masks]
    others = rest[weights + masks : weights + masks + gaps]
    return Operands(x, own, hidden, cell, lengths, mask, reset, noise, others)


def layers_of(weights: Sequence[Tensor], form: Form) -> list[LayerWeights]:
    """Return the weights by layers and directions."""
    width = len(form.fields)
    parts = (weights[i : i + width] for i in range(0, len(weights), width))
    return [LayerWeights(**dict(zip(form.fields, part, strict=True))) for part in parts]


def noise_of(given: Operands, form: Form) -> StackNoise:
    """Return the masks as the engine's other paths take them."""
    count, width = form.layers * form.directions, len(form.masks)
    layers = tuple(
        LayerNoise(**dict(zip(form.masks, given.masks[i * width : (i + 1) * width], strict=True)))
        for i in range(count)
    )
    return StackNoise(layers, tuple(given.gaps) or (None,) * (form.layers - 1))


def spread(tensors: Sequence[Tensor], given: Sequence[str], known: Sequence[str]) -> list[int]:
    """Return addresses by layers, one for each name that the core knows; zero for absent ones."""
    width = len(given)
    places = [given.index(name) if name in given else None for name in known]
    return [
        0 if at is None else tensors[first + at].data_ptr()
        for first in range(0, len(tensors), width or 1)
        for at in places
    ]


# ------------------------------------------------------------------ the core's description


@lru_cache(maxsize=256)
def native_shape(spec: StackSpec, masks: bool = False, gate_masks: bool = False) -> Any:
    """Return the core's description of a stack that it knows, the same object for equal ones."""
    return shape_of(_form(spec, (), MASKS if masks else (), gate_masks), spec.input_size)


def shape_of(form: Form, inputs: int) -> Any:
    """Return the core's description of a stack."""
    none = _native.Activation(_native.Function.tanh, 0.0, 0.0, 0.0)
    functions = [
        _native.Activation(getattr(_native.Function, name), *form.constants[3 * i : 3 * i + 3])
        for i, name in enumerate(form.functions)
    ]
    gate, candidate, state = functions or [none] * 3
    return _native.StackShape(
        getattr(_native.CellKind, form.kind),
        inputs,
        form.units,
        form.layers,
        form.directions,
        gate,
        candidate,
        state,
        form.zoneout_hidden,
        form.zoneout_cell,
        form.states if form.states != form.units else 0,
        form.norm,
        form.gate_masks,
    )
