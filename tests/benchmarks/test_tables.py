"""Every table of the benchmarks runs, on one tiny shape each, and its rows say what they should."""

import argparse
import copy
import json
import math
from itertools import pairwise

import pytest
import torch
from benchmarks import __main__ as bench
from benchmarks.engine import (
    accuracy,
    alternating,
    goals,
    machine,
    onnx_models,
    overhead,
    peak_fraction,
    shapes,
    streamed_step,
    table,
    training_step,
    variants,
    whole_sequence,
)
from benchmarks.engine.table import CELLS, Row

TINY = (2, 5, 3, 4)
LEAST = {"seconds": 0.0, "least": 1}


@pytest.fixture(autouse=True)
def no_long_blocks(monkeypatch):
    """A call a block: nothing here is about time."""
    monkeypatch.setattr(alternating, "BLOCK", 0.0)
    monkeypatch.setattr(alternating, "LONGEST_REST", 0.0)


def test_training_step_in_every_mode(capsys):
    rows = training_step.run(
        cells=CELLS, modes=training_step.MODES, threads=[1], shapes=[TINY], **LEAST
    )
    assert [row.case for row in rows] == [
        f"{cell} {mode}" for mode in training_step.MODES for cell in CELLS
    ]
    assert all(row.path == "native" and row.peer == "torch" for row in rows)
    assert all(row.value == pytest.approx(row.theirs / row.ours) for row in rows)
    assert capsys.readouterr().out.count(str(TINY)) == len(rows)


def test_a_stack_of_layers_is_measured():
    (row,) = training_step.run(
        cells=["gru"], modes=["train"], threads=[1], shapes=[(*TINY, 2)], **LEAST
    )
    assert row.shape == (2, 5, 3, 4, 2)


def test_work_counts_every_product():
    # By hand: 10 rows and steps, 4 gates of 4 units, 3 inputs and 4 states, 2 operations each.
    assert training_step.work("lstm", TINY, training=False) == 2 * 10 * 16 * (3 + 4)
    assert training_step.work("lstm", TINY, training=True) == 2 * 10 * 16 * (2 * (3 + 4) + 4)
    more = training_step.work("lstm", (*TINY, 2), training=False)
    assert more == 2 * 10 * 16 * (3 + 4 + 4 + 4)


def test_variants_compute_what_their_peers_do(capsys):
    rows = variants.run(threads=[1], shapes=[TINY], compiled="none", **LEAST)
    assert [row.case.split(" ", 1)[1] for row in rows] == list(variants.VARIANTS)
    assert {row.peer for row in rows} == {"eager", "torch"}
    assert all(row.path for row in rows)


def test_a_compiler_that_fails_is_named_in_its_row(monkeypatch, capsys):
    def fails(*_, **__):
        def call(*_):
            raise RuntimeError("no compiler here")

        return call

    monkeypatch.setattr(torch, "compile", fails)
    monkeypatch.setattr(torch.compiler, "reset", lambda: None)  # it would import the compiler
    rows = variants.run(threads=[1], shapes=[TINY], compiled="step", only=["peepholes"], **LEAST)
    assert [row.peer for row in rows] == ["eager", "compiled"]
    assert math.isnan(rows[1].value)
    assert rows[1].note == "compiling failed: RuntimeError: no compiler here"
    assert rows[1].note in capsys.readouterr().out


def test_a_peer_that_computes_something_else_is_refused():
    ours, _ = training_step.pair("lstm", TINY)

    def other(of: torch.nn.Module) -> torch.nn.Module:
        changed = copy.deepcopy(of)
        with torch.no_grad():
            changed.weight_hh_l0 *= 1.001
        return changed

    variants.same(ours, copy.deepcopy, torch.randn(2, 5, 3))
    with pytest.raises(AssertionError, match="LSTM's peer differs from ours"):
        variants.same(ours, other, torch.randn(2, 5, 3))
    with pytest.raises(AssertionError, match="torch differs from ours"):
        whole_sequence.same("torch", torch.ones(3), torch.zeros(3))


def test_sequences_and_steps_with_the_peers_that_there_are(capsys):
    peers = {"torch", "onnx"} if onnx_models.available() else {"torch"}
    rows = whole_sequence.run(cells=CELLS, threads=[1], shapes=[TINY], **LEAST)
    assert {row.peer for row in rows} == peers
    rows = streamed_step.run(cells=CELLS, shapes=[(1, 3, 4)], **LEAST)
    assert {row.peer for row in rows} == {*peers, "out="}


def test_a_peer_that_is_missing_is_named(monkeypatch, capsys):
    monkeypatch.setattr(onnx_models, "available", lambda: False)
    whole_sequence.run(cells=["rnn"], threads=[1], shapes=[TINY], **LEAST)
    streamed_step.run(cells=["rnn"], shapes=[(1, 3, 4)], **LEAST)
    assert capsys.readouterr().out.count("onnx: not installed") == 2


def test_peak_and_overhead(capsys):
    (row,) = peak_fraction.run(cells=["rnn"], threads=[1], shapes=[TINY], sides=[8], **LEAST)
    assert row.low <= row.value <= row.high
    rows = overhead.run(cells=["rnn"], units=[1], **LEAST)
    assert [row.case for row in rows] == ["rnn infer", "rnn train"]


def test_accuracy_sees_errors_of_float32(capsys):
    rows = accuracy.run(cells=CELLS, threads=[1], shapes=[TINY], steps=5)
    assert {row.peer for row in rows} == {"native", "reference", "torch"}
    assert all(0 < row.value < 1e-5 for row in rows)


def test_an_error_is_relative_and_names_the_worst_tensor():
    truth = {"a": torch.tensor([1.0, -4.0]), "b": torch.tensor([2.0])}
    found = {"a": torch.tensor([1.5, -4.0]), "b": torch.tensor([2.5])}
    assert accuracy.worst(found, truth) == (0.25, "b")


def test_every_round_takes_each_way_in_changing_order():
    calls: list[str] = []
    times = alternating.alternate(
        {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, budget=0.0, least=20
    )
    assert len(times["a"]) == len(times["b"]) == 20
    rounds = [tuple(calls[i : i + 2]) for i in range(2, len(calls), 2)]
    assert {frozenset(r) for r in rounds} == {frozenset("ab")}
    assert any(one != other for one, other in pairwise(rounds))


def test_a_comparison_by_hand():
    c = alternating.comparison([1.0, 2.0, 1.0, 1.0, 1.0], [2.0, 2.0, 4.0, 3.0, 6.0])
    assert (c.ours, c.peer, c.ratio, c.low, c.high) == (1.0, 3.0, 3.0, 2.0, 4.0)


def row(case, shape, value, kind="torch.nn", peer="torch"):
    return Row(kind, case, shape, 1, peer, value)


def test_goals_are_judged_by_mean_and_worst(capsys):
    one, two = shapes.SHAPES[:2]
    goals.summary([row("lstm train", one, 1.0), row("lstm train", two, 4.0)])
    assert "2.00     1.00  lstm train (1, 100, 1, 32): reached" in capsys.readouterr().out
    goals.summary([row("lstm train", one, 0.9), row("lstm train", two, 4.0)])
    assert "on average" in capsys.readouterr().out.split("training step, GRU")[0].splitlines()[-1]
    goals.summary([row("lstm train", one, 1.4)])
    out = capsys.readouterr().out
    assert "1.40  lstm train (1, 100, 1, 32): missed" in out
    assert "accuracy: not measured" in out


def test_other_work_on_the_machine_is_told(monkeypatch):
    seconds = iter([(0.0, 5.0), (10.0, 8.0), (0.0, 5.0), (10.0, 5.5)])
    monkeypatch.setattr(machine.Watch, "_read", staticmethod(lambda: next(seconds)))
    assert "0.30 cores" in (machine.Watch().busy() or "")
    assert machine.Watch().busy() is None


def test_shape_lists_are_sound():
    for listed in shapes.LISTS.values():
        assert len(set(listed)) == len(listed)
        assert all(len(s) in (4, 5) and min(s) >= 1 for s in listed)


def test_options_choose_shapes_and_a_clock():
    given = table.parser("").parse_args(["--shapes", "odd", "--only", "0", "2", "--cells", "LSTM"])
    assert table.chosen(given) == (shapes.ODD[0], shapes.ODD[2])
    assert given.cells == ["lstm"]
    with pytest.raises(argparse.ArgumentTypeError, match="'sun'; known: wall, processor"):
        table.clock("sun")


def test_the_whole_command_writes_its_rows(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench, "QUICK", (TINY,))
    monkeypatch.setattr(bench.overhead, "UNITS", (1,))
    file = tmp_path / "rows.json"
    bench.main(["--quick", "--tables", "accuracy", "overhead", "--json", str(file)])
    out = capsys.readouterr().out
    assert "instruction set" in out
    assert "gradient error" in out
    written = json.loads(file.read_text("utf-8"))
    assert {r["table"] for r in written["rows"]} == {"accuracy", "overhead"}
    assert written["rows"][0]["low"] is None
    assert "torch" in written["machine"]
