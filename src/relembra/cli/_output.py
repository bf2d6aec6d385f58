"""Where results go, and what people read in the terminal."""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from relembra._errors import ConfigError, OutputExistsError, RelembraError, blaming
from relembra.training import ProgressBar, Subscriber

__all__ = [
    "Interrupted",
    "Terminal",
    "blaming",
    "check_resume",
    "data_name",
    "fresh_folder",
    "given_folder",
    "job_folder",
    "predictions_file",
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

    def files(self, files: dict[str, Path], seconds: float) -> None:
        """Print which files were written, and how long it took."""
        self.say("")
        for kind, path in files.items():
            self.say(f"{kind:>8}: {path}")
        self.say(f"{seconds:8.1f} seconds")

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
    """Leave no empty folder behind when nothing came of a job, nor empty ones inside of it."""
    for inner in folder.iterdir():
        with contextlib.suppress(OSError):
            inner.rmdir()
    with contextlib.suppress(OSError):
        folder.rmdir()


@contextlib.contextmanager
def job_folder(job: str, name: str, out: Path | None) -> Iterator[Path]:
    """Make the folder of a job.

    Where nothing came of the job no empty folder stays, and after Ctrl-C people are told how to go
    on.
    """
    ours = out is None or not out.exists()
    folder = given_folder(out) if out else fresh_folder(job, name)
    try:
        yield folder
    except RelembraError:
        if ours:
            remove_if_empty(folder)
        raise
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted; to go on, add: --resume --out {folder}") from None


@contextlib.contextmanager
def predictions_file(
    data: Path, output: Path | None, out: Path | None, name: str, *, force: bool
) -> Iterator[Path]:
    """Return where predictions go; leave no empty folder behind when nothing came of them.

    That is `output`, or else a file of this name in the folder `out`, or else in a fresh one.
    """
    ours, folder = False, None
    if output is None:
        ours = out is None or not out.exists()
        folder = given_folder(out) if out else fresh_folder("predict", data_name(data))
    path = (folder or Path()) / name if output is None else output
    if path.exists() and not force:
        raise OutputExistsError(f"{path} exists; choose another name, or say --force")
    try:
        yield path
    except RelembraError:
        if folder is not None and ours:
            remove_if_empty(folder)
        raise


def check_resume(resume: bool, out: Path | None) -> None:
    """Raise `ConfigError` where it is not said which run is to go on."""
    if resume and out is None:
        raise ConfigError("--resume needs --out: the folder whose run is to go on")


def set_threads(threads: int) -> None:
    """Tell torch how many threads to use."""
    import torch

    torch.set_num_threads(threads)
