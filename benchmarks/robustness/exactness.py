"""Does a row have the same bits in any company, layout and number of threads, and step by step."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor

from benchmarks.robustness.numbers import Named, results, trained
from benchmarks.robustness.problems import Problem, laid_out, of_rows
from relembra.engine import Request, choose, linear, start_stream
from relembra.engine._form import is_plain


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Compute with so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    yield
    torch.set_num_threads(before)


def equal(a: Tensor, b: Tensor) -> bool:
    """Whether the values are the same, NaN being itself."""
    return a.shape == b.shape and bool(((a == b) | (a.isnan() & b.isnan())).all())


def differing(found: Named, expected: Named) -> list[str]:
    """Return the names of what differs."""
    return [name for name in expected if not equal(found[name], expected[name])]


def row_of(named: Named, rows: Tensor) -> Named:
    """Return the part of some rows."""
    return {name: v[rows] if name == "output" else v[:, rows] for name, v in named.items()}


def alone(problem: Problem, whole: Named) -> list[str]:
    """Some rows without the others."""
    count = problem.x.shape[0]
    if not count:
        return []
    source = random.Random(problem.number)
    taken = source.choice((1, source.randint(1, count)))
    rows = torch.tensor(source.sample(range(count), taken))
    part = replace(problem, call=of_rows(problem.call, rows))
    return differing(results(part, "native"), row_of(whole, rows))


def other_threads(problem: Problem, whole: Named) -> list[str]:
    """Another number of threads."""
    with threads(3):
        return differing(results(problem, "native"), whole)


def other_layout(problem: Problem, whole: Named) -> list[str]:
    """The input otherwise in memory."""
    plain = problem.with_x(laid_out(problem.x, "rows first"))
    return differing(results(plain, "native"), whole)


def in_training(problem: Problem, whole: Named) -> list[str]:
    """The outputs when gradients are recorded, and the gradients a second time."""
    outputs, gradients = trained(problem, "native")
    again = trained(problem, "native")[1]
    return differing(outputs, whole) + [f"gradient of {n}" for n in differing(again, gradients)]


def steps_not_taken(problem: Problem, whole: Named) -> list[str]:
    """NaN in steps that are masked or beyond the length: in no output and in no gradient."""
    lengths, mask = problem.call.get("lengths"), problem.call.get("mask")
    rows, steps, _ = problem.x.shape
    taken = torch.ones(rows, steps, dtype=torch.bool) if mask is None else mask
    if lengths is not None:
        taken = taken & (torch.arange(steps) < lengths[:, None])
    if taken.all():
        return []
    spoilt = problem.with_x(problem.x.masked_fill(~taken[..., None], float("nan")))
    clean = trained(problem, "native")[1]
    found = trained(spoilt, "native")[1]
    wrong = differing(results(spoilt, "native"), whole)
    return wrong + [f"gradient of {name}" for name in differing(found, clean)]


def neighbours_of_odd_rows(problem: Problem, whole: Named) -> list[str]:
    """Rows of numbers beside rows that hold infinities or NaN."""
    if not problem.odd_rows:
        return []
    x = problem.x.clone()
    x[list(problem.odd_rows)] = 0.5
    clean = problem.with_x(x)
    others = torch.tensor([r for r in range(len(x)) if r not in problem.odd_rows], dtype=torch.long)
    wrong = differing(row_of(results(clean, "native"), others), row_of(whole, others))
    spoilt, kept = trained(problem, "native")[1]["x"], trained(clean, "native")[1]["x"]
    return wrong + (["gradient of x"] if not equal(spoilt[others], kept[others]) else [])


def request_of(problem: Problem) -> Request:
    """Return the call as the engine sees it."""
    weights = problem.spec.weights(problem.parameters)
    return Request(spec=problem.spec, weights=weights, **problem.call)


def streamed(problem: Problem, whole: Named) -> list[str]:
    """One step after the other."""
    call, steps = problem.call, problem.x.shape[1]
    apart = any(call.get(name) is not None for name in ("lengths", "mask", "reset", "noise"))
    if apart or problem.spec.bidirectional or not steps:
        return []
    request = request_of(problem)
    state = start_stream(request, choose(request))
    output = torch.stack([state.step(problem.x[:, t]) for t in range(steps)], 1)
    return differing({"output": output} | state.tensors(), whole)


def as_operator(problem: Problem, whole: Named) -> list[str]:
    """The torch operator, which keeps its tape in a tensor; it knows cells without options."""
    noise = problem.call.get("noise")
    masked = noise and any(m is not None for n in noise.layers for m in (*n[:2], *n[3:]))
    if masked or problem.call.get("hold_output") or not is_plain(problem.spec.cell):
        return []
    outputs, gradients = trained(problem, "operator")
    direct = trained(problem, "native")[1]
    return differing(outputs, whole) + [f"gradient of {n}" for n in differing(gradients, direct)]


CHECKS: dict[str, Callable[[Problem, Named], list[str]]] = {
    "rows without the others": alone,
    "threads": other_threads,
    "layout of x": other_layout,
    "training": in_training,
    "steps not taken": steps_not_taken,
    "beside rows of none": neighbours_of_odd_rows,
    "step by step": streamed,
    "operator": as_operator,
}
"""A new property is a function here: it gets a problem and what the native path gave for it."""


def check_exactness(problem: Problem) -> list[str]:
    """Return the properties that do not hold."""
    whole = results(problem, "native")
    return [
        f"{name}: other bits in {', '.join(wrong)}"
        for name, check in CHECKS.items()
        if (wrong := check(problem, whole))
    ]


def check_linear(number: int) -> list[str]:
    """The linear map for heads: right, and the same bits for rows in any company."""
    draw, source = random.Random(number), torch.Generator().manual_seed(number)
    rows, inputs, outputs = draw.randint(0, 70), draw.randint(1, 90), draw.randint(1, 150)
    dtype = draw.choice((torch.float32, torch.float64))
    x = torch.randn(rows, inputs, dtype=dtype, generator=source)
    weight = torch.randn(outputs, inputs, dtype=dtype, generator=source)
    bias = torch.randn(outputs, dtype=dtype, generator=source) if draw.random() < 0.7 else None
    found = linear(x, weight, bias)
    exact = x.double() @ weight.double().T + (0 if bias is None else bias.double())
    room = 4 * inputs * torch.finfo(dtype).eps * (x.double().abs() @ weight.double().abs().T + 1)
    wrong = [] if ((found.double() - exact).abs() <= room).all() else ["linear: wrong"]
    for row in range(0, rows, 7):
        if not equal(linear(x[row : row + 1], weight, bias), found[row : row + 1]):
            wrong.append(f"linear: row {row} alone has other bits")
    return wrong
