"""The torch path: PyTorch's own kernels (cuDNN on CUDA, oneDNN and ATen on the CPU)."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from relembra.engine._activation import Activation
from relembra.engine._functional import is_forward_mode
from relembra.engine._request import Recurrence, Request
from relembra.engine._spec import CellSpec, LayerWeights, StackSpec

__all__ = ["run_torch", "torch_refusal"]

_VF: Any = torch._VF  # the module that torch.nn.LSTM itself calls
_TANH, _SIGMOID = Activation("tanh"), Activation("sigmoid")


def torch_refusal(request: Request) -> str | None:
    """Return why PyTorch's kernels cannot compute this request, or None when they can."""
    return _cell_refusal(request.spec.cell) or _call_refusal(request)


def _cell_refusal(cell: CellSpec) -> str | None:
    plain = (_TANH, Activation("relu")) if cell.kind == "rnn" else (_TANH,)
    checks = {
        f"the activation {cell.activation.name}": cell.activation not in plain,
        "another activation of the state": cell.state_activation not in (None, cell.activation),
        f"the gate activation {cell.gate_activation.name}": cell.gate_activation != _SIGMOID,
        "the reset gate before the product": not cell.reset_after,
        "layer normalisation": cell.layer_norm,
        "peepholes": cell.peepholes,
        "coupled gates": cell.coupled,
        "zoneout": bool(cell.zoneout_hidden or cell.zoneout_cell),
    }
    lacking = [name for name, asked in checks.items() if asked]
    return f"PyTorch's {cell.kind} does not know {', '.join(lacking)}" if lacking else None


def _call_refusal(request: Request) -> str | None:
    noise = request.noise
    if noise and any(n.state is not None or n.candidate is not None for n in noise.layers):
        return "PyTorch's kernels have no recurrent dropout"
    if noise and any(
        n.zoneout_hidden is not None or n.zoneout_cell is not None for n in noise.layers
    ):
        return "PyTorch's kernels have no zoneout"
    if request.segment():
        return "PyTorch's kernels keep every state for backward"
    if request.mask is not None:
        return "PyTorch's kernels take no mask"
    if request.reset is not None:
        return "PyTorch's kernels cannot reset the state in mid-sequence"
    if request.trace:
        return "PyTorch's kernels return no states or gates of single steps"
    if request.spec.cell.kind == "lstm" and is_forward_mode():
        return "PyTorch's LSTM kernel knows no forward-mode gradients"
    if not request.x.numel():
        return "PyTorch's kernels take no empty input"
    return None


def run_torch(request: Request) -> Recurrence:
    """Compute a request that `torch_refusal` does not refuse."""
    lengths = request.lengths
    if lengths is None:
        return _result(*_stack(request, request.x, None, *request.initial()))
    return _result(*_ragged(request, lengths))


def _result(output: Tensor, hidden: Tensor, cell: Tensor | None) -> Recurrence:
    return Recurrence(output=output, hidden=hidden, cell=cell, trace=None, path="torch")


def _ragged(request: Request, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
    """Leave out rows of length 0, which packed sequences cannot hold, and put them back."""
    x = request.x
    hidden, cell = request.initial()
    rows = lengths.to(x.device).nonzero().squeeze(1)  # (R,)
    if rows.numel() == 0:
        output = x.new_zeros(*x.shape[:2], request.spec.state_size * request.spec.directions)
        # Sums of nothing: zeros that autograd sees, so that a batch of empty rows trains as well.
        leaves = [x, hidden, *(t for w in request.weights for t in w if t is not None)]
        nothing = torch.stack([leaf.flatten()[:0].sum() for leaf in leaves]).sum()
        return output + nothing, hidden + nothing, None if cell is None else cell + nothing
    some = lengths.cpu()[rows.cpu()]  # (R,) PyTorch packs by lengths on the CPU
    part = None if cell is None else cell[:, rows]
    y, h, c = _stack(request, x[rows], some, hidden[:, rows], part)
    output = y.new_zeros(x.shape[0], *y.shape[1:]).index_copy(0, rows, y)
    return (
        output,
        hidden.index_copy(1, rows, h),
        None if cell is None or c is None else cell.index_copy(1, rows, c),
    )


def _stack(
    request: Request, x: Tensor, lengths: Tensor | None, hidden: Tensor, cell: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Run all layers; one kernel call each, with the dropout masks that were drawn between."""
    spec, noise = request.spec, request.noise
    finals: list[Tensor] = []
    cells: list[Tensor] = []
    for layer in range(spec.num_layers):
        own = slice(layer * spec.directions, (layer + 1) * spec.directions)
        if layer and noise and (gap := noise.between[layer - 1]) is not None:
            x = x * (gap if gap.shape[0] == x.shape[0] else _rows_of(gap, request))
        flat = _flat_weights(request, own)
        part = None if cell is None else cell[own]
        x, h, c = _layer(spec, flat, x, lengths, hidden[own], part)
        finals.append(h)
        cells += [] if c is None else [c]
    return x, torch.cat(finals), torch.cat(cells) if cells else None


def _rows_of(gap: Tensor, request: Request) -> Tensor:
    lengths = cast(Tensor, request.lengths)
    return gap[lengths.to(gap.device) > 0]


def _flat_weights(request: Request, own: slice) -> list[Tensor]:
    """Return the weights of a layer in the order of `torch.nn.LSTM._flat_weights`."""
    noise = request.noise.layers[own] if request.noise else ()
    flat: list[Tensor] = []
    for i, w in enumerate(request.weights[own]):
        dropped = noise[i].weights if noise else None
        u = w.weight_hh if dropped is None else w.weight_hh * dropped
        flat += [t for t in (w.weight_ih, u, *_rest(w)) if t is not None]
    return flat


def _rest(w: LayerWeights) -> tuple[Tensor | None, ...]:
    return w.bias_ih, w.bias_hh, w.weight_hr


def _layer(
    spec: StackSpec,
    flat: list[Tensor],
    x: Tensor,
    lengths: Tensor | None,
    hidden: Tensor,
    cell: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    kind = spec.cell.kind
    kernel = getattr(_VF, f"rnn_{spec.cell.activation.name}" if kind == "rnn" else kind)
    state = hidden.contiguous() if cell is None else (hidden.contiguous(), cell.contiguous())
    options = (spec.bias, 1, 0.0, torch.is_grad_enabled(), spec.bidirectional)
    if lengths is None:
        result = kernel(x, state, flat, *options, True)
        return result[0], result[1], result[2] if len(result) == 3 else None
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    order = cast(Tensor, packed.sorted_indices)
    back = cast(Tensor, packed.unsorted_indices)
    state = hidden[:, order] if cell is None else (hidden[:, order], cell[:, order])
    result = kernel(packed.data, packed.batch_sizes, state, flat, *options)
    output, _ = pad_packed_sequence(
        packed._replace(data=result[0]), batch_first=True, total_length=x.shape[1]
    )
    return output, result[1][:, back], result[2][:, back] if len(result) == 3 else None
