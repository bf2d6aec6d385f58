"""The oracle: recurrent stacks in plain NumPy, float64, one row and one step at a time.

Written from the papers and the contract's words, not from the engine: Elman 1990; Hochreiter &
Schmidhuber 1997; Gers 2000, 2002; Cho 2014; Sak 2014; Ba 2016; Gal 2016; Semeniuta 2016;
Greff 2017; Krueger 2017; Merity 2018. Slow and plain on purpose.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from relembra.engine import Activation, CellSpec, StackSpec

_ERF = np.vectorize(math.erf, otypes=[float])


def sigmoid(v):
    return 1.0 / (1.0 + np.exp(-v))


def activate(f: Activation, v: np.ndarray) -> np.ndarray:
    match f.name:
        case "tanh":
            return np.tanh(v)
        case "sigmoid":
            return sigmoid(v)
        case "relu":
            return np.where(v > 0, v, 0.0)
        case "softsign":
            return v / (1 + np.abs(v))
        case "gelu":
            return 0.5 * v * (1 + _ERF(v / math.sqrt(2)))
        case "identity":
            return v
        case "hard_sigmoid":
            return np.minimum(1.0, np.maximum(0.0, f.slope * v + f.offset))
        case "elu":
            return np.where(v > 0, v, f.alpha * (np.exp(np.minimum(v, 0)) - 1))
    raise AssertionError(f.name)


def normalise(v, gain, shift):
    """Ba 2016, eq. 15, over one vector; the variance is the mean square, epsilon PyTorch's."""
    centred = v - v.mean()
    return centred / np.sqrt((centred**2).mean() + 1e-5) * gain + shift


@dataclass
class Draw:
    """Noise of one row at one step; NaN-free arrays, or None for "without"."""

    state: np.ndarray | None = None
    candidate: np.ndarray | None = None
    weights: np.ndarray | None = None
    zoneout_hidden: np.ndarray | None = None
    zoneout_cell: np.ndarray | None = None


@dataclass
class State:
    h: np.ndarray
    c: np.ndarray | None
    gates: dict[str, np.ndarray] = field(default_factory=dict)


def _bias(w, name, n):
    return w.get(name, np.zeros(n))


def _affine(w, side, v, bias, groups):
    """W v + b, or with layer normalisation of each (start, stop) group of rows gain*norm(W v)+b."""
    weight = w["weight_" + side]
    if v.ndim == 2:  # Gal 2016, untied: gate k sees v[k]
        blocks = np.split(weight, len(v))
        product = np.concatenate([u @ own for u, own in zip(blocks, v, strict=True)])
    else:
        product = weight @ v
    if "gain_" + side not in w:
        return product + bias
    out = np.empty_like(product)
    for rows in groups:
        out[rows] = normalise(product[rows], w["gain_" + side][rows], bias[rows])
    return out


def _keep(old, new, mask, rate):
    """Krueger 2017: a unit whose mask is 1 keeps its old state; in expectation without masks."""
    d = rate if mask is None else mask
    return d * old + (1 - d) * new


def step(cell: CellSpec, w: dict, x, before: State, draw: Draw, hidden: int) -> State:
    """Take one step of one row."""
    rows = w["weight_hh"].shape[0]
    if draw.weights is not None:  # Merity 2018: DropConnect on the recurrent matrix
        w = {**w, "weight_hh": w["weight_hh"] * draw.weights}
    h = before.h if draw.state is None else before.h * draw.state  # Gal 2016
    bx, bh = _bias(w, "bias_ih", rows), _bias(w, "bias_hh", rows)
    if cell.kind == "rnn":
        return _rnn(cell, w, x, before, draw, h, bx, bh)
    if cell.kind == "gru":
        return _gru(cell, w, x, before, draw, h, bx, bh, hidden)
    return _lstm(cell, w, x, before, draw, h, bx, bh, hidden)


def _rnn(cell, w, x, before, draw, h, bx, bh):
    everything = [slice(0, len(bx))]
    a = _affine(w, "ih", x, bx, everything) + _affine(w, "hh", h, bh, everything)
    new = activate(cell.activation, a)
    kept = _keep(before.h, new, draw.zoneout_hidden, cell.zoneout_hidden)
    return State(kept, None, {"state": new})


def _gru(cell, w, x, before, draw, h, bx, bh, n):
    groups = [slice(0, 2 * n), slice(2 * n, 3 * n)]
    ax, ah = _affine(w, "ih", x, bx, groups), _affine(w, "hh", h, bh, groups)
    r = activate(cell.gate_activation, ax[:n] + ah[:n])
    z = activate(cell.gate_activation, ax[n : 2 * n] + ah[n : 2 * n])
    if cell.reset_after:
        inner = r * ah[2 * n :]
    else:
        candidate_sees = h if h.ndim == 1 else h[2]
        inner = _affine(w, "hh", r * candidate_sees, bh, groups)[2 * n :]
    new = activate(cell.activation, ax[2 * n :] + inner)
    dropped = new if draw.candidate is None else new * draw.candidate  # Semeniuta 2016
    mixed = (1 - z) * dropped + z * before.h
    kept = _keep(before.h, mixed, draw.zoneout_hidden, cell.zoneout_hidden)
    return State(kept, None, {"reset": r, "update": z, "candidate": new})


def _lstm(cell, w, x, before, draw, h, bx, bh, n):
    everything = [slice(0, len(bx))]
    a = _affine(w, "ih", x, bx, everything) + _affine(w, "hh", h, bh, everything)
    gate, f_c = cell.gate_activation, cell.state_activation or cell.activation
    blocks = {name: a[k * n : (k + 1) * n] for k, name in enumerate(cell.gate_names)}
    see = dict.fromkeys("ifo", np.zeros(n))
    if "peephole" in w:
        see |= dict(zip("io" if cell.coupled else "ifo", w["peephole"], strict=True))
    i = activate(gate, blocks["input"] + see["i"] * before.c)
    if cell.coupled:  # Greff 2017
        f = 1 - i
    else:
        f = activate(gate, blocks["forget"] + see["f"] * before.c)
    g = activate(cell.activation, blocks["candidate"])
    dropped = g if draw.candidate is None else g * draw.candidate
    c = f * before.c + i * dropped
    o = activate(gate, blocks["output"] + see["o"] * c)
    out = normalise(c, w["gain_c"], w.get("bias_c", np.zeros(n))) if "gain_c" in w else c
    new = o * activate(f_c, out)
    if "weight_hr" in w:  # Sak 2014
        new = w["weight_hr"] @ new
    # Krueger 2017, section 3.3: the hidden state sees the cell state before its zoneout.
    kept_h = _keep(before.h, new, draw.zoneout_hidden, cell.zoneout_hidden)
    kept_c = _keep(before.c, c, draw.zoneout_cell, cell.zoneout_cell)
    return State(kept_h, kept_c, {"input": i, "forget": f, "candidate": g, "output": o})


@dataclass
class Answer:
    """What a stack must return; the trace is (L*D, B, T, ·)."""

    output: np.ndarray
    hidden: np.ndarray
    cell: np.ndarray | None
    trace_hidden: np.ndarray
    trace_cell: np.ndarray | None
    gates: dict[str, np.ndarray]


def run_stack(
    spec: StackSpec,
    parameters: dict[str, np.ndarray],
    x: np.ndarray,
    *,
    lengths=None,
    mask=None,
    reset=None,
    hidden=None,
    cell=None,
    noise=None,
    hold_output=False,
) -> Answer:
    """Run a stack over (B, T, I), row by row."""
    B, T, _ = x.shape
    H, P, D = spec.hidden_size, spec.state_size, spec.directions
    N = spec.num_layers * D
    lengths = [T] * B if lengths is None else lengths
    mask = np.ones((B, T), bool) if mask is None else mask
    reset = np.zeros((B, T), bool) if reset is None else reset
    names = {"lstm": ("input", "forget", "candidate", "output"), "rnn": ("state",)}.get(
        spec.cell.kind, ("reset", "update", "candidate")
    )
    is_lstm = spec.cell.kind == "lstm"
    answer = Answer(
        np.zeros((B, T, D * P)),
        np.zeros((N, B, P)) if hidden is None else hidden.copy(),
        (np.zeros((N, B, H)) if cell is None else cell.copy()) if is_lstm else None,
        np.zeros((N, B, T, P)),
        np.zeros((N, B, T, H)) if is_lstm else None,
        {name: np.zeros((N, B, T, H)) for name in names},
    )
    for b in range(B):
        below = x[b]
        for layer in range(spec.num_layers):
            above = np.zeros((T, D * P))
            for d, end in enumerate(("", "_reverse")[:D]):
                k = layer * D + d
                suffix = f"_l{layer}{end}"
                w = {
                    name.removesuffix(suffix): value
                    for name, value in parameters.items()
                    if name.removesuffix(suffix) + suffix == name
                }
                draws = [_draw(noise, k, b, t) for t in range(T)]
                above[:, d * P : (d + 1) * P] = _one_row(
                    spec, w, below, int(lengths[b]), mask[b], reset[b], draws, hold_output,
                    answer, k, b, backward=d == 1,
                )  # fmt: skip
            below = above
            if noise is not None and layer < spec.num_layers - 1:
                gap = noise.between[layer]
                below = above if gap is None else above * gap[b].double().numpy()
        answer.output[b] = above
    return answer


def _draw(noise, k, b, t) -> Draw:
    if noise is None:
        return Draw()
    n = noise.layers[k]
    array = lambda v, *at: None if v is None else v.double().numpy()[at]  # noqa: E731
    return Draw(
        array(n.state, b),
        array(n.candidate, b, t),
        array(n.weights, ...),
        array(n.zoneout_hidden, b, t),
        array(n.zoneout_cell, b, t),
    )


def _one_row(spec, w, x, length, mask, reset, draws, hold, answer, k, b, *, backward):
    """Walk one row in one direction; fill the answer's states and trace, return its output."""
    T, P = len(x), spec.state_size
    output = np.zeros((T, P))
    state = State(answer.hidden[k, b], None if answer.cell is None else answer.cell[k, b])
    empty = State(np.zeros_like(state.h), None if state.c is None else np.zeros_like(state.c))
    held = np.zeros(P)

    def note(t, gates):
        answer.trace_hidden[k, b, t] = state.h
        if state.c is not None:
            answer.trace_cell[k, b, t] = state.c
        for name, value in gates.items():
            answer.gates[name][k, b, t] = value

    for t in range(length - 1, -1, -1) if backward else range(length):
        # A segment begins at t: the walk enters it at t (forward), or leaves it after t (backward),
        # coming from t + 1.
        boundary = (t + 1 < length and reset[t + 1]) if backward else reset[t]
        if boundary:
            state, held = empty, np.zeros(P)
        if mask[t]:
            state = step(spec.cell, w, x[t], state, draws[t], spec.hidden_size)
            held = output[t] = state.h
            note(t, state.gates)
        else:
            output[t] = held if hold else 0.0
            note(t, {})
    for t in range(length, T):  # not taken: shows the state that it held
        if backward:
            answer.trace_hidden[k, b, t] = answer.hidden[k, b]
            if state.c is not None:
                answer.trace_cell[k, b, t] = answer.cell[k, b]
        else:
            note(t, {})
    answer.hidden[k, b] = state.h
    if state.c is not None:
        answer.cell[k, b] = state.c
    return output
