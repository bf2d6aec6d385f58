"""Where a search writes, and what it may not overwrite."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from relembra._errors import OutputExistsError

__all__ = ["TuneFiles"]


@dataclass(frozen=True)
class TuneFiles:
    """The files of a search, in one folder."""

    folder: Path

    @property
    def study(self) -> Path:
        """The trials, as optuna keeps them in SQLite."""
        return self.folder / "study.db"

    @property
    def best(self) -> Path:
        """The best settings, and the command that trains with them."""
        return self.folder / "best.json"

    @property
    def report(self) -> Path:
        """The report."""
        return self.folder / "report.html"

    @property
    def trials(self) -> Path:
        """Folder of the checkpoints of the trial that runs, gone when the search ends."""
        return self.folder / "trials"

    @property
    def shared(self) -> Path:
        """Folder of what all trials read."""
        return self.trials / "shared"

    def prepare(self, *, resume: bool, force: bool) -> None:
        """Make the folder ready for a search that begins, or goes on.

        Raises
        ------
        OutputExistsError
            There are results, and neither `resume` nor `force` is given.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if force and not resume:
            self.remove()
        if resume and self.study.exists():
            return
        for path in (self.study, self.best, self.report):
            if path.exists():
                raise OutputExistsError(
                    f"{path} exists; choose another folder, or say --resume to go on with the "
                    "search, or --force to begin it anew"
                )

    def remove(self) -> None:
        """Remove all that a search wrote."""
        shutil.rmtree(self.trials, ignore_errors=True)
        journal = self.study.with_name(f"{self.study.name}-journal")
        for path in (self.study, journal, self.best, self.report):
            path.unlink(missing_ok=True)
