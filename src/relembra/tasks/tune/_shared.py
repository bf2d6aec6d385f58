"""The data of a search: what no trial changes is made of it once."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relembra.tasks.tune._files import TuneFiles

__all__ = ["Fit", "SharedData", "fitting"]

Fit = Callable[..., object]
"""Trains an estimator, its first argument, with the `directory`, `resume` and `subscribers` of its
`fit`."""


@dataclass(frozen=True)
class SharedData:
    """What every trial is fitted on.

    Attributes
    ----------
    X, y
        As `fit` of the estimator takes them.
    """

    X: Any
    y: Any = None

    def fit(self, folder: Path) -> Fit:
        """Return what trains on the data; the first trial makes it ready for all of them.

        Parameters
        ----------
        folder
            For files that must last as long as the search.
        """
        ready: list[tuple[Any, Any]] = []

        def fit(model: Any, **options: Any) -> object:
            if not ready:
                ready.append(model.prepared(self.X, self.y, folder))
            return model.fit(*ready[0], **options)

        return fit


@contextmanager
def fitting(given: Fit | SharedData, files: TuneFiles | None) -> Iterator[Fit]:
    """Yield what trains; files that its trainings share are in the search's folder, or vanish."""
    if not isinstance(given, SharedData):
        yield given
    elif files is not None:
        yield given.fit(files.shared)
    else:
        with tempfile.TemporaryDirectory(prefix="relembra-") as folder:
            yield given.fit(Path(folder))
