"""Keras' way with masked steps: they repeat the output before them, in the order of the walk."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from relembra.engine._request import Request

__all__ = ["hold_output"]


def hold_output(request: Request, output: Tensor) -> Tensor:
    """Fill the steps inside the lengths that the mask leaves out; (B, T, D*P) as `output`.

    A step shows the output of the last step taken before it, or zero where there is none since
    the beginning of its segment.
    """
    steps = torch.arange(output.shape[1], device=output.device)  # (T,)
    inside = request.inside()
    mask = cast(Tensor, request.mask).to(output.device)
    taken = mask if inside is None else mask & inside  # (B, T)
    begins = torch.zeros_like(taken) if request.reset is None else request.reset.to(output.device)
    if inside is not None:
        begins = begins & inside
    parts = output.chunk(request.spec.directions, -1)
    shown = [_forward(parts[0], steps, taken, begins)]
    if len(parts) == 2:
        # In reverse the walk goes from t + 1 to t, and the state is cleared where t + 1 begins a
        # segment: seen from the other end of time, a forward walk.
        later = torch.cat([begins[:, 1:], torch.zeros_like(begins[:, :1])], 1)
        flipped = _forward(parts[1].flip(1), steps, taken.flip(1), later.flip(1))
        shown.append(flipped.flip(1))
    held = torch.cat(shown, -1)
    return held if inside is None else torch.where(inside[..., None], held, 0.0)


def _forward(output: Tensor, steps: Tensor, taken: Tensor, begins: Tensor) -> Tensor:
    if not output.shape[1]:
        return output
    before = torch.where(taken, steps, -1).cummax(1).values  # (B, T) last step taken
    segment = torch.where(begins, steps, 0).cummax(1).values  # (B, T) where the segment began
    known = before >= segment
    source = before.clamp(min=0)[..., None].expand_as(output)
    return torch.where(known[..., None], output.gather(1, source), 0.0)
