"""Thousands of calls of varying shapes: does memory stay flat?

    python -m benchmarks.robustness.soak --calls 10000

Inference, training, streams, packed sequences and linear maps by turns, with fresh layers. Resident
memory is read every hundred calls. The first third is for warming up (the core keeps blocks for
later calls, and so does torch); then the slope of a straight line through the readings, and the
growth from the median of the next third to that of the last, say whether it is flat. Ends with 1
where it is not.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections.abc import Callable

import torch
from torch.nn.utils.rnn import pack_padded_sequence

from benchmarks.robustness.exactness import request_of
from benchmarks.robustness.numbers import results, trained
from benchmarks.robustness.problems import Problem, problem
from relembra import nn
from relembra.engine import choose, linear, start_stream

ALLOWED = 4 << 20  # bytes from the middle third to the last


def infer(given: Problem) -> None:
    """Twice, so that packed weights are found again."""
    results(given, "native")
    results(given, "native")


def train(given: Problem) -> None:
    """Forward and backward."""
    trained(given, "native")


def stream(given: Problem) -> None:
    """Some steps."""
    request = request_of(given)
    if given.spec.bidirectional or not given.x.shape[1]:
        return
    state = start_stream(request, choose(request))
    for t in range(given.x.shape[1]):
        state.step(given.x[:, t])


def packed(given: Problem) -> None:
    """A PackedSequence through a layer of torch.nn's interface."""
    kind = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[given.spec.cell.kind]
    rows, steps, inputs = given.x.shape
    if not rows or not steps:
        return
    layer = kind(inputs, given.spec.hidden_size, batch_first=True)
    lengths = torch.randint(1, steps + 1, (rows,))
    sequence = pack_padded_sequence(given.x.float(), lengths, True, enforce_sorted=False)
    layer(sequence)[0].data.sum().backward()


def head(given: Problem) -> None:
    """A linear map."""
    weight = next(iter(given.parameters.values()))
    with torch.no_grad():
        linear(given.x, weight)


# A new kind of call is a line here.
WAYS: tuple[Callable[[Problem], None], ...] = (infer, train, stream, packed, head, train)


def resident() -> int:
    """Return the bytes of memory that this process holds."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def slope(readings: list[int], every: int) -> float:
    """Return the bytes that each call adds: least squares over the readings."""
    times = [i * every for i in range(len(readings))]
    return statistics.linear_regression(times, readings).slope


def soak(calls: int, every: int) -> list[int]:
    """Make the calls; return the readings."""
    readings, made, number = [], 0, 0
    while made < calls:
        number += 1
        given = problem(number, values="usual")
        if choose(request_of(given)).path != "native":
            continue
        torch.set_num_threads(given.threads)
        WAYS[made % len(WAYS)](given)
        made += 1
        if made % every == 0:
            readings.append(resident())
            if made % (10 * every) == 0:
                print(f"{made:6} calls: {readings[-1] / 1e6:.1f} MB", flush=True)
    return readings


def main() -> int:
    """Return 1 where memory grows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--every", type=int, default=100, help="calls between two readings")
    given = parser.parse_args()
    torch.manual_seed(0)
    readings = soak(given.calls, given.every)
    third = len(readings) // 3
    warm = readings[third:]
    growth = statistics.median(warm[-third:]) - statistics.median(warm[:third])
    print(
        f"{given.calls} calls: after warm-up {slope(warm, given.every):+.1f} bytes a call, "
        f"from the middle third to the last {growth / 1e6:+.2f} MB, "
        f"most {max(readings) / 1e6:.1f} MB"
    )
    return int(growth > ALLOWED)


if __name__ == "__main__":
    sys.exit(main())
