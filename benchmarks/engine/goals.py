"""What the engine aims at, and what the rows of a run say of it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.engine.accuracy import against_reference
from benchmarks.engine.shapes import SHAPES
from benchmarks.engine.table import CELLS, Row, mean

NOISE = 0.97  # "never below 1.0" allows for this much of it
HARD = ("lstm relu", "lstm layer norm", "lstm recurrent dropout", "lstm peepholes")


@dataclass(frozen=True)
class Goal:
    """An aim, the rows that it speaks of, and the least mean and the least single value of them.

    Without a least single value of its own, each row should reach the mean's.
    """

    what: str
    table: str
    cases: tuple[str, ...]
    peer: str
    where: Callable[[Row], bool]
    mean: float
    worst: float | None = None

    @property
    def aim(self) -> str:
        """The aim in words."""
        if self.worst is None:
            return f">= {self.mean:g}"
        return f">= {self.mean:g} on average, never below {self.worst:g}"

    def rows(self, rows: Sequence[Row]) -> list[Row]:
        """Return the rows that the goal speaks of."""
        return [
            row
            for row in rows
            if row.table == self.table
            and row.case in self.cases
            and row.peer == self.peer
            and self.where(row)
            and not math.isnan(row.value)
        ]

    def verdict(self, average: float, least: float) -> str:
        """Say whether the goal is reached."""
        if average < self.mean:
            return "missed"
        if least < (self.mean if self.worst is None else self.worst * NOISE):
            return "on average"
        return "reached"


def designed(row: Row) -> bool:
    """Whether a row is of the shapes that the goals are set for."""
    return row.shape in SHAPES


def small(row: Row) -> bool:
    return row.units <= 64 and row.shape[0] > 1


def large(row: Row) -> bool:
    return row.units == 256 and row.shape[0] > 1


def _every(kind: str) -> tuple[str, ...]:
    return tuple(f"{cell} {kind}" for cell in CELLS)


GOALS = (
    Goal("training step, LSTM", "torch.nn", ("lstm train",), "torch", designed, 1.5, 1.0),
    Goal("training step, GRU", "torch.nn", ("gru train",), "torch", designed, 3.0, 1.0),
    Goal("training step, RNN", "torch.nn", ("rnn train",), "torch", designed, 2.0, 1.0),
    Goal(
        "training step, any other shape",
        "torch.nn",
        _every("train"),
        "torch",
        lambda row: not designed(row),
        1.0,
        1.0,
    ),
    Goal("ragged, H <= 64, B > 1", "torch.nn", _every("ragged"), "torch", small, 10.0),
    Goal("ragged, H = 256, B > 1", "torch.nn", _every("ragged"), "torch", large, 2.5),
    Goal("variants, H <= 64", "variants", HARD, "eager", small, 8.0),
    Goal("variants, H = 256", "variants", HARD, "eager", large, 2.5),
    Goal(
        "streamed step (1, 40, 128), torch",
        "streamed step",
        _every("step"),
        "torch",
        lambda row: row.shape == (1, 40, 128),
        10.0,
    ),
    Goal(
        "streamed step (1, 40, 128), ONNX Runtime",
        "streamed step",
        _every("step"),
        "onnx",
        lambda row: row.shape == (1, 40, 128),
        2.0,
    ),
    Goal(
        "whole sequences, ONNX Runtime",
        "whole sequence",
        _every("sequence"),
        "onnx",
        designed,
        1.1,
        1.0,
    ),
    Goal("share of the machine's peak", "peak", _every("train"), "mm", designed, 0.7),
)

HEAD = f"{'goal':42} {'threads':>7}  {'aim':32} {'average':>8} {'worst':>8}  at"


def summary(rows: Sequence[Row]) -> None:
    """Print each goal beside what was reached, for each number of threads."""
    print(HEAD)
    for goal in GOALS:
        concerned = goal.rows(rows)
        if not concerned:
            print(f"{goal.what:42} {'':7}  {goal.aim:32} not measured")
        for threads in sorted({row.threads for row in concerned}):
            group = [row for row in concerned if row.threads == threads]
            average, worst = mean(r.value for r in group), min(group, key=lambda r: r.value)
            print(
                f"{goal.what:42} {threads:7}  {goal.aim:32} {average:8.2f} {worst.value:8.2f}  "
                f"{worst.case} {worst.shape}: {goal.verdict(average, worst.value)}"
            )
    _errors([row for row in rows if row.table == "accuracy"])


def _errors(rows: Sequence[Row]) -> None:
    if not rows:
        print("accuracy: not measured")
        return
    ours = [row for row in rows if row.peer == "native"]
    forward = max((r for r in ours if r.case.endswith("forward")), key=lambda r: r.value)
    gradient = max((r for r in ours if r.case.endswith("gradient")), key=lambda r: r.value)
    for what, value, aim, where in (
        ("forward error", forward.value, 1e-6, f"{forward.case} {forward.shape}"),
        ("forward error over the reference path's", against_reference(rows), 2.0, ""),
        ("gradient error", gradient.value, 1e-5, f"{gradient.case} {gradient.shape}"),
    ):
        verdict = "reached" if value <= aim else "missed"
        print(f"{what:42} {'':7}  {f'<= {aim:g}':32} {'':8} {value:8.2g}  {where}: {verdict}")
