"""Tests of the progress bar."""

import io

import pytest

from relembra.training import (
    Evaluated,
    Finished,
    HistoryRow,
    ProgressBar,
    Started,
    StepDone,
)
from relembra.training import _progress as module


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets."""

    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    return clock


def play(bar, clock):
    bar(Started(0, 200, False))
    clock.now += 10.0
    bar(StepDone(50, 0, 0.123456, 1.0, 1e-3))
    bar(Evaluated(HistoryRow(50, 0, 0.2, 0.654321, 1e-3, 1.0), 0.654321, True))
    clock.now += 10.0
    bar(StepDone(100, 0, 0.1, 1.0, 1e-3))
    bar(Finished(100, "patience"))


def test_loss_validation_speed_and_time_left_are_shown(clock):
    terminal = Terminal()
    play(ProgressBar("LSTM", stream=terminal), clock)
    shown = terminal.getvalue()
    assert "LSTM" in shown
    assert "50/200" in shown
    assert "loss 0.1235  5 steps/s  0:30 left" in shown
    assert "loss 0.1  validation 0.6543*  5 steps/s  0:20 left" in shown
    assert shown.endswith("\n\x1b[?25h")  # a new line, and the cursor is back


def test_nothing_is_drawn_when_quiet_or_not_on_a_terminal(clock):
    for bar, stream in (
        (ProgressBar(quiet=True, stream=(quiet := Terminal())), quiet),
        (ProgressBar(stream=(plain := io.StringIO())), plain),
    ):
        play(bar, clock)
        assert stream.getvalue() == ""


def test_steps_in_quick_succession_are_drawn_seldom(clock):
    terminal = Terminal()
    bar = ProgressBar(stream=terminal)
    bar(Started(0, 1000, False))
    for step in range(1, 100):
        clock.now += 0.01
        bar(StepDone(step, 0, 0.5, 1.0, 1e-3))
    assert 8 <= terminal.getvalue().count("steps/s") <= 12


def test_a_long_time_left_has_hours():
    assert module._clock(59.6) == "1:00"
    assert module._clock(3725) == "1:02:05"
