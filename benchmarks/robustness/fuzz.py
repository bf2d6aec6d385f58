"""Random calls of the native core until the time is up: right numbers, same bits, no crash.

    python -m benchmarks.robustness.fuzz --minutes 10 --seed 1
    python -m benchmarks.robustness.fuzz --minutes 10 --isa baseline avx2 avx512   # each in turn
    python -m benchmarks.robustness.fuzz --case 123456                             # one case again

Prints every finding with the line that repeats it, and how many cases there were. Ends with 1 where
there was a finding.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import subprocess
import sys
import time
import traceback
from collections import Counter

import torch

from benchmarks.robustness.exactness import check_exactness, check_linear, request_of, threads
from benchmarks.robustness.numbers import check_numbers
from benchmarks.robustness.problems import problem
from relembra import _native
from relembra.engine import choose

ENOUGH = 20  # findings, after which the run ends


def check(number: int, seen: Counter[str]) -> list[str]:
    """Check one case; return what is wrong with it."""
    if number % 10 == 0:
        seen["linear map"] += 1
        return check_linear(number)
    given = problem(number)
    cell = given.spec.cell
    if choose(request_of(given)).path != "native":
        seen["refused by the native path"] += 1
        return []
    seen[f"{cell.kind}, {str(given.x.dtype).removeprefix('torch.')}"] += 1
    seen[f"{given.values} values"] += 1
    with threads(given.threads):
        return check_exactness(given) + check_numbers(given)


def told(number: int, wrong: list[str]) -> str:
    """Return a finding as text."""
    repeat = f"python -m benchmarks.robustness.fuzz --case {number}"
    isa = f"RELEMBRA_ISA={_native.instruction_set()} "
    about = problem(number).described() if number % 10 else "linear map"
    return "\n".join([f"FINDING {about}", *(f"  {line}" for line in wrong), f"  {isa}{repeat}"])


def checked(number: int, seen: Counter[str]) -> list[str]:
    """Check one case; an exception is a finding."""
    try:
        return check(number, seen)
    except Exception:
        return traceback.format_exc().splitlines()[-8:]


def run(minutes: float, seed: int) -> int:
    """Go through cases until the time is up; return how many had findings."""
    seen: Counter[str] = Counter()
    begin, count, finds = time.monotonic(), 0, 0
    number = seed * 1_000_000_007 % 2**40
    while time.monotonic() - begin < 60 * minutes and finds < ENOUGH:
        if wrong := checked(number, seen):
            finds += 1
            print(told(number, wrong), flush=True)
        number, count = number + 1, count + 1
    what = ", ".join(f"{name}: {n}" for name, n in sorted(seen.items()))
    passed = (time.monotonic() - begin) / 60
    print(f"{_native.instruction_set()}: {count} cases in {passed:.1f} minutes, {finds} findings")
    print(f"  ({what})", flush=True)
    return finds


def in_turn(sets: list[str], minutes: float, seed: int) -> int:
    """Share the time among instruction sets, each in a process of its own."""
    failed = 0
    for name in sets:
        command = [sys.executable, "-m", "benchmarks.robustness.fuzz", "--seed", str(seed)]
        command += ["--minutes", str(minutes / len(sets))]
        environment = {**os.environ, "RELEMBRA_ISA": name}
        failed += subprocess.run(command, env=environment, check=False).returncode != 0
    return failed


def main() -> int:
    """Return 1 where there was a finding."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--isa", nargs="+", default=[], choices=_native.instruction_sets())
    parser.add_argument("--case", type=int, help="check this one alone")
    given = parser.parse_args()
    faulthandler.enable()
    torch.set_num_threads(1)
    if given.case is not None:
        wrong = checked(given.case, Counter())
        print(told(given.case, wrong) if wrong else "no finding")
        return bool(wrong)
    if given.isa:
        return bool(in_turn(given.isa, given.minutes, given.seed))
    return bool(run(given.minutes, given.seed))


if __name__ == "__main__":
    sys.exit(main())
