"""Threads, forks, odd numbers and odd sizes: right, or a clear error; and memory that stays."""

import math
import os
import subprocess
import sys
import threading

import pytest
import torch

from relembra import _native
from relembra.engine import Activation, CellSpec, StackSpec, recurrent


def problem(kind="lstm", rows=24, steps=10, units=120, seed=0):
    spec = StackSpec(cell=CellSpec(kind=kind), input_size=6, hidden_size=units)
    source = torch.Generator().manual_seed(seed)
    parameters = {
        k: (torch.randn(s, generator=source) / 10).requires_grad_()
        for k, s in spec.parameter_shapes().items()
    }
    return spec, parameters, torch.randn(rows, steps, 6, generator=source)


def gradients(spec, parameters, x):
    result = recurrent(x, parameters, spec, path="native")
    return torch.autograd.grad(result.output.square().sum(), list(parameters.values()))


def python(code: str, **environment: str) -> str:
    """Run code in a process of its own and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout.strip()


COUNT_THREADS = "len(os.listdir('/proc/self/task'))"


def test_importing_starts_no_threads():
    code = f"""
import os, torch
before = {COUNT_THREADS}
import relembra.engine, relembra.nn
print({COUNT_THREADS} - before)"""
    assert python(code) == "0"


def test_a_forked_child_trains_and_exits():
    code = """
import os, torch
from relembra import nn
torch.set_num_threads(2)
layer = nn.LSTM(6, 120)
x = torch.ones(10, 24, 6)
def step():
    layer.zero_grad()
    layer(x)[0].sum().backward()
    return layer.weight_hh_l0.grad.clone()
expected = step()
child = os.fork()
if child == 0:
    torch.set_num_threads(1)  # torch's own threads do not survive a fork
    layer(x)
    torch.set_num_threads(2)
    os._exit(0 if torch.equal(layer(x)[0], layer(x)[0]) else 1)
assert os.waitpid(child, 0)[1] == 0
assert torch.equal(step(), expected)
print("fine")"""
    assert python(code) == "fine"


def test_many_callers_at_once():
    """Python threads that train at the same time: no deadlock, and each gets its own bits."""
    problems = [problem(seed=seed) for seed in range(4)]
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    expected = [gradients(*p) for p in problems]
    wrong: list[int] = []

    def work(index: int) -> None:
        torch.set_num_threads(2)
        for _ in range(10):
            found = gradients(*problems[index])
            if not all(map(torch.equal, found, expected[index])):
                wrong.append(index)

    callers = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(timeout=60)
        assert not caller.is_alive()
    torch.set_num_threads(before)
    assert not wrong


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_numbers_that_are_none_stay_in_their_row(kind, value):
    spec, parameters, x = problem(kind, rows=7, units=20)
    clean = recurrent(x, parameters, spec, path="native").output
    x[2, 4, 0] = value
    result = recurrent(x, parameters, spec, path="native").output
    expected = recurrent(x, parameters, spec, path="reference").output
    others = [0, 1, 3, 4, 5, 6]
    assert torch.equal(result[others], clean[others])
    assert torch.equal(result[:, :4], clean[:, :4])
    torch.testing.assert_close(result, expected, equal_nan=True, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "cell",
    [
        {"kind": "rnn", "activation": Activation("elu")},
        {"kind": "lstm", "state_activation": Activation("tanh")},
        {"kind": "lstm", "state_activation": Activation("tanh"), "coupled": True},
        {"kind": "lstm", "state_activation": Activation("tanh"), "projection": 5},
        {"kind": "lstm", "projection": 5},
    ],
    ids=lambda cell: "-".join(cell),
)
def test_a_state_that_is_infinite_stays_so(cell):
    """Without zoneout an infinite state is no part of the next one: 0 * inf would be NaN."""
    spec = StackSpec(
        cell=CellSpec(**{"activation": Activation("relu")} | cell), input_size=3, hidden_size=20
    )
    source = torch.Generator().manual_seed(0)
    parameters = {
        name: torch.rand(shape, generator=source) for name, shape in spec.parameter_shapes().items()
    }
    x = torch.rand(2, 6, 3, generator=source)
    x[1, 2, 0] = math.inf
    found, expected = (
        recurrent(x, parameters, spec, path=path).output for path in ("native", "reference")
    )
    assert not expected.isnan().any()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_denormal_numbers(kind):
    """Inputs, states, sums and gradients too small to be normal keep what digits they have."""
    spec = StackSpec(cell=CellSpec(kind=kind), input_size=6, hidden_size=20, bias=False)
    source = torch.Generator().manual_seed(0)
    parameters = {
        name: torch.randn(shape, generator=source) / 4
        for name, shape in spec.parameter_shapes().items()
    }
    x = torch.randn(3, 9, 6, generator=source) * 1e-40
    found = []
    for path, dtype in (("native", torch.float32), ("reference", torch.float64)):
        leaf = x.to(dtype).requires_grad_()
        weights = {name: p.to(dtype) for name, p in parameters.items()}
        output = recurrent(leaf, weights, spec, path=path).output
        (gradient,) = torch.autograd.grad((output * 1e-40).sum(), leaf)
        assert 1e-42 < output.abs().max() < 1e-38
        found.append((output.detach().double(), gradient.double()))
    for value, expected in zip(*found, strict=True):
        # A few units of the last place that there is, 1.4e-45, from each of the sums.
        torch.testing.assert_close(value, expected, rtol=1e-5, atol=2e-43)


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_a_long_sequence_of_one_unit(kind):
    spec = StackSpec(cell=CellSpec(kind=kind), input_size=1, hidden_size=1, bidirectional=True)
    parameters = {k: torch.full(s, 0.3) for k, s in spec.parameter_shapes().items()}
    x = torch.randn(1, 20_000, 1, generator=torch.Generator().manual_seed(0))
    whole = recurrent(x, parameters, spec, path="native")
    tail = recurrent(x[:, -500:], parameters, spec, path="native")
    torch.testing.assert_close(whole.hidden[0], tail.hidden[0])


def test_memory_stays_flat():
    """Calls of varying shapes; what grows is a leak."""

    def resident() -> int:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def calls(count: int) -> None:
        for i in range(count):
            spec, parameters, x = problem(
                ("lstm", "gru", "rnn")[i % 3], 1 + i % 17, 1 + i % 13, 1 + i % 90, seed=i
            )
            gradients(spec, parameters, x)

    calls(300)
    before = resident()
    calls(900)
    assert resident() - before < 8 << 20


def test_an_unknown_instruction_set_is_named():
    code = """
from relembra import _native
try:
    _native.instruction_set()
except RuntimeError as error:
    print(error)"""
    message = python(code, RELEMBRA_ISA="sse9")
    assert message.startswith("RELEMBRA_ISA is 'sse9', but this processor can run: baseline")


@pytest.mark.parametrize("name", _native.instruction_sets())
def test_each_instruction_set_can_be_forced(name):
    code = "from relembra import _native; print(_native.instruction_set())"
    assert python(code, RELEMBRA_ISA=name) == name


def test_second_derivatives_go_through_the_reference():
    spec, parameters, x = problem(rows=2, steps=3, units=4)
    x = x.double().requires_grad_()
    parameters = {k: p.detach().double().requires_grad_() for k, p in parameters.items()}
    twice = []
    for path in ("native", "reference"):
        result = recurrent(x, parameters, spec, path=path)
        (first,) = torch.autograd.grad(result.output.sin().sum(), x, create_graph=True)
        twice.append(torch.autograd.grad(first.square().sum(), list(parameters.values())))
    for a, b in zip(*twice, strict=True):
        torch.testing.assert_close(a, b)


def test_gradients_twice_over_a_graph_that_is_kept():
    spec, parameters, x = problem()
    output = recurrent(x, parameters, spec, path="native").output.square().sum()
    leaves = list(parameters.values())
    once = torch.autograd.grad(output, leaves, retain_graph=True)
    assert all(map(torch.equal, torch.autograd.grad(output, leaves), once))
