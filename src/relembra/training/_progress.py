"""A progress bar: loss, validation, speed and time left."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

from relembra.training._events import Aborted, Evaluated, Event, Finished, Started, StepDone

__all__ = ["ProgressBar"]

_INTERVAL = 0.1  # seconds between updates; a step may be much shorter


class ProgressBar:
    """A subscriber that draws a progress bar on standard error.

    It draws nothing when ``quiet``, or when standard error is not a terminal.

    Parameters
    ----------
    title
        What is trained; stands before the bar.
    quiet
        Draw nothing.
    stream
        Where to draw; standard error when ``None``.
    """

    def __init__(
        self, title: str = "training", *, quiet: bool = False, stream: TextIO | None = None
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._visible = not quiet and self._stream.isatty()
        self._title = title
        self._bar: Any = None
        self._task: Any = None
        self._loss = self._validation = ""
        self._drawn = 0.0
        self._pace = _Pace()

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if not self._visible:
            return
        if isinstance(event, Started):
            self._open(event)
        elif isinstance(event, StepDone):
            self._step(event)
        elif isinstance(event, Evaluated) and event.row.validation is not None:
            star = "*" if event.improved else ""
            self._validation = f"validation {event.row.validation:.4g}{star}"
        elif isinstance(event, Finished | Aborted) and self._bar is not None:
            self._draw(event.step)
            self._bar.stop()
            self._bar = None

    def _open(self, event: Started) -> None:
        from rich import progress
        from rich.console import Console
        from rich.table import Column

        # Where the terminal is narrow, the bar gives way first.
        self._bar = progress.Progress(
            progress.TextColumn("{task.description}", table_column=Column(no_wrap=True)),
            progress.BarColumn(bar_width=None),
            progress.TextColumn("{task.fields[text]}", table_column=Column(no_wrap=True)),
            console=Console(file=self._stream),
            auto_refresh=False,
        )
        self._bar.start()
        self._task = self._bar.add_task(
            self._title, total=event.steps, completed=event.step, text=""
        )
        self._steps = event.steps
        self._pace = _Pace(event.step)

    def _step(self, event: StepDone) -> None:
        now = time.monotonic()
        if now - self._drawn < _INTERVAL:
            return
        self._drawn = now
        self._loss = f"loss {event.loss:.4g}"
        self._pace.note(event.step, now)
        self._draw(event.step)

    def _draw(self, step: int) -> None:
        count = f"{step}/{self._steps}"
        parts = [count, self._loss, self._validation, self._pace.text(self._steps - step)]
        text = "  ".join(part for part in parts if part)
        self._bar.update(self._task, completed=step, text=text, refresh=True)


class _Pace:
    """Steps a second over the recent past, evaluations and checkpoints included."""

    def __init__(self, step: int = 0) -> None:
        self._step, self._time = step, time.monotonic()
        self._speed = 0.0

    def note(self, step: int, now: float) -> None:
        elapsed = now - self._time
        if elapsed <= 0.0:
            return
        speed = (step - self._step) / elapsed
        # A smooth mean whose memory is about ten seconds.
        weight = 1.0 if self._speed == 0.0 else min(1.0, elapsed / 10.0)
        self._speed += weight * (speed - self._speed)
        self._step, self._time = step, now

    def text(self, left: int) -> str:
        if self._speed <= 0.0:
            return ""
        return f"{self._speed:.3g} steps/s  {_clock(left / self._speed)} left"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
