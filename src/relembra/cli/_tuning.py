"""What the commands of `relembra tune` share: their options, the search, what is printed."""

from __future__ import annotations

import hashlib
import json
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from relembra._files import atomic_write
from relembra.cli._output import (
    Terminal,
    blaming,
    check_resume,
    data_name,
    job_folder,
)

__all__ = [
    "Cells",
    "DropoutRange",
    "LayersRange",
    "LearningRates",
    "Pruner",
    "Search",
    "Trials",
    "UnitsRange",
]

_SEARCH = "Search, each as LOW:HIGH, as A,B,C or as one value"

Cells = Annotated[
    str | None,
    typer.Option("--cell", help="[default: lstm,gru]", rich_help_panel=_SEARCH),
]
UnitsRange = Annotated[
    str | None,
    typer.Option(
        "--units",
        help="[default: forecast 16:128, classify 32:256, tag 64:320, generate 128:512]",
        rich_help_panel=_SEARCH,
    ),
]
LayersRange = Annotated[
    str | None,
    typer.Option("--layers", help="[default: 1:2, generate 1:3]", rich_help_panel=_SEARCH),
]
DropoutRange = Annotated[
    str | None, typer.Option("--dropout", help="[default: 0:0.6]", rich_help_panel=_SEARCH)
]
LearningRates = Annotated[
    str | None,
    typer.Option(
        "--learning-rate",
        help="[default: 0.0005:0.01; forecast 0.001:0.02, generate 0.001:0.01]",
        rich_help_panel=_SEARCH,
    ),
]
Trials = Annotated[
    int, typer.Option("--trials", min=1, help="How many, those of a resumed search included.")
]
Pruner = Annotated[
    str,
    typer.Option("--pruner", help="Stops poor trials early: median, hyperband or none."),
]

# What only a search has, and what the best settings replace in the command that trains.
_OWN = frozenset(
    "trials pruner resume out force as_json quiet cell units layers dropout learning_rate".split()
)
# They name the data, whose content counts, or change no result.
_INDIFFERENT = frozenset({"data", "texts", "threads"})


@dataclass(frozen=True)
class Search:
    """A search as it was asked for.

    Attributes
    ----------
    context
        Of the command.
    train
        The words of the command that trains, such as ``("train", "tag")``.
    files
        The data.
    choices
        What was given for each setting.
    trials, pruner
        As `relembra.tasks.tune.tune` has them.
    out, resume, force, terminal
        As every command has them.
    """

    context: typer.Context
    train: tuple[str, ...]
    files: Sequence[Path]
    choices: dict[str, str | None]
    trials: int
    pruner: str
    out: Path | None
    resume: bool
    force: bool
    terminal: Terminal

    def __post_init__(self) -> None:
        check_resume(self.resume, self.out)

    def run(self, model: Any, fit: Any, judged_by: str) -> None:
        """Search, write the report and the best settings, and print them."""
        from relembra.tasks.tune import TuneFiles, search
        from relembra.tasks.tune._jobs import default_space

        began, name = time.perf_counter(), data_name(self.files[0])
        space = default_space(model).changed(self.choices)
        with (
            job_folder(f"tune-{self.train[-1]}", name, self.out) as folder,
            blaming(self.files[0]),
        ):
            files = TuneFiles(folder)
            found = search(
                model,
                fit,
                space=space,
                trials=self.trials,
                pruner=self.pruner,  # type: ignore[arg-type]  # checked where it is used
                files=files,
                resume=self.resume,
                force=self.force,
                identity={"data": _hash(self.files), "options": self._given(arguments=False)},
                watch=self.terminal.watcher(),
                say=self.terminal.say,
            )
        self._finish(found, files, name, judged_by, time.perf_counter() - began)

    def command(self, settings: dict[str, Any]) -> str:
        """Return the command line that trains with some settings."""
        words = ["relembra", *self.train, *self._given()]
        for name, value in settings.items():
            words += [f"--{name.replace('_', '-')}", str(value)]
        return shlex.join(words)

    def _given(self, arguments: bool = True) -> list[str]:
        """Return the words of this command that mean something to the one that trains."""
        words: list[str] = []
        for parameter in self.context.command.params:
            source = self.context.get_parameter_source(parameter.name or "")
            if parameter.name in _OWN or source is None or source.name != "COMMANDLINE":
                continue
            if not arguments and parameter.name in _INDIFFERENT:
                continue
            words += _words(parameter, self.context.params[parameter.name or ""])
        return words

    def _finish(self, found: Any, files: Any, name: str, judged_by: str, seconds: float) -> None:
        from relembra.tasks.tune import best_rows, build_report, summary_lines

        command, best = self.command(found.best.settings), found.best
        content = {
            "job": self.train[-1],
            "validation": best.validation,
            "trial": best.number,
            "settings": best.settings,
            "importance": found.importance,
            "trials": len(found.trials),
            "pruned": found.count("pruned"),
            "diverged": found.count("diverged"),
            "command": command,
        }
        text = (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()

        def write(file: BinaryIO) -> None:
            file.write(text)

        # The study is this search's own, and so is what stands beside it.
        build_report(name, found, command, judged_by).write(files.report, force=True)
        atomic_write(files.best, write, force=True)
        say = self.terminal.say
        say("")
        header = ("Setting", "Best", "First tried", "Importance")
        self.terminal.table("The best settings", header, best_rows(found))
        for line in summary_lines(found):
            say(line)
        say(f"\nTo train with them:\n{command}")
        written = {"best": files.best, "report": files.report, "study": files.study}
        self.terminal.files(written, seconds)
        self.terminal.result(content | {"job": "tune", "tuned": content["job"],
                                        "files": written, "seconds": seconds})  # fmt: skip


def _words(parameter: Any, value: Any) -> list[str]:
    """Return what was typed for a parameter."""
    values = list(value) if isinstance(value, list | tuple) else [value]
    if parameter.param_type_name == "argument":
        return [str(one) for one in values]
    if isinstance(value, bool):
        return [(parameter.opts if value else parameter.secondary_opts)[0]]
    return [word for one in values for word in (parameter.opts[0], str(one))]


def _hash(paths: Sequence[Path]) -> str:
    """Return a hash of what files hold; of a folder, of the names and sizes in it."""
    digest = hashlib.blake2b(digest_size=16)
    for path in paths:
        if path.is_dir():
            for entry in sorted(path.rglob("*")):
                digest.update(f"{entry.relative_to(path)} {entry.stat().st_size}\n".encode())
        elif path.exists():  # what is missing is told by the reader
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
    return digest.hexdigest()
