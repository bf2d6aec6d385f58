"""Options that mean the same in every command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Force",
    "Json",
    "LabelColumn",
    "Out",
    "Output",
    "Part",
    "Quiet",
    "Seed",
    "TextColumn",
    "Threads",
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
