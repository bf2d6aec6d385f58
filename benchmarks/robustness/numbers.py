"""Is the native core's arithmetic right: against the reference in float64, forward and backward.

What is allowed (section 6 of the design): forward 1e-6 of the largest output and twice the error of
the reference in the call's own type; gradients 1e-5 of the largest entry of each tensor. Where the
call itself magnifies rounding, so that the reference is further away than that, so may we be. One
error of the reference is a matter of luck in a tensor of few numbers, and where the truth cancels
(behind the norm of a single unit, on the flat part of tanh) the float64 reference has rounding of
its own. So the reference's error is the largest of several runs with inputs and operations rounded
at random. At the kink of an activation that is the jump.

Where the truth leaves the range of numbers along the way, its value is none to be right about:
which sums are infinite or NaN hangs on their order. The bits are compared all the same (exactness).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from benchmarks.robustness.arithmetic import Largest, RandomRounding, rounded
from benchmarks.robustness.problems import Problem
from relembra.engine import LayerNoise, Request, StackNoise, StackSpec, recurrent
from relembra.engine._operators import run_operator

FORWARD = {torch.float32: 1e-6, torch.float64: 1e-13}
GRADIENT = {torch.float32: 1e-5, torch.float64: 1e-11}
MAGNIFIED = {"forward": 2.0, "gradient": 8.0}  # times the reference's own error
RUNS = 32  # of the reference with random rounding, where one is not enough
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


def changed(problem: Problem, change: Callable[[Tensor], Tensor], noise: bool = True) -> Problem:
    """Return the problem with its floating-point numbers changed; on request not the masks'."""

    def moved(value: Any) -> Any:
        return change(value) if isinstance(value, Tensor) and value.is_floating_point() else value

    call = {name: moved(value) for name, value in problem.call.items()}
    masks = problem.call.get("noise")
    if masks is not None and noise:
        layers = tuple(LayerNoise(*map(moved, layer)) for layer in masks.layers)
        call["noise"] = StackNoise(layers, tuple(map(moved, masks.between)))
    parameters = {name: moved(value) for name, value in problem.parameters.items()}
    return replace(problem, call=call, parameters=parameters)


def converted(problem: Problem, dtype: torch.dtype) -> Problem:
    """Return the same values in another type."""
    return changed(problem, lambda value: value.to(dtype))


def with_random_rounding(problem: Problem, number: int) -> tuple[Named, Named]:
    """Return what the reference gives where inputs and operations are rounded at random."""
    source = torch.Generator().manual_seed(number)
    moved = changed(problem, lambda value: rounded(value, source), noise=False)
    with RandomRounding(number):
        return trained(moved, "reference")


def beyond_range(problem: Problem) -> list[str]:
    """Return of what no number is right: "forward" and "gradient", "gradient", or nothing.

    The square root of the largest number is the limit: two numbers beyond it have no product, and
    the order of three factors decides which two meet first.
    """
    limit = torch.finfo(problem.x.dtype).max ** 0.5
    exact = converted(problem, torch.float64)
    with Largest() as forward:
        results(exact, "reference")
    if forward.value > limit:
        return ["forward", "gradient"]
    with Largest() as both:
        trained(exact, "reference")
    return ["gradient"] if both.value > limit else []


def distance(found: Tensor, exact: Tensor, where: Tensor) -> float:
    """Return the largest difference over the places named."""
    gap = (found.double() - exact).abs()[where]
    return float(gap.max()) if gap.numel() else 0.0


def compare(kind: str, found: Named, exact: Named, peers: list[Named], share: float) -> list[str]:
    """Return what is further from the truth than allowed; `peers` are the reference's errors."""
    wrong = []
    for name, value in found.items():
        truth, others = exact[name], [peer[name] for peer in peers]
        finite, none, endless = truth.isfinite(), truth.isnan(), truth.isinf()
        for other in others:
            finite, none = finite & other.isfinite(), none & other.isnan()
            endless = endless & (other == truth)
        if (value != truth)[endless].any():
            wrong.append(f"{kind} {name}: not infinite where it should be")
        if (none & ~value.isnan()).any():
            wrong.append(f"{kind} {name}: a number where there is none")
        if not value[finite].isfinite().all():
            wrong.append(f"{kind} {name}: none where there is a number")
            continue
        size = float(truth[finite].abs().max()) if finite.any() else 0.0
        own = max((distance(other, truth, finite) for other in others), default=0.0)
        allowed = max(share * size, MAGNIFIED[kind] * own)
        tiny = float(torch.finfo(value.dtype).tiny)
        error = distance(value, truth, finite)
        if error > allowed + 64 * tiny:
            wrong.append(f"{kind} {name}: error {error:.2g} of {size:.2g}, allowed {allowed:.2g}")
    return wrong


def check_numbers(problem: Problem) -> list[str]:
    """Return what is wrong with outputs and gradients."""
    found = trained(problem, "native")
    exact = trained(converted(problem, torch.float64), "reference")
    in_double = problem.x.dtype == torch.float64
    peers = [exact if in_double else trained(problem, "reference")]

    def wrong() -> list[str]:
        forward, gradient = ([peer[i] for peer in peers] for i in (0, 1))
        told = compare("forward", found[0], exact[0], forward, FORWARD[problem.x.dtype])
        if problem.odd_rows:
            return told  # sums over all rows are none
        share = GRADIENT[problem.x.dtype]
        return told + compare("gradient", found[1], exact[1], gradient, share)

    if wrong():  # what the reference's error is like is seen in more calls than one
        peers += [with_random_rounding(problem, k) for k in range(RUNS)]
    if not (told := wrong()):
        return []
    without = beyond_range(problem)
    return [line for line in told if line.split()[0] not in without]
