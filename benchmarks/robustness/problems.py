"""Random recurrent calls: every cell with every option, odd sizes, layouts and values.

A problem is a function of its number alone, so that a finding is repeated by its number.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from relembra.engine import ACTIVATIONS, Activation, CellSpec, StackNoise, StackSpec, draw_noise

LAYOUTS = ("rows first", "time first", "features apart", "every other step", "inside a wider one")
VALUES = ("usual", "usual", "usual", "large", "denormal", "none")


@dataclass(frozen=True)
class Problem:
    """A call of the recurrent layer, and the weights of its outputs in the loss."""

    number: int
    spec: StackSpec
    values: str  # one of VALUES; "none": some rows hold infinities or NaN
    layout: str  # of x, one of LAYOUTS
    threads: int
    parameters: dict[str, Tensor]
    call: dict[str, Any]  # x, and what `recurrent` takes beside parameters and specification
    odd_rows: tuple[int, ...]  # rows that hold infinities or NaN

    @property
    def x(self) -> Tensor:
        """(B, T, I)."""
        return self.call["x"]

    def with_x(self, x: Tensor) -> Problem:
        """Return the same with another input."""
        return replace(self, call=self.call | {"x": x})

    def described(self) -> str:
        """One line that says what the problem is."""
        usual = CellSpec(kind=self.spec.cell.kind)
        options = {
            name: value
            for name, value in vars(self.spec.cell).items()
            if value != getattr(usual, name)
        }
        rows, steps, inputs = self.x.shape
        given = [name for name in self.call if self.call[name] is not None and name != "x"]
        stack = f"L={self.spec.num_layers} D={self.spec.directions} bias={self.spec.bias}"
        return (
            f"{self.spec.cell.kind} {options} B={rows} T={steps} I={inputs} "
            f"H={self.spec.hidden_size} {stack} {self.x.dtype} {self.values} values, "
            f"x {self.layout}, {self.threads} threads, with {', '.join(given) or 'nothing'}"
        )


def size(draw: random.Random, most: int) -> int:
    """0, 1, or anything up to `most`."""
    return draw.choice((draw.randint(0, 1), draw.randint(0, most), draw.randint(0, most)))


def cell_of(draw: random.Random, units: int) -> CellSpec:
    """Any cell that can be asked for. A new option is a line here."""
    kind = draw.choice(("rnn", "lstm", "gru"))
    options: dict[str, Any] = {}

    def maybe(name: str, value: Any, chance: float = 0.2) -> None:
        if draw.random() < chance:
            options[name] = value

    def function() -> Activation:
        return Activation(
            draw.choice(ACTIVATIONS),
            slope=draw.choice((1 / 6, 0.2, 0.7)),
            offset=draw.choice((0.5, 0.3)),
            alpha=draw.choice((1.0, 0.4)),
        )

    maybe("activation", function(), 0.4)
    maybe("layer_norm", True, 0.1)
    maybe("zoneout_hidden", 0.3)
    maybe("recurrent_dropout", 0.4, 0.3)
    kinds = ("state", "gates", "weights") + (() if kind == "rnn" else ("candidate",))
    maybe("recurrent_dropout_kind", draw.choice(kinds), 0.7)
    if kind != "rnn":
        maybe("gate_activation", function())
    if kind == "gru":
        maybe("reset_after", False, 0.15)
    if kind == "lstm":
        maybe("state_activation", function())
        maybe("peepholes", True)
        maybe("coupled", True)
        maybe("zoneout_cell", 0.4)
        if units > 1:
            maybe("projection", draw.randint(1, units - 1), 0.1)
    if draw.random() < 0.3:  # the kernels without options
        return CellSpec(kind=kind)
    return CellSpec(kind=kind, **options)


def stack_of(draw: random.Random) -> StackSpec:
    """A stack of one to three layers."""
    units = max(1, size(draw, draw.choice((20, 40, 150))))
    return StackSpec(
        cell=cell_of(draw, units),
        input_size=max(1, size(draw, 40)),
        hidden_size=units,
        num_layers=draw.choice((1, 1, 1, 2, 3)),
        bidirectional=draw.random() < 0.3,
        bias=draw.random() < 0.8,
        dropout=draw.choice((0.0, 0.0, 0.25)),
    )


def laid_out(x: Tensor, layout: str) -> Tensor:
    """Return the same values, otherwise in memory."""
    rows, steps, features = x.shape
    if layout == "time first":
        return x.transpose(0, 1).contiguous().transpose(0, 1)
    if layout == "features apart":
        return x.transpose(1, 2).contiguous().transpose(1, 2)
    if layout == "every other step":
        wider = x.new_full((rows, 2 * steps, features), float("nan"))
        wider[:, ::2] = x
        return wider[:, ::2]
    if layout == "inside a wider one":
        wider = x.new_full((rows, steps, features + 3), float("nan"))
        wider[..., 1:-2] = x
        return wider[..., 1:-2]
    return x.contiguous()


def problem(number: int, values: str | None = None) -> Problem:
    """Return the problem of that number; `values` overrides what its numbers are like."""
    draw, source = random.Random(number), torch.Generator().manual_seed(number)
    spec = stack_of(draw)
    rows, steps = size(draw, 20), size(draw, 12)
    dtype = torch.float32 if draw.random() < 0.75 else torch.float64
    drawn = draw.choice(VALUES)
    values = values or drawn
    layout = draw.choice(LAYOUTS)

    def normal(*shape: int, scale: float = 1.0) -> Tensor:
        return torch.randn(*shape, dtype=dtype, generator=source) * scale

    strength = draw.choice((1.0, 1.0, 1.5)) * spec.hidden_size**-0.5
    parameters = {
        name: normal(*shape, scale=strength) + (1.0 if name.startswith("gain") else 0.0)
        for name, shape in spec.parameter_shapes().items()
    }
    if draw.random() < 0.2:
        parameters = {
            k: p.t().contiguous().t() if p.ndim == 2 else p for k, p in parameters.items()
        }
    if values == "none" and draw.random() < 0.5:
        # Without inf - inf there are infinite states, and numbers beside them.
        parameters = {name: p.abs() for name, p in parameters.items()}
    tiny = 1e-40 if dtype == torch.float32 else 1e-310
    scale = {"large": 10.0 ** draw.randint(1, 4), "denormal": tiny}.get(values, 1.0)
    x = normal(rows, steps, spec.input_size, scale=scale)
    call: dict[str, Any] = {}
    count = spec.num_layers * spec.directions
    if draw.random() < 0.5:
        call["hidden"] = normal(count, rows, spec.state_size, scale=min(scale, 1.0))
        if spec.cell.has_cell_state:
            call["cell"] = normal(count, rows, spec.hidden_size, scale=min(scale, 1.0))
    if draw.random() < 0.4:
        call["lengths"] = torch.randint(0, steps + 1, (rows,), generator=source)
    if draw.random() < 0.3:
        call["mask"] = torch.rand(rows, steps, generator=source) < 0.6
        call["hold_output"] = draw.random() < 0.5
    if draw.random() < 0.3:
        call["reset"] = torch.rand(rows, steps, generator=source) < 0.3
    if draw.random() < 0.6:
        call["noise"] = draw_noise(spec, rows, steps, x, source)
    odd = tuple(r for r in range(rows) if draw.random() < 0.2) if values == "none" and steps else ()
    for row in odd:
        at = (row, draw.randrange(steps), draw.randrange(spec.input_size))
        x[at] = draw.choice((float("nan"), float("inf"), float("-inf")))
    call["x"] = laid_out(x, layout)
    threads = draw.choice((1, 2))
    return Problem(number, spec, values, layout, threads, parameters, call, odd)


def noise_of_rows(noise: StackNoise | None, rows: Tensor) -> StackNoise | None:
    """Return the masks of some rows; that of the weights is everyone's."""
    if noise is None:
        return None
    layers = tuple(
        layer._replace(
            **{
                name: mask[rows]
                for name, mask in layer._asdict().items()
                if mask is not None and name != "weights"
            }
        )
        for layer in noise.layers
    )
    return StackNoise(layers, tuple(None if gap is None else gap[rows] for gap in noise.between))


def of_rows(call: dict[str, Any], rows: Tensor) -> dict[str, Any]:
    """Return the call of some rows."""

    def take(name: str, value: Any) -> Any:
        if name == "noise":
            return noise_of_rows(value, rows)
        if not isinstance(value, Tensor):
            return value
        return value[:, rows] if name in ("hidden", "cell") else value[rows]

    return {name: take(name, value) for name, value in call.items()}
