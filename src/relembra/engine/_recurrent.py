"""The recurrent call as one function, for those who hold their parameters themselves."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from relembra.engine._choice import PathName, choose, run
from relembra.engine._noise import StackNoise
from relembra.engine._request import Recurrence, Request
from relembra.engine._spec import StackSpec

__all__ = ["recurrent"]


def recurrent(
    x: Tensor,
    parameters: Mapping[str, Tensor],
    spec: StackSpec,
    *,
    lengths: Tensor | None = None,
    mask: Tensor | None = None,
    reset: Tensor | None = None,
    hidden: Tensor | None = None,
    cell: Tensor | None = None,
    noise: StackNoise | None = None,
    hold_output: bool = False,
    trace: bool = False,
    recompute: bool | int = False,
    path: PathName = "auto",
) -> Recurrence:
    """Run a stack of recurrent layers over a batch of sequences.

    Parameters
    ----------
    x
        Input, (B, T, I).
    parameters
        Tensors by PyTorch's names, see `StackSpec.parameter_shapes`.
    spec
        The stack.
    lengths
        Steps of each row, (B,) integers in 0…T, any order. Output beyond a row's length is zero;
        its final state is that of its last step (reverse: of step 0, having begun at the last). A
        row of length 0 returns its initial state.
    mask
        (B, T) bool: where False the step is not taken, the state is held.
    reset
        (B, T) bool: True at t begins a new segment there, so that the result equals running the
        segments apart. Going forward the state is cleared before step t (t = 0 clears the initial
        state); going backward after step t, on the way to step t-1.
    hidden, cell
        Initial states, (L*D, B, P) and (L*D, B, H); zeros when None.
    noise
        Masks of dropout and zoneout, see `draw_noise`. Without them the expectation is computed.
    hold_output
        Masked steps repeat the output before them (Keras' way) instead of giving zero.
    trace
        Return all states and gates as well.
    recompute
        For sequences too long to keep every state for backward: an int k keeps about every k-th
        and computes the others again, with the same results; True keeps every sqrt(T)-th.
    path
        ``auto``, or a path by name.

    Returns
    -------
    Recurrence
        output (B, T, D*P), final states, the trace, and the path that ran.

    Raises
    ------
    DataError
        A tensor has another shape, type or range than the contract says.
    ConfigError
        The path asked for cannot compute this call.

    Examples
    --------
    >>> import torch
    >>> from relembra.engine import CellSpec, StackSpec
    >>> spec = StackSpec(cell=CellSpec(kind="rnn"), input_size=1, hidden_size=1)
    >>> ones = {name: torch.ones(shape) for name, shape in spec.parameter_shapes().items()}
    >>> recurrent(torch.zeros(1, 2, 1), ones, spec, lengths=torch.tensor([1])).output.flatten()
    tensor([0.9640, 0.0000])
    """
    request = Request(
        spec=spec,
        weights=spec.weights(parameters),
        x=x,
        lengths=lengths,
        mask=mask,
        reset=reset,
        hidden=hidden,
        cell=cell,
        noise=noise,
        hold_output=hold_output,
        trace=trace,
        recompute=recompute,
    )
    request.check()
    return run(request, choose(request, path).path)
