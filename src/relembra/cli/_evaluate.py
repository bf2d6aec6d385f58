"""`relembra evaluate`: a saved model on labelled data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from relembra.cli._options import (
    Force,
    Json,
    LabelColumn,
    Out,
    Part,
    Quiet,
    TextColumn,
    Threads,
)
from relembra.cli._output import Terminal, set_threads

__all__ = ["EvaluateRequest", "evaluate"]


def evaluate(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model.safetensors file.")],
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="Data with the true answers, never trained on.")
    ],
    text: TextColumn = None,
    label: LabelColumn = None,
    part: Part = None,
    out: Out = None,
    force: Force = False,
    threads: Threads = 1,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Score a saved model on data with the true answers, and write a report.

    Example: `relembra evaluate runs/classify-reviews-1/model.safetensors later-reviews.csv`
    """
    from relembra._errors import ConfigError
    from relembra.artifact import load_model

    set_threads(threads)
    request = EvaluateRequest(
        model, data, text, label, part, out, force, Terminal(quiet=quiet, as_json=as_json)
    )
    job = load_model(model).job
    if job not in _JOBS:
        raise ConfigError(f"{model} is a model for {job!r}; evaluate knows {', '.join(_JOBS)}")
    _JOBS[job](request)


@dataclass(frozen=True)
class EvaluateRequest:
    """What `relembra evaluate` was asked for."""

    model: Path
    data: Path
    text: str | None
    label: str | None
    part: str | None
    out: Path | None
    force: bool
    terminal: Terminal


def _classify(request: EvaluateRequest) -> None:
    from relembra.cli._evaluate_classify import evaluate_classify

    evaluate_classify(request)


def _tag(request: EvaluateRequest) -> None:
    from relembra.cli._evaluate_tag import evaluate_tag

    evaluate_tag(request)


# Which function scores a model of which job.
_JOBS: dict[str, Callable[[EvaluateRequest], None]] = {"classify": _classify, "tag": _tag}
