"""Is the native core's arithmetic right: against the reference in float64, forward and backward.

What is allowed (section 6 of the design): forward twice the error of the float32 reference, and
1e-6 of the largest output; gradients 1e-5 of the largest entry of each tensor. Where the call
itself magnifies rounding, so that the float32 reference is further away than that, so may we be:
eight times its error.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from benchmarks.robustness.problems import Problem
from relembra.engine import LayerNoise, Request, StackNoise, StackSpec, recurrent
from relembra.engine._operators import run_operator

FORWARD = {torch.float32: 1e-6, torch.float64: 1e-13}
GRADIENT = {torch.float32: 1e-5, torch.float64: 1e-11}
MAGNIFIED = 8.0
Named = dict[str, Tensor]


def run(path: str, spec: StackSpec, call: dict[str, Any], parameters: Named) -> Named:
    """Return the outputs of a path, or of the torch operator ("operator")."""
    if path == "operator":
        request = Request(spec=spec, weights=spec.weights(parameters), **call)
        output, hidden, cell = run_operator(request)
    else:
        given = recurrent(parameters=parameters, spec=spec, path=path, **call)
        output, hidden, cell = given.output, given.hidden, given.cell
    named = {"output": output, "hidden": hidden, "cell": cell}
    return {name: value for name, value in named.items() if value is not None}


def results(problem: Problem, path: str) -> Named:
    """Return the outputs without gradients."""
    with torch.no_grad():
        return run(path, problem.spec, problem.call, problem.parameters)


def trained(problem: Problem, path: str) -> tuple[Named, Named]:
    """Return the outputs of a path and the gradients of all its inputs."""
    call = problem.call | {
        name: problem.call[name].detach().requires_grad_()
        for name in ("x", "hidden", "cell")
        if problem.call.get(name) is not None
    }
    parameters = {k: p.detach().requires_grad_() for k, p in problem.parameters.items()}
    outputs = run(path, problem.spec, call, parameters)
    leaves = {k: v for k, v in call.items() if isinstance(v, Tensor) and v.requires_grad}
    leaves |= parameters
    source = torch.Generator().manual_seed(problem.number)
    # Drawn in float64, so that every type has the same loss.
    weights = [
        torch.randn(v.shape, dtype=torch.float64, generator=source) for v in outputs.values()
    ]
    # Where no step is taken the reference's outputs may depend on nothing: gradients of zero.
    ends = [
        (v, w.to(v.dtype))
        for v, w in zip(outputs.values(), weights, strict=True)
        if v.requires_grad
    ]
    gradients = torch.autograd.grad(
        [v for v, _ in ends] or [next(iter(leaves.values())).sum()],
        list(leaves.values()),
        [w for _, w in ends] or [torch.zeros((), dtype=problem.x.dtype)],
        allow_unused=True,
        materialize_grads=True,
    )
    detached = {name: value.detach() for name, value in outputs.items()}
    return detached, dict(zip(leaves, gradients, strict=True))


def converted(problem: Problem, dtype: torch.dtype) -> Problem:
    """Return the same values in another type."""

    def moved(value: Any) -> Any:
        return value.to(dtype) if isinstance(value, Tensor) and value.is_floating_point() else value

    noise = problem.call.get("noise")
    if noise is not None:
        layers = tuple(LayerNoise(*map(moved, layer)) for layer in noise.layers)
        noise = StackNoise(layers, tuple(map(moved, noise.between)))
    call = {name: moved(value) for name, value in problem.call.items()}
    return replace(
        problem,
        call=call | {"noise": noise},
        parameters={name: moved(value) for name, value in problem.parameters.items()},
    )


def distance(found: Tensor, exact: Tensor, where: Tensor) -> float:
    """Return the largest difference over the places named."""
    gap = (found.double() - exact).abs()[where]
    return float(gap.max()) if gap.numel() else 0.0


def compare(
    kind: str, found: Named, peer: Named, exact: Named, share: float, factor: float
) -> list[str]:
    """Return what is further from the truth than allowed; `peer` is the reference's own float32."""
    wrong = []
    for name, value in found.items():
        truth, other = exact[name], peer[name]
        finite = truth.isfinite() & other.isfinite()
        if (truth.isnan() & other.isnan() & ~value.isnan()).any():
            wrong.append(f"{kind} {name}: a number where there is none")
        if not value[finite].isfinite().all():
            wrong.append(f"{kind} {name}: none where there is a number")
            continue
        size = float(truth[finite].abs().max()) if finite.any() else 0.0
        allowed = max(share * size, factor * distance(other, truth, finite))
        tiny = float(torch.finfo(value.dtype).tiny)
        error = distance(value, truth, finite)
        if error > allowed + 64 * tiny:
            wrong.append(f"{kind} {name}: error {error:.2g} of {size:.2g}, allowed {allowed:.2g}")
    return wrong


def check_numbers(problem: Problem) -> list[str]:
    """Return what is wrong with outputs and gradients."""
    dtype = problem.x.dtype
    outputs, gradients = trained(problem, "native")
    exact_outputs, exact_gradients = trained(converted(problem, torch.float64), "reference")
    single = problem if dtype == torch.float32 else converted(problem, torch.float32)
    peer_outputs, peer_gradients = trained(single, "reference")
    # There is nothing more exact than the float64 reference: its error is that of float32, scaled.
    scale = 1.0 if dtype == torch.float32 else 2.0**-29 * 16
    wrong = compare("forward", outputs, peer_outputs, exact_outputs, FORWARD[dtype], 2.0 * scale)
    if problem.odd_rows:
        return wrong  # sums over all rows are none
    return wrong + compare(
        "gradient", gradients, peer_gradients, exact_gradients, GRADIENT[dtype], MAGNIFIED * scale
    )
