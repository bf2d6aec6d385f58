"""The gate equations, one function a cell, in plain torch operations.

They are the oracle that every other path is tested against, so they follow the papers line by line.
B rows, I inputs, H units, P outputs (P = H without projection), G gates.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor
from torch.nn import functional

from relembra.engine._noise import LayerNoise
from relembra.engine._spec import CellSpec, LayerWeights

__all__ = ["CELL_STEPS", "CellStep", "StepNoise", "input_projection", "recurrent_weight"]

_EPSILON = 1e-5  # of the layer normalisations, as in torch.nn.LayerNorm


class StepNoise(NamedTuple):
    """The masks that hold for one step; see `LayerNoise`."""

    state: Tensor | None  # (B, P) or (B, G, P)
    candidate: Tensor | None  # (B, H)
    zoneout_hidden: Tensor | float  # (B, P) or the expectation
    zoneout_cell: Tensor | float  # (B, H) or the expectation


class CellStep(NamedTuple):
    """What one step computes."""

    hidden: Tensor  # (B, P)
    cell: Tensor | None  # (B, H)
    gates: tuple[Tensor, ...]  # (B, H) each, as CellSpec.gate_names


def _layer_norm(x: Tensor, gain: Tensor, shift: Tensor | None = None) -> Tensor:
    return functional.layer_norm(x, x.shape[-1:], gain, shift, _EPSILON)


def _norm(spec: CellSpec, x: Tensor, gain: Tensor | None) -> Tensor:
    """Normalise each group of gates of (…, G*H) over its features (Ba et al. 2016, eq. 4)."""
    if gain is None:
        return x
    width = x.shape[-1] // sum(spec.norm_groups)
    sizes = [gates * width for gates in spec.norm_groups]
    parts = zip(torch.split(x, sizes, -1), torch.split(gain, sizes), strict=True)
    return torch.cat(
        [functional.layer_norm(p, (p.shape[-1],), g, eps=_EPSILON) for p, g in parts], -1
    )


def _plus(x: Tensor, bias: Tensor | None) -> Tensor:
    return x if bias is None else x + bias


def input_projection(spec: CellSpec, w: LayerWeights, x: Tensor) -> Tensor:
    """Return the part of the gates that does not depend on the state, (…, I) to (…, G*H)."""
    return _plus(_norm(spec, functional.linear(x, w.weight_ih), w.gain_ih), w.bias_ih)


def recurrent_weight(w: LayerWeights, noise: LayerNoise) -> Tensor:
    """Return the recurrent matrix with its dropped weights (Merity et al. 2018)."""
    return w.weight_hh if noise.weights is None else w.weight_hh * noise.weights


def _state_projection(spec: CellSpec, w: LayerWeights, u: Tensor, h: Tensor) -> Tensor:
    return _plus(_norm(spec, _product(h, u), w.gain_hh), w.bias_hh)


def _product(h: Tensor, u: Tensor) -> Tensor:
    """Return the product of a state (B, P), or one for each gate (B, G, P), with (G*H, P)."""
    if h.dim() == 2:
        return functional.linear(h, u)
    gates = u.unflatten(0, (h.shape[1], -1))  # (G, H, P)
    return torch.einsum("bgp,ghp->bgh", h, gates).flatten(1)


def _dropped(h: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return h
    return (h if mask.dim() == h.dim() else h.unsqueeze(1)) * mask


def _zoneout(keep: Tensor | float, old: Tensor, new: Tensor) -> Tensor:
    """Krueger et al. 2017, eqs. 3-4; `keep` is a mask, or its expectation."""
    if isinstance(keep, float) and keep == 0.0:
        return new
    return keep * old + (1.0 - keep) * new


def _rnn(
    spec: CellSpec, w: LayerWeights, u: Tensor, gx: Tensor, state: CellStep, noise: StepNoise
) -> CellStep:
    old = state.hidden
    new = spec.activation(gx + _state_projection(spec, w, u, _dropped(old, noise.state)))
    return CellStep(_zoneout(noise.zoneout_hidden, old, new), None, (new,))


def _gru(
    spec: CellSpec, w: LayerWeights, u: Tensor, gx: Tensor, state: CellStep, noise: StepNoise
) -> CellStep:
    old = state.hidden
    seen = _dropped(old, noise.state)
    xr, xz, xn = gx.chunk(3, -1)
    if spec.reset_after:
        hr, hz, hn = _state_projection(spec, w, u, seen).chunk(3, -1)
        r = spec.gate_activation(xr + hr)
        n = spec.activation(xn + r * hn)
    else:
        rows = 2 * old.shape[-1]
        hr, hz = _gru_part(w, u, seen if seen.dim() == 2 else seen[:, :2], slice(0, rows)).chunk(
            2, -1
        )
        r = spec.gate_activation(xr + hr)
        gated = r * (seen if seen.dim() == 2 else seen[:, 2])
        n = spec.activation(xn + _gru_part(w, u, gated, slice(rows, None)))
    z = spec.gate_activation(xz + hz)
    kept = n if noise.candidate is None else n * noise.candidate
    new = (1.0 - z) * kept + z * old
    return CellStep(_zoneout(noise.zoneout_hidden, old, new), None, (r, z, n))


def _gru_part(w: LayerWeights, u: Tensor, h: Tensor, rows: slice) -> Tensor:
    """Return one norm group of the recurrent product: what Cho's reset-before form needs apart."""
    product = _product(h, u[rows])
    if w.gain_hh is not None:
        product = functional.layer_norm(
            product, (product.shape[-1],), w.gain_hh[rows], eps=_EPSILON
        )
    return product if w.bias_hh is None else product + w.bias_hh[rows]


def _lstm(
    spec: CellSpec, w: LayerWeights, u: Tensor, gx: Tensor, state: CellStep, noise: StepNoise
) -> CellStep:
    old_h, old_c = state.hidden, cast(Tensor, state.cell)
    gates = gx + _state_projection(spec, w, u, _dropped(old_h, noise.state))
    peep = (None, None, None) if w.peephole is None else _peepholes(spec, w.peephole)
    if spec.coupled:
        ai, ag, ao = gates.chunk(3, -1)
        i = spec.gate_activation(_peeped(ai, peep[0], old_c))
        f = 1.0 - i
    else:
        ai, af, ag, ao = gates.chunk(4, -1)
        i = spec.gate_activation(_peeped(ai, peep[0], old_c))
        f = spec.gate_activation(_peeped(af, peep[1], old_c))
    g = spec.activation(ag)
    c = f * old_c + i * _dropped(g, noise.candidate)
    o = spec.gate_activation(_peeped(ao, peep[2], c))
    shown = c
    if w.gain_c is not None:
        shown = _layer_norm(c, w.gain_c, w.bias_c)
    h = o * (spec.state_activation or spec.activation)(shown)
    if w.weight_hr is not None:
        h = functional.linear(h, w.weight_hr)
    return CellStep(
        _zoneout(noise.zoneout_hidden, old_h, h),
        _zoneout(noise.zoneout_cell, old_c, c),
        (i, g, o) if spec.coupled else (i, f, g, o),
    )


def _peepholes(spec: CellSpec, p: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
    return (p[0], None, p[1]) if spec.coupled else (p[0], p[1], p[2])


def _peeped(gate: Tensor, weight: Tensor | None, cell: Tensor) -> Tensor:
    return gate if weight is None else gate + weight * cell


CELL_STEPS = {"rnn": _rnn, "gru": _gru, "lstm": _lstm}
