"""Options that mean the same in every command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = [
    "Cell",
    "Dropout",
    "Force",
    "Json",
    "LabelColumn",
    "Layers",
    "LearningRate",
    "OneWay",
    "Out",
    "Output",
    "Part",
    "Quiet",
    "Resume",
    "Seed",
    "TextColumn",
    "Threads",
    "Units",
    "given",
]

Out = Annotated[
    Path | None,
    typer.Option("--out", help="Folder for the results [default: a fresh runs/JOB-DATA-N]."),
]
Force = Annotated[bool, typer.Option("--force", help="Replace results that exist.")]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on standard output, nothing else.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
Seed = Annotated[int, typer.Option("--seed", help="Decides every random choice.")]
Threads = Annotated[
    int,
    typer.Option(
        "--threads", min=1, help="Threads; more than one seldom helps networks of this size."
    ),
]
TextColumn = Annotated[
    str | None, typer.Option("--text", help="Column of the texts or tokens [default: found out].")
]
LabelColumn = Annotated[
    str | None,
    typer.Option("--label", "--column", help="Column of the labels or tags [default: found out]."),
]
Part = Annotated[
    str | None,
    typer.Option("--part", help="Which of several sets of an .npz file: train reads X_train."),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        help="File of the predictions: .csv, .jsonl, .parquet or, for tags, .conll "
        "[default: in --out].",
    ),
]

_MODEL = "Model"

Cell = Annotated[str, typer.Option(help="lstm, gru, rnn or feedforward.", rich_help_panel=_MODEL)]
Units = Annotated[int | None, typer.Option(min=1, help="Units of a layer.", rich_help_panel=_MODEL)]
Layers = Annotated[int | None, typer.Option(min=1, help="Layers.", rich_help_panel=_MODEL)]
Dropout = Annotated[float | None, typer.Option(help="Rate.", rich_help_panel=_MODEL)]
LearningRate = Annotated[
    float | None, typer.Option(help="Highest learning rate.", rich_help_panel=_MODEL)
]
OneWay = Annotated[
    bool,
    typer.Option("--one-way", help="Read forward only, as streams need.", rich_help_panel=_MODEL),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the checkpoints in --out.")]


def given(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that were given."""
    return {name: value for name, value in options.items() if value is not None}
