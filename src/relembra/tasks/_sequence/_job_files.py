"""Where a job over sequences writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from relembra._errors import OutputExistsError

__all__ = ["JobFiles"]


@dataclass(frozen=True)
class JobFiles:
    """The files of a job, in one folder."""

    folder: Path

    @property
    def model(self) -> Path:
        """The model."""
        return self.folder / "model.safetensors"

    @property
    def report(self) -> Path:
        """The report."""
        return self.folder / "report.html"

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.folder / "checkpoints"

    def check_free(self) -> None:
        """Raise `OutputExistsError` when one of the files exists."""
        for path in (self.model, self.report):
            if path.exists():
                raise OutputExistsError(
                    f"{path} exists; choose another folder, or say --force to replace it"
                )
