"""PyTorch's packed sequences: into padded steps in packed order, and back."""

from __future__ import annotations

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from relembra.engine import Trace
from relembra.nn._hidden import permute

__all__ = ["pack_like", "permute_trace", "unpack"]


def unpack(packed: PackedSequence) -> tuple[Tensor, Tensor]:
    """Return (B, T, I) and lengths (B,), the rows in packed order: the longest first."""
    return pad_packed_sequence(PackedSequence(packed.data, packed.batch_sizes), batch_first=True)


def pack_like(packed: PackedSequence, output: Tensor, lengths: Tensor) -> PackedSequence:
    """Pack (B, T, F), whose rows are in packed order, as `packed` is."""
    data = pack_padded_sequence(output, lengths, batch_first=True).data
    return PackedSequence(data, *packed[1:])


def permute_trace(trace: Trace | None, order: Tensor | None) -> Trace | None:
    """Put the rows of a trace in another order, None being the one they have."""
    if trace is None or order is None:
        return trace
    return Trace(
        hidden=permute(trace.hidden, order),
        cell=permute(trace.cell, order),
        gates={name: permute(gate, order) for name, gate in trace.gates.items()},
    )
