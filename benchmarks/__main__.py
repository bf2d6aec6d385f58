"""`make bench`: every benchmark that needs no data set, and the goals beside what was reached.

    make bench                                         # 15 to 20 minutes on two quiet cores
    python -m benchmarks --quick                       # whether the tables still run
    python -m benchmarks --tables training variants --json rows.json

Each table can be made by itself, with more shapes and more time: its heading says how.
"""

from __future__ import annotations

import argparse
import inspect
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from benchmarks.engine import (
    accuracy,
    goals,
    machine,
    overhead,
    peak_fraction,
    streamed_step,
    training_step,
    variants,
    whole_sequence,
)
from benchmarks.engine.alternating import CLOCKS, measure_by
from benchmarks.engine.shapes import BENCHDNN, ODD, SHAPES
from benchmarks.engine.table import CELLS, Row
from benchmarks.product import facts, resume

ELSEWHERE = """
These need data or more time; each prints a table:
  python -m benchmarks.quality.m4_hourly --data FOLDER/m4 --seeds 0 1 2
  python -m benchmarks.quality.classic_series --data FOLDER
  python -m benchmarks.peers.epochs --data FOLDER --threads 1 2
  python -m benchmarks.product.large_csv
  python -m benchmarks.product.large_text
  python -m benchmarks.product.large_table
  python -m benchmarks.engine.kept_weights
  python -m benchmarks.engine.variants --compiled whole --shapes design
  python -m benchmarks.peers.accelerate --cells
  python -m benchmarks.peers.torch_tests PYTORCH_CHECKOUT
  python examples/recurrent_policy.py
  python -m benchmarks.product.sdist
  python -m benchmarks.robustness.fuzz --minutes 10
  python -m benchmarks.robustness.soak
  python -m benchmarks.robustness.denormals"""
QUICK = tuple(SHAPES[i] for i in (0, 4, 8, 12))


def training(threads: list[int], quick: bool) -> list[Row]:
    """Training step and inference against torch.nn: how many times faster?

    Goals: training LSTM 1.5x, GRU 3x, RNN 2x, none below 1; ragged 10x at H <= 64, 2.5x at 256.
    """
    return training_step.run(
        cells=CELLS,
        modes=training_step.MODES,
        threads=threads,
        shapes=QUICK if quick else SHAPES,
        seconds=0.1 if quick else 0.3,
        least=3,
    )


def other_shapes(threads: list[int], quick: bool) -> list[Row]:
    """Training step against torch.nn on shapes that nothing was tuned to: odd ones, and benchdnn's.

    Goal: none below 1.
    """
    return training_step.run(
        cells=CELLS,
        modes=["train"],
        threads=threads[:1],
        shapes=ODD[::6] if quick else ODD + BENCHDNN,
        seconds=0.1 if quick else 0.2,
        least=3,
    )


def options(threads: list[int], quick: bool) -> list[Row]:
    """Training step of the variants of the cells against torch operations: how many times faster?

    Goals: 8x at H <= 64, 2.5x at H = 256.
    """
    shared = {"threads": threads[:1], "seconds": 0.1 if quick else 0.5, "least": 3}
    if quick:
        return variants.run(shapes=variants.SHAPES[:1], compiled="none", **shared)
    small = variants.run(shapes=variants.SHAPES[:1], compiled="step", **shared)
    return small + variants.run(shapes=variants.SHAPES[1:], compiled="none", **shared)


def sequences(threads: list[int], quick: bool) -> list[Row]:
    """Inference of whole sequences against ONNX Runtime and torch.nn: how many times faster?

    Goal: 1.1x of ONNX Runtime, none below 1.
    """
    return whole_sequence.run(
        cells=CELLS,
        threads=threads,
        shapes=QUICK if quick else SHAPES,
        seconds=0.1 if quick else 0.3,
        least=3,
    )


def steps(threads: list[int], quick: bool) -> list[Row]:
    """One streamed step against torch.nn and ONNX Runtime: how many times faster?

    Goals at (B, I, H) = (1, 40, 128): 10x of torch.nn, 2x of ONNX Runtime.
    """
    shapes = streamed_step.SHAPES[:2] if quick else streamed_step.SHAPES
    return streamed_step.run(cells=CELLS, seconds=0.1 if quick else 1.0, shapes=shapes)


def peak(threads: list[int], quick: bool) -> list[Row]:
    """What part of the machine's own speed in matrix products does a training step reach?

    Goal: 70 % for H >= 128, B >= 16.
    """
    shapes = peak_fraction.concerned(QUICK if quick else SHAPES)
    return peak_fraction.run(
        cells=CELLS, threads=threads, shapes=shapes, seconds=0.2 if quick else 0.5, least=3
    )


def errors(threads: list[int], quick: bool) -> list[Row]:
    """How far are outputs and gradients from float64, beside the reference path and torch?

    Goals: forward 1e-6 and twice the reference path's own; gradients 1e-5.
    """
    shapes = QUICK if quick else SHAPES + ODD
    return accuracy.run(cells=CELLS, threads=threads[:1], shapes=shapes, steps=100)


def smallest(threads: list[int], quick: bool) -> list[Row]:
    """What does a call cost beside the arithmetic, against torch.nn?"""
    return overhead.run(
        cells=CELLS, seconds=0.1 if quick else 0.3, units=overhead.UNITS[:: 3 if quick else 1]
    )


def product(threads: list[int], quick: bool) -> list[Row]:
    """What does the product itself cost, and is a resume exact?"""
    if not quick:  # it builds a wheel
        facts.main()
        resume.main([])
    return []


TABLES: dict[str, tuple[Callable[[list[int], bool], list[Row]], str]] = {
    "training": (training, "training_step"),
    "shapes": (other_shapes, "training_step --modes train --shapes odd    # or benchdnn"),
    "variants": (options, "variants"),
    "sequences": (sequences, "whole_sequence"),
    "steps": (steps, "streamed_step"),
    "peak": (peak, "peak_fraction"),
    "accuracy": (errors, "accuracy"),
    "overhead": (smallest, "overhead"),
    "product": (product, ""),
}


def write(path: Path, found: dict[str, str], rows: list[Row]) -> None:
    """Write the machine's facts and all rows as JSON; what is not known is null."""
    listed = [
        {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in asdict(row).items()}
        for row in rows
    ]
    text = json.dumps({"machine": found, "rows": listed}, indent=1, allow_nan=False)
    path.write_text(text + "\n", "utf-8")


def main(arguments: list[str] | None = None) -> None:
    """Run the tables one after the other."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tables", nargs="+", choices=list(TABLES), default=list(TABLES))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--quick", action="store_true", help="few shapes, little time")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all rows to a file")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="see alternating.py")
    given = parser.parse_args(arguments)
    if given.clock == "processor" and given.threads != [1]:
        parser.error("--clock processor adds up the time of all threads: it needs --threads 1")
    measure_by(given.clock)
    found = machine.show()
    rows: list[Row] = []
    whole = machine.Watch()
    for name in given.tables:
        table, command = TABLES[name]
        print(f"\n{'=' * 100}\n{name}: {inspect.cleandoc(table.__doc__ or '')}")
        if command:
            print(f"    python -m benchmarks.engine.{command}")
        begin, watch = time.perf_counter(), machine.Watch()
        rows += table(given.threads, given.quick)
        print(f"({time.perf_counter() - begin:.0f} s)", watch.busy() or "", flush=True)
        if given.json:  # after each table, so that a run that is stopped leaves what it has
            write(given.json, found | {"cores of other work": f"{whole.cores():.2f}"}, rows)
    print(f"\n{'=' * 100}\nGoals, and what was reached")
    print(whole.busy() or "")
    goals.summary(rows)
    print(ELSEWHERE)


if __name__ == "__main__":
    main()
