"""`relembra train generate`: from text files to a language model and a report."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from relembra._config import replace
from relembra.cli._options import (
    BackSteps,
    BatchSize,
    Cell,
    Dropout,
    Force,
    Json,
    Layers,
    LearningRate,
    Out,
    Quiet,
    Resume,
    Seed,
    Steps,
    TestTexts,
    Threads,
    TokenCount,
    TokenKind,
    Units,
    given,
)
from relembra.cli._output import Terminal, check_resume, data_name, job_folder, set_threads

__all__ = ["language_model_of", "show_scores", "train_generate"]

_SHOWN = 240  # characters of a sample in the terminal


def train_generate(
    texts: Annotated[
        list[Path], typer.Argument(metavar="TEXT...", help="UTF-8 text files, also packed.")
    ],
    tokens: TokenKind = "characters",
    size: TokenCount = None,
    test: TestTexts = None,
    cell: Cell = "lstm",
    units: Units = None,
    layers: Layers = None,
    dropout: Dropout = None,
    length: BackSteps = 128,
    steps: Steps = None,
    batch_size: BatchSize = None,
    learning_rate: LearningRate = None,
    resume: Resume = False,
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

    check_resume(resume, out)
    set_threads(threads)
    model = language_model_of(
        tokens, size, length, cell, {"units": units, "layers": layers, "dropout": dropout},
        {"steps": steps, "batch_size": batch_size, "learning_rate": learning_rate, "seed": seed},
    )  # fmt: skip
    learning, test_files = TextFiles.of(texts), TextFiles.of(test) if test else None
    began, name = time.perf_counter(), data_name(texts[0])
    terminal = Terminal(quiet=quiet, as_json=as_json)
    with job_folder("generate", name, out) as folder:
        from relembra.tasks.generate import GenerateFiles, run_generate

        job = run_generate(
            model, learning, test_files, GenerateFiles(folder), title=name, resume=resume,
            force=force, subscribers=terminal.watcher()("training"), say=terminal.say,
        )  # fmt: skip
    _show(terminal, job, time.perf_counter() - began)


def language_model_of(
    tokens: str,
    size: int | None,
    length: int,
    cell: str,
    trunk: dict[str, Any],
    training: dict[str, Any],
) -> Any:
    """Return the `LanguageModel` that the options describe; what is None stays as it is."""
    from relembra.tasks.generate import DEFAULT_TRAINING, DEFAULT_TRUNK, LanguageModel

    return LanguageModel(
        tokens,  # type: ignore[arg-type]  # checked where it is used
        size=size,
        length=length,
        trunk=replace(DEFAULT_TRUNK, cell=cell, **given(trunk)),
        training=replace(DEFAULT_TRAINING, **given(training)),
    )


def _show(terminal: Terminal, job: Any, seconds: float) -> None:
    verdict = show_scores(terminal, job.evaluation)
    title, text = list(job.samples.items())[1]
    terminal.say(f"\nWhat it writes, {title}:\n{text[:_SHOWN]}")
    files = {"model": job.files.model, "report": job.files.report}
    terminal.files(files, seconds)
    terminal.result(
        {
            "job": "generate",
            "model": job.model.trunk.cell,
            "metrics": job.evaluation.to_dict(),
            "verdict": [verdict],
            "files": files,
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
