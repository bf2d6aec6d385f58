"""A folder to work in: the user's, or one that vanishes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["working_folder"]


@contextmanager
def working_folder(folder: Path | None) -> Iterator[Path]:
    """Yield the folder, or a temporary one when None."""
    if folder is not None:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="relembra-") as place:
        yield Path(place)
