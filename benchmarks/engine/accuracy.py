"""How far float32 is from float64: outputs and gradients, ours beside the reference path and torch.

    python -m benchmarks.engine.accuracy --cells lstm gru rnn --shapes odd

The truth is the reference path in float64, with the same weights (default initialisation), the
same input and the same gradient of the loss, random at every output. An error is the largest
difference over the largest value: `forward` of the outputs and final states, `gradient` of each
tensor (input, weights, biases) by itself, the worst of them being shown and named. The goals:
forward at most 1e-6, and at most twice the reference path's own error in float32; gradients at most
1e-5. Sequences are cut after --steps, which bounds the time that the references take.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch

from benchmarks.engine import table
from benchmarks.engine.shapes import Shape, layers
from benchmarks.engine.table import Row
from relembra import nn

STEPS = 200


@dataclass(frozen=True)
class Found:
    """What a layer computed: outputs and states, and the gradients by name."""

    values: dict[str, torch.Tensor]
    gradients: dict[str, torch.Tensor]


def compute(layer: torch.nn.Module, x: torch.Tensor, weight: torch.Tensor) -> Found:
    """Run a layer forward and backward, in the type of its parameters."""
    dtype = layer.weight_ih_l0.dtype
    x = x.detach().clone().to(dtype).requires_grad_()
    output, state = layer(x)
    states = state if isinstance(state, tuple) else (state,)
    output.backward(weight.to(dtype))
    gradients = {name: p.grad for name, p in layer.named_parameters()}
    values = {"output": output} | {f"state {i}": s for i, s in enumerate(states)}
    return Found(
        {name: value.detach().double() for name, value in values.items()},
        {name: value.double() for name, value in (gradients | {"input": x.grad}).items()},
    )


def worst(found: dict[str, torch.Tensor], truth: dict[str, torch.Tensor]) -> tuple[float, str]:
    """Return the largest error among tensors, and the name of the tensor."""
    errors = {
        name: ((found[name] - value).abs().max() / value.abs().max()).item()
        for name, value in truth.items()
        if value.numel() and value.abs().max() > 0
    }
    name = max(errors, key=errors.__getitem__)
    return errors[name], name


def measure(cell: str, shape: Shape, steps: int) -> dict[str, tuple[float, float, str]]:
    """Return forward error, gradient error and the name of its tensor, for each way."""
    sizes = (shape[2], shape[3], layers(shape))
    torch.manual_seed(0)
    x = torch.randn(shape[0], min(shape[1], steps), shape[2])
    weight = torch.randn(*x.shape[:2], shape[3])
    ours = getattr(nn, cell.upper())(*sizes, batch_first=True, path="native")
    ways: dict[str, torch.nn.Module] = {
        "native": ours,
        "reference": getattr(nn, cell.upper())(*sizes, batch_first=True, path="reference"),
        "torch": getattr(torch.nn, cell.upper())(*sizes, batch_first=True),
    }
    exact = getattr(nn, cell.upper())(
        *sizes, batch_first=True, path="reference", dtype=torch.float64
    )
    for layer in (*ways.values(), exact):
        layer.load_state_dict(ours.state_dict())
    truth = compute(exact, x, weight)
    result = {}
    for name, layer in ways.items():
        found = compute(layer, x, weight)
        forward, _ = worst(found.values, truth.values)
        result[name] = (forward, *worst(found.gradients, truth.gradients))
    return result


def run(
    *,
    cells: Iterable[str],
    threads: Iterable[int],
    shapes: Sequence[Shape],
    steps: int = STEPS,
) -> list[Row]:
    """Print one group of rows for each cell and number of threads, and return them."""
    rows: list[Row] = []
    for count, cell in ((n, c) for n in threads for c in cells):
        print(
            f"\n{cell}, {count} thread(s): (B, T, I, H) | forward: native, reference, torch | "
            "gradient: native, reference, torch | worst tensor of native"
        )
        group = []
        for shape in shapes:
            with table.threads(count):
                found = measure(cell, shape, steps)
            text = f"{shape!s:26}"
            for index, kind in enumerate(("forward", "gradient")):
                for way, errors in found.items():
                    note = errors[2] if kind == "gradient" else ""
                    case = f"{cell} {kind}"
                    row = Row("accuracy", case, shape, count, way, float(errors[index]), note=note)
                    group.append(row)
                    text += f" {errors[index]:8.1e}"
                text += "  "
            print(text + found["native"][2], flush=True)
        close(group)
        rows += group
    return rows


def close(rows: Sequence[Row]) -> None:
    """Print the largest errors, and the largest share of ours in the reference path's own."""
    for kind in ("forward", "gradient"):
        largest = {
            way: max(r.value for r in rows if r.peer == way and r.case.endswith(kind))
            for way in ("native", "reference", "torch")
        }
        print(f"{kind}, largest: " + ", ".join(f"{w} {e:.1e}" for w, e in largest.items()))
    print(f"forward, native over reference: at most {against_reference(rows):.2f}x", flush=True)


def against_reference(rows: Sequence[Row]) -> float:
    """Return the largest forward error of ours as a multiple of the reference path's own."""
    own = {
        (r.case, r.shape, r.threads): r.value
        for r in rows
        if r.peer == "reference" and r.case.endswith("forward")
    }
    return max(
        r.value / max(own[r.case, r.shape, r.threads], 1e-12)
        for r in rows
        if r.peer == "native" and r.case.endswith("forward")
    )


def main() -> None:
    """Print the tables."""
    parser = table.parser(__doc__)
    parser.add_argument("--steps", type=int, default=STEPS, help="cut sequences after so many")
    given = parser.parse_args()
    run(
        cells=given.cells,
        threads=given.threads,
        shapes=table.chosen(given),
        steps=given.steps,
    )


if __name__ == "__main__":
    main()
