"""Curves for TensorBoard."""

from __future__ import annotations

import importlib
from typing import Any

from relembra._errors import MissingExtraError
from relembra.training._events import Aborted, Evaluated, Event, Finished, Started, StepDone

__all__ = ["TensorBoardWriter"]


class TensorBoardWriter:
    """A subscriber that writes loss, gradient norm, learning rate and validation.

    Parameters
    ----------
    log_dir
        Folder of the event files; a resumed run hides what was written beyond its start.

    Raises
    ------
    MissingExtraError
        TensorBoard is not installed.
    """

    def __init__(self, log_dir: str) -> None:
        try:
            importlib.import_module("tensorboard")
        except ImportError as error:
            raise MissingExtraError(
                "log_dir needs TensorBoard, which is not installed: "
                'pip install "relembra[tensorboard]"'
            ) from error
        self._log_dir = log_dir
        self._writer: Any = None

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, Started):
            self._open(event.step)
        elif isinstance(event, StepDone):
            self._write_step(event)
        elif isinstance(event, Evaluated):
            self._write_evaluation(event)
        elif isinstance(event, Finished | Aborted) and self._writer is not None:
            self._writer.close()

    def _open(self, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        purge = step + 1 if step else None
        self._writer = SummaryWriter(self._log_dir, purge_step=purge)

    def _write_step(self, event: StepDone) -> None:
        self._writer.add_scalar("train/loss", event.loss, event.step)
        self._writer.add_scalar("train/gradient_norm", event.gradient_norm, event.step)
        self._writer.add_scalar("train/learning_rate", event.learning_rate, event.step)

    def _write_evaluation(self, event: Evaluated) -> None:
        if event.row.validation is not None:
            self._writer.add_scalar("validation", event.row.validation, event.row.step)
        self._writer.flush()
