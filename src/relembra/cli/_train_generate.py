"""`relembra train generate`: from text files to a language model and a report."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from relembra._config import replace
from relembra._errors import ConfigError, RelembraError
from relembra.cli._options import (
    Cell,
    Force,
    Json,
    Layers,
    LearningRate,
    Out,
    Quiet,
    Seed,
    Threads,
    Units,
    given,
)
from relembra.cli._output import (
    Interrupted,
    Terminal,
    data_name,
    fresh_folder,
    given_folder,
    remove_if_empty,
    set_threads,
)

__all__ = ["show_scores", "train_generate"]

_MODEL = "Model"
_SHOWN = 240  # characters of a sample in the terminal


def train_generate(
    texts: Annotated[
        list[Path], typer.Argument(metavar="TEXT...", help="UTF-8 text files, also packed.")
    ],
    tokens: Annotated[
        str, typer.Option(help="characters, words or subwords.", rich_help_panel=_MODEL)
    ] = "characters",
    size: Annotated[
        int | None, typer.Option(min=1, help="Most tokens.", rich_help_panel=_MODEL)
    ] = None,
    test: Annotated[
        list[Path] | None,
        typer.Option(help="Text to score on [default: the last tenth is held out]."),
    ] = None,
    cell: Cell = "lstm",
    units: Units = None,
    layers: Layers = None,
    dropout: Annotated[
        float | None, typer.Option(help="Rate behind each layer.", rich_help_panel=_MODEL)
    ] = None,
    length: Annotated[
        int, typer.Option(min=1, help="Steps that learning goes back.", rich_help_panel=_MODEL)
    ] = 128,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Most training steps.", rich_help_panel=_MODEL)
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Rows of text side by side.", rich_help_panel=_MODEL)
    ] = None,
    learning_rate: LearningRate = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint in --out.")
    ] = False,
    out: Out = None,
    force: Force = False,
    seed: Seed = 0,
    threads: Threads = 1,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a language model on text, and say how well it predicts text it never saw.

    Example: `relembra train generate machado/*.txt --units 512 --threads 2`
    """
    from relembra.data import TextFiles
    from relembra.tasks.generate import DEFAULT_TRAINING, DEFAULT_TRUNK, LanguageModel

    if resume and out is None:
        raise ConfigError("--resume needs --out: the folder whose run is to go on")
    set_threads(threads)
    chosen = {"units": units, "layers": layers, "dropout": dropout}
    budget = {"steps": steps, "batch_size": batch_size, "learning_rate": learning_rate}
    model = LanguageModel(
        tokens,  # type: ignore[arg-type]  # checked where it is used
        size=size,
        length=length,
        trunk=replace(DEFAULT_TRUNK, cell=cell, **given(chosen)),
        training=replace(DEFAULT_TRAINING, seed=seed, **given(budget)),
    )
    files = TextFiles.of(texts), TextFiles.of(test) if test else None
    name = data_name(texts[0])
    terminal = Terminal(quiet=quiet, as_json=as_json)
    _run(model, files, name, out=out, resume=resume, force=force, terminal=terminal)


def _run(
    model: Any,
    texts: tuple[Any, Any],
    name: str,
    *,
    out: Path | None,
    resume: bool,
    force: bool,
    terminal: Terminal,
) -> None:
    from relembra.tasks.generate import GenerateFiles, run_generate

    began = time.perf_counter()
    ours = out is None or not out.exists()
    files = GenerateFiles(given_folder(out) if out else fresh_folder("generate", name))
    try:
        job = run_generate(
            model,
            *texts,
            files,
            title=name,
            resume=resume,
            force=force,
            subscribers=terminal.watcher()("training"),
            say=terminal.say,
        )
    except RelembraError:
        if ours:
            remove_if_empty(files.folder)
        raise
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted; to go on, add: --resume --out {files.folder}") from None
    _show(terminal, job, time.perf_counter() - began)


def _show(terminal: Terminal, job: Any, seconds: float) -> None:
    verdict = show_scores(terminal, job.evaluation)
    title, text = list(job.samples.items())[1]
    terminal.say(f"\nWhat it writes, {title}:\n{text[:_SHOWN]}\n")
    terminal.say(f"  model: {job.files.model}\n report: {job.files.report}\n{seconds:8.1f} seconds")
    terminal.result(
        {
            "job": "generate",
            "model": job.model.trunk.cell,
            "metrics": job.evaluation.to_dict(),
            "verdict": [verdict],
            "files": {"model": job.files.model, "report": job.files.report},
            "seconds": seconds,
        }
    )


def show_scores(terminal: Terminal, evaluation: Any) -> str:
    """Print the table of scores, and print and return the verdict."""
    from relembra.tasks.generate import HEADER, score_rows, verdict_line

    rows = evaluation.rows()
    verdict = str(verdict_line(rows))
    terminal.say("")
    terminal.table("On text that training never saw", HEADER, score_rows(rows))
    terminal.say(verdict)
    return verdict
