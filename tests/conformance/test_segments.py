"""`reset`: the result equals running the segments apart, in both directions."""

import pytest
import torch
from hypothesis import assume, given, settings
from tests.conformance import cases
from tests.conformance.test_properties import problems

from relembra.engine import PATHS, CellSpec, recurrent

FEW = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def segments_of(reset: list[bool]) -> list[tuple[int, int]]:
    """Bounds of the segments of one row; every True begins one."""
    starts = sorted({0, *(t for t, now in enumerate(reset) if now)})
    return list(zip(starts, [*starts[1:], len(reset)], strict=True))


def run_apart(spec, parameters, x, mask, reset, states, hold):
    """Run the segments of one row (1, T, I) one by one through all layers and directions.

    Forward directions give the initial state to the first segment, unless it begins with a reset;
    reverse directions give it to the last one. Final states are those of the ends of the walks.
    """
    backward = torch.zeros(spec.num_layers * spec.directions, 1, 1, dtype=torch.bool)
    if spec.bidirectional:
        backward[1::2] = True
    bounds = segments_of(reset.tolist())
    outputs, finals = [], []
    for index, (a, b) in enumerate(bounds):
        first, last = index == 0, index == len(bounds) - 1
        given_here = torch.where(backward, last, first and not bool(reset[0]))
        start = {name: torch.where(given_here, value, 0.0) for name, value in states.items()}
        call = {"mask": None if mask is None else mask[:, a:b], "hold_output": hold, **start}
        result = recurrent(x[:, a:b], parameters, spec, path="reference", **call)
        outputs.append(result.output)
        finals.append({"hidden": result.hidden, "cell": result.cell})
    final = {name: torch.where(backward, finals[0][name], finals[-1][name]) for name in states}
    return torch.cat(outputs, 1), final


@pytest.mark.parametrize("path", PATHS)
@FEW
@given(problem=problems(parts=("lengths", "mask", "reset", "hold_output")))
def test_equals_the_segments_apart(path, problem):
    spec, parameters, x, call = problem
    assume("reset" in call)
    states = cases.make_states(spec, x.shape[0])
    result = cases.compute(path, x, parameters, spec, {**call, **states})
    if result is None:
        return
    lengths = call.get("lengths", torch.full((x.shape[0],), x.shape[1]))
    for row, length in enumerate(lengths.tolist()):
        if length == 0:
            assert torch.equal(result.hidden[:, row], states["hidden"][:, row])
            continue
        at = slice(row, row + 1)
        mask = call["mask"][at, :length] if "mask" in call else None
        output, final = run_apart(
            spec, parameters, x[at, :length], mask, call["reset"][row, :length],
            {name: value[:, at] for name, value in states.items()}, call.get("hold_output", False),
        )  # fmt: skip
        cases.close(result.output[at, :length], output, 1e-12)
        cases.close(result.hidden[:, at], final["hidden"], 1e-12)
        if result.cell is not None:
            cases.close(result.cell[:, at], final["cell"], 1e-12)


def accumulator(bidirectional: bool):
    """An RNN that adds up its input: h_t = x_t + h_{t-1}; sums can be told by heart."""
    cell = CellSpec(kind="rnn", activation=cases.Activation("identity"))
    spec = cases.make_spec(
        cell, input_size=1, hidden_size=1, bidirectional=bidirectional, bias=False
    )
    return spec, {name: torch.ones(shape) for name, shape in spec.parameter_shapes().items()}


X = torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0]).reshape(1, 5, 1)


def test_literal_sums_with_resets():
    spec, ones = accumulator(bidirectional=True)
    hidden = torch.tensor([100.0, 1000.0]).reshape(2, 1, 1)
    reset = torch.tensor([[False, False, True, False, True]])
    result = recurrent(X, ones, spec, reset=reset, hidden=hidden)
    assert result.output[0, :, 0].tolist() == [101, 103, 4, 12, 16]
    assert result.output[0, :, 1].tolist() == [3, 2, 12, 8, 1016]
    assert result.hidden.flatten().tolist() == [16, 3]


def test_reset_at_zero_clears_forward_only():
    spec, ones = accumulator(bidirectional=True)
    hidden = torch.tensor([100.0, 1000.0]).reshape(2, 1, 1)
    reset = torch.tensor([[True, False, False, False, False]])
    result = recurrent(X, ones, spec, reset=reset, hidden=hidden)
    assert result.output[0, :, 0].tolist() == [1, 3, 7, 15, 31]
    assert result.output[0, :, 1].tolist() == [1031, 1030, 1028, 1024, 1016]
    assert result.hidden.flatten().tolist() == [31, 1031]


def test_literal_sums_held_as_in_keras():
    """A masked step repeats the last output; before the first real step it is zero."""
    spec, ones = accumulator(bidirectional=False)
    hidden = torch.full((1, 1, 1), 100.0)
    mask = torch.tensor([[False, True, False, True, False]])
    call = {"mask": mask, "hidden": hidden}
    held = recurrent(X, ones, spec, hold_output=True, **call)
    assert held.output.flatten().tolist() == [0, 102, 102, 110, 110]
    assert float(held.hidden) == 110
    zero = recurrent(X, ones, spec, trace=True, **call)
    assert zero.output.flatten().tolist() == [0, 102, 0, 110, 0]
    assert zero.trace.hidden.flatten().tolist() == [100, 102, 102, 110, 110]
    reset = torch.tensor([[False, False, True, False, False]])
    apart = recurrent(X, ones, spec, hold_output=True, reset=reset, **call)
    assert apart.output.flatten().tolist() == [0, 102, 0, 8, 8]


def test_reset_beyond_the_length_means_nothing():
    spec, ones = accumulator(bidirectional=True)
    hidden = torch.tensor([100.0, 1000.0]).reshape(2, 1, 1)
    reset = torch.tensor([[False, False, False, True, True]])
    call = {"lengths": torch.tensor([3]), "hidden": hidden}
    with_reset = recurrent(X, ones, spec, reset=reset, **call)
    assert with_reset.hidden.flatten().tolist() == [107, 1007]
    assert with_reset.output[0, :, 1].tolist() == [1007, 1006, 1004, 0, 0]
