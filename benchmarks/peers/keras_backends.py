"""Keras' training and prediction steps on its backends and with `relembra.keras`, in turn.

Each backend lives in a process of its own; blocks of steps alternate, so that noise hits all alike.
TensorFlow and JAX need environments of their own, with Keras of the same version:

    python -m venv build/tf  && build/tf/bin/pip install tensorflow-cpu keras==3.15.1
    python -m venv build/jax && build/jax/bin/pip install jax keras==3.15.1
    python -m benchmarks.peers.keras_backends --tensorflow build/tf/bin/python \\
        --jax build/jax/bin/python --threads 2

It prints milliseconds and the ratios of the peers' to ours, their geometric means for LSTM and GRU
at H 50…256, and by how much the losses of 200 steps with and without us differ.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

CASES = {
    "first program": ("LSTM", 50, {"activation": "relu"}),
    "LSTM 50": ("LSTM", 50, {}),
    "LSTM 128": ("LSTM", 128, {}),
    "LSTM 256": ("LSTM", 256, {}),
    "GRU 50": ("GRU", 50, {}),
    "GRU 128": ("GRU", 128, {}),
    "GRU 256": ("GRU", 256, {}),
}
WHAT = ("fit", "train_on_batch", "predict")
WORKER = Path(__file__).with_name("_keras_worker.py")
OURS = "relembra"


class Worker:
    """A process with one backend, which answers one JSON line with another."""

    def __init__(self, name: str, python: str, threads: int) -> None:
        backend = "torch" if name == OURS else name
        environment = {
            **os.environ,
            "KERAS_BACKEND": backend,
            "OMP_NUM_THREADS": str(threads),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "TF_NUM_INTRAOP_THREADS": str(threads),
            "TF_NUM_INTEROP_THREADS": "1",
        }
        command = [python, "-W", "ignore", str(WORKER), str(threads), str(int(name == OURS))]
        if threads == 1:  # JAX has no other way to say it
            command = ["taskset", "-c", "0", *command]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, text=True, env=environment
        )

    def ask(self, **question: Any) -> Any:
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)["answer"]
        raise RuntimeError(f"{self.process.args} ended with {self.process.wait()}")

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def measure(workers: dict[str, Worker], case: str, do: str, given: argparse.Namespace) -> dict:
    """Return the median over the blocks of milliseconds a step, by backend."""
    layer, units, options = CASES[case]
    for worker in workers.values():
        worker.ask(do="make", layer=layer, units=units, options=options, batch=given.batch)
    times: dict[str, list[float]] = {name: [] for name in workers}
    for _ in range(given.blocks):
        for name, worker in workers.items():
            times[name].append(worker.ask(do=do, seconds=0.5, clock=given.clock))
    return {name: 1000 * statistics.median(found) for name, found in times.items()}


def curves(workers: dict[str, Worker]) -> float:
    """Return the largest difference of the losses of 200 steps, with and without us."""
    layer, units, options = CASES["LSTM 50"]  # with relu, training may diverge
    found = []
    for name in ("torch", OURS):
        workers[name].ask(do="make", layer=layer, units=units, options=options, batch=32)
        found.append(workers[name].ask(do="losses", steps=200))
    return max(abs(a - b) for a, b in zip(*found, strict=True))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--tensorflow", metavar="PYTHON")
    parser.add_argument("--jax", metavar="PYTHON")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--clock", choices=("wall", "cpu"), default="wall", help="cpu: on a busy machine, threads=1"
    )
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--what", nargs="*", choices=WHAT, default=list(WHAT))
    parser.add_argument("--cases", nargs="*", choices=CASES, default=list(CASES))
    given = parser.parse_args()
    pythons = {OURS: sys.executable, "torch": sys.executable}
    pythons |= {n: p for n in ("tensorflow", "jax") if (p := getattr(given, n))}
    workers = {name: Worker(name, python, given.threads) for name, python in pythons.items()}
    peers = [name for name in workers if name != OURS]
    gathered: dict[str, dict[str, list[float]]] = {}
    print(f"B={given.batch}, T=100, I=1, threads={given.threads}, {given.clock} time")
    print("milliseconds a step, and how many times ours")
    for do in given.what:
        for case in given.cases:
            found = measure(workers, case, do, given)
            ratios = {name: found[name] / found[OURS] for name in peers}
            cells = [f"{n} {found[n]:8.2f} ({ratios[n]:5.2f}x)" for n in peers]
            print(f"{do:15} {case:14} ours {found[OURS]:7.2f}   {'   '.join(cells)}", flush=True)
            if case != "first program":
                for name, ratio in ratios.items():
                    gathered.setdefault(do, {}).setdefault(name, []).append(ratio)
    for do, by_peer in gathered.items():
        means = {n: math.exp(statistics.fmean(map(math.log, r))) for n, r in by_peer.items()}
        print(f"{do:15} geometric mean " + "   ".join(f"{n} {m:.2f}x" for n, m in means.items()))
    print(f"losses of 200 steps with and without us differ by at most {curves(workers):.1e}")
    for worker in workers.values():
        worker.close()


if __name__ == "__main__":
    main()
