"""Forks, worker processes, callers with threads of their own, and Ctrl-C."""

import signal
import subprocess
import sys
import threading

import pytest
import torch

from relembra.engine import CellSpec, StackSpec, recurrent

IN_WORKERS = """
import sys, warnings
import torch
from torch.utils.data import DataLoader, Dataset
from relembra import nn

def trained(seed):
    torch.manual_seed(seed)
    layer, x = nn.LSTM(6, 40), torch.randn(7, 20, 6)
    layer(x)[0].square().sum().backward()
    return layer.weight_hh_l0.grad

class Gradients(Dataset):
    def __len__(self):
        return 4
    def __getitem__(self, index):
        return trained(index)

if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 on forks beside threads
    torch.set_num_threads(1)
    expected = torch.stack([trained(i) for i in range(4)])
    torch.set_num_threads(2)
    with torch.no_grad():
        nn.LSTM(6, 200)(torch.randn(7, 20, 6))  # the pool is alive
    torch.set_num_threads(1)
    loader = DataLoader(Gradients(), 4, num_workers=1, multiprocessing_context=sys.argv[1])
    assert torch.equal(next(iter(loader)), expected)
    print("fine")
"""

FORK_WHILE_BUSY = """
import os, threading, warnings, torch
from relembra import nn
warnings.simplefilter("ignore", DeprecationWarning)
torch.set_num_threads(1)
layer, x = nn.GRU(1, 1), torch.randn(1, 1, 1)
stop = False
def call():
    with torch.no_grad():
        return layer(x)[0]
def work():
    while not stop:
        call()
expected = call()
callers = [threading.Thread(target=work) for _ in range(3)]
for caller in callers:
    caller.start()
codes = set()
for _ in range(20):
    child = os.fork()
    if child == 0:
        os._exit(0 if torch.equal(call(), expected) else 1)
    codes.add(os.waitpid(child, 0)[1])
stop = True
print(codes)
"""

INTERRUPTED = """
import torch
from relembra import nn
torch.set_num_threads(2)
layer, x = nn.LSTM(8, 150), torch.randn(3000, 8, 8)
def call():
    with torch.no_grad():
        return layer(x)[0]
expected = call()
try:
    print("ready", flush=True)
    while True:
        call()
except KeyboardInterrupt:
    print("interrupted", torch.equal(call(), expected))
"""


def python(*arguments: str) -> str:
    """Run Python in a process of its own and return what it prints."""
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_a_loader_train_and_exit(method, tmp_path):
    script = tmp_path / "workers.py"
    script.write_text(IN_WORKERS)
    assert python(str(script), method) == "fine"


def test_a_fork_while_other_threads_compute():
    """The child must not find a lock taken by a thread that it does not have."""
    assert python("-c", FORK_WHILE_BUSY) == "{0}"


def test_interrupting_a_call():
    """Ctrl-C takes effect when the call returns, and the pool goes on to work."""
    child = subprocess.Popen([sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGINT)
    assert child.communicate(timeout=120)[0] == "interrupted True\n"
    assert child.returncode == 0


def problem(rows: int = 24, units: int = 130, steps: int = 15):
    spec = StackSpec(cell=CellSpec(kind="lstm"), input_size=6, hidden_size=units, bias=False)
    source = torch.Generator().manual_seed(0)
    parameters = {
        name: torch.randn(shape, generator=source) / 12
        for name, shape in spec.parameter_shapes().items()
    }
    return spec, parameters, torch.randn(rows, steps, 6, generator=source)


def test_callers_with_different_numbers_of_threads():
    """One row, whose units are parted, and many: each caller gets the same bits."""
    problems = [problem(1, 260), problem()]
    expected = [recurrent(x, w, spec, path="native").output for spec, w, x in problems]
    wrong: list[int] = []

    def work(count: int) -> None:
        torch.set_num_threads(count)
        for turn in range(20):
            spec, parameters, x = problems[turn % 2]
            found = recurrent(x, parameters, spec, path="native").output
            if not torch.equal(found, expected[turn % 2]):
                wrong.append(count)

    before = torch.get_num_threads()
    callers = [threading.Thread(target=work, args=(count,)) for count in (1, 2, 3, 4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(timeout=60)
        assert not caller.is_alive()
    torch.set_num_threads(before)
    assert not wrong


def test_workers_take_over_how_the_caller_computes():
    """torch.set_flush_denormal holds for a thread; the workers must do as their caller does."""
    spec, parameters, x = problem(steps=150)
    x = x * 1e-38
    before = torch.get_num_threads()

    def outputs(flush: bool, count: int, times: int) -> list[torch.Tensor]:
        torch.set_num_threads(count)
        assert torch.set_flush_denormal(flush)
        return [recurrent(x, parameters, spec, path="native").output for _ in range(times)]

    try:
        kept = outputs(False, 2, 1)[0]  # with which the workers begin
        flushed = outputs(True, 1, 1)[0]
        both = outputs(True, 2, 20)
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(before)
    assert not torch.equal(kept, flushed)
    assert all(torch.equal(output, flushed) for output in both)
