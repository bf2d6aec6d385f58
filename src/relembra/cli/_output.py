"""Where results go, and what people read in the terminal."""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from relembra._errors import ConfigError
from relembra.training import ProgressBar, Subscriber

__all__ = [
    "Interrupted",
    "Terminal",
    "data_name",
    "fresh_folder",
    "given_folder",
    "remove_if_empty",
    "set_threads",
]


class Interrupted(Exception):  # noqa: N818  not an error
    """Ctrl-C; the message says how to go on."""


class Terminal:
    """Prints for people, or one JSON object for programs; nothing when quiet."""

    def __init__(self, *, quiet: bool, as_json: bool) -> None:
        from rich.console import Console

        self.quiet, self.as_json = quiet, as_json
        self._console = Console(highlight=False, soft_wrap=True)

    def say(self, line: str) -> None:
        """Print a line for people."""
        if not (self.quiet or self.as_json):
            self._console.print(line, markup=False)

    def table(self, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table for people; the first column is text, the others are numbers."""
        if self.quiet or self.as_json:
            return
        from rich.table import Table
        from rich.text import Text

        table = Table(title=title, title_justify="left", header_style="bold")
        for i, name in enumerate(header):
            table.add_column(name, justify="right" if i else "left")
        for row in rows:
            table.add_row(*[Text(str(cell), style=_style(cell)) for cell in row])
        self._console.print(table, soft_wrap=False)

    def result(self, values: dict[str, Any]) -> None:
        """Print the JSON object, when one was asked for."""
        if self.as_json:
            print(json.dumps(_plain(values), ensure_ascii=False))

    def watcher(self) -> Callable[[str], list[Subscriber]]:
        """Return what makes the progress bar of a training."""
        return lambda name: [ProgressBar(name, quiet=self.quiet)]


def _style(cell: str) -> str:
    from relembra.report import Best

    return "bold" if isinstance(cell, Best) else ""


def _plain(value: Any) -> Any:
    """Return a value that JSON can hold: NaN and infinities become null, paths text."""
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def data_name(path: Path) -> str:
    """Return the name of a data file without its endings."""
    return path.name.removesuffix(".gz").rsplit(".", 1)[0]


def fresh_folder(job: str, data: str) -> Path:
    """Make and return runs/JOB-DATA-N with the first N that is free."""
    name = re.sub(r"[^\w.-]+", "-", data).strip("-.") or "data"
    root = Path("runs")
    root.mkdir(exist_ok=True)
    for n in range(1, 1_000_000):
        folder = root / f"{job}-{name}-{n}"
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise ConfigError(f"{root} is full of {job}-{name} folders; name one with --out")


def given_folder(out: Path) -> Path:
    """Make and return the folder that the user named."""
    if out.exists() and not out.is_dir():
        raise ConfigError(f"--out names a folder, but {out} is a file")
    out.mkdir(parents=True, exist_ok=True)
    return out


def remove_if_empty(folder: Path) -> None:
    """Leave no empty folder behind when nothing came of a job."""
    with contextlib.suppress(OSError):
        folder.rmdir()


def set_threads(threads: int | None) -> None:
    """Tell torch how many threads to use."""
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
