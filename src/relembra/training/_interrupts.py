"""Ctrl-C that waits for the end of a step, so that a checkpoint never holds half of one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType

__all__ = ["Interrupts"]


class Interrupts:
    """Holds back the first Ctrl-C until :meth:`check`; a second one passes at once.

    It does so only in the main thread and in the place of Python's own handler: a handler
    that the program has set is left alone.
    """

    def __init__(self) -> None:
        self._pending = False
        self._at_once = False
        self._installed = False
        self.impatient = False  # whether a second one came, which may have cut anything

    def __enter__(self) -> Interrupts:
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._take)
            self._installed = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._installed = False

    def check(self) -> None:
        """Raise the interrupt that came meanwhile.

        Raises
        ------
        KeyboardInterrupt
            Ctrl-C was pressed.
        """
        if self._pending:
            raise KeyboardInterrupt

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Let Ctrl-C pass at once, where nothing can be left half done."""
        self.check()
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    def _take(self, number: int, frame: FrameType | None) -> None:
        self.impatient = self._pending
        at_once, self._at_once = self._at_once, False
        if self._pending or at_once:
            self._pending = True
            raise KeyboardInterrupt
        self._pending = True
