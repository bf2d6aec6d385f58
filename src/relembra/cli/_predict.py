"""`relembra predict`: a saved model on new data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from relembra.cli._options import (
    Force,
    Json,
    Out,
    Output,
    Part,
    Quiet,
    TextColumn,
    Threads,
    refuse_options,
)
from relembra.cli._output import Terminal, set_threads

__all__ = ["PredictRequest", "predict"]


def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model.safetensors file.")],
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="New data, in the form of training.")
    ],
    text: TextColumn = None,
    column: Annotated[
        str | None,
        typer.Option(
            "--column",
            "--label",
            help="Which column a .conllu file gets its tags in [default: upos, whichever column "
            "the model learnt].",
        ),
    ] = None,
    part: Part = None,
    output: Output = None,
    out: Out = None,
    force: Force = False,
    threads: Threads = 1,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Let a saved model answer for new data: what follows, which label it has, or which tags.

    Labels and tags are written as they come, so that the data may be larger than memory.

    Examples: `relembra predict runs/forecast-sales-1/model.safetensors sales-until-june.csv`,
    `relembra predict runs/classify-reviews-1/model.safetensors new.csv --output labels.jsonl`,
    `relembra predict runs/tag-en-train-1/model.safetensors en.conllu --output tagged.conllu`
    """
    from relembra._errors import ConfigError
    from relembra.artifact import load_model

    set_threads(threads)
    request = PredictRequest(
        model, data, text, column, part, output, out, force, Terminal(quiet=quiet, as_json=as_json)
    )
    job = load_model(model).job
    if job not in _JOBS:
        raise ConfigError(f"{model} is a model for {job!r}; predict knows {', '.join(_JOBS)}")
    run, known = _JOBS[job]
    refuse_options(job, {"text": text, "column": column, "part": part}, known)
    if output is not None and out is not None:
        raise ConfigError("--output names a file, --out a folder for it; give one of them")
    run(request)


@dataclass(frozen=True)
class PredictRequest:
    """What `relembra predict` was asked for."""

    model: Path
    data: Path
    text: str | None
    column: str | None
    part: str | None
    output: Path | None
    out: Path | None
    force: bool
    terminal: Terminal


def _forecast(request: PredictRequest) -> None:
    from relembra.cli._predict_forecast import predict_forecast

    predict_forecast(request)


def _classify(request: PredictRequest) -> None:
    from relembra.cli._predict_classify import predict_classify

    predict_classify(request)


def _tag(request: PredictRequest) -> None:
    from relembra.cli._predict_tag import predict_tag

    predict_tag(request)


# Which function answers for a model of which job, and the options that mean something to it.
_JOBS: dict[str, tuple[Callable[[PredictRequest], None], frozenset[str]]] = {
    "classify": (_classify, frozenset({"text", "part"})),
    "forecast": (_forecast, frozenset()),
    "tag": (_tag, frozenset({"text", "part", "column"})),
}
