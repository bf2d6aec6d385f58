"""`relembra evaluate`: how good a saved model is on other data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from relembra._errors import ConfigError
from relembra.cli._evaluate_generate import evaluate_generate
from relembra.cli._options import Json, Quiet, Threads
from relembra.cli._output import Terminal, set_threads

__all__ = ["evaluate"]

_JOBS = {"generate": evaluate_generate}


def evaluate(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model.safetensors file.")],
    data: Annotated[list[Path], typer.Argument(metavar="DATA...", help="What to score on.")],
    train: Annotated[
        list[Path] | None,
        typer.Option(help="What the model learnt from, for the baselines beside it."),
    ] = None,
    threads: Threads = 1,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Score a saved model on data that it never saw.

    Example: `relembra evaluate model.safetensors new.txt --train old.txt`
    """
    from relembra.artifact import load_model

    job = load_model(model).job
    if job not in _JOBS:
        raise ConfigError(f"{model} is a model for {job!r}; evaluate knows {', '.join(_JOBS)}")
    set_threads(threads)
    _JOBS[job](model, data, train, Terminal(quiet=quiet, as_json=as_json))
