"""Options that mean the same in every command."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path
from typing import Annotated, Any

import typer

from relembra._errors import ConfigError

__all__ = [
    "BackSteps",
    "Balanced",
    "BatchSize",
    "Cell",
    "ClassFeatures",
    "Compare",
    "Context",
    "Crf",
    "Dropout",
    "Epochs",
    "Force",
    "Frequency",
    "Horizon",
    "Json",
    "KnownColumns",
    "LabelColumn",
    "Layers",
    "LearningRate",
    "OneWay",
    "Out",
    "Output",
    "Part",
    "PastColumns",
    "Pooling",
    "Quiet",
    "Repair",
    "Resume",
    "Season",
    "Seed",
    "SeriesColumns",
    "Space",
    "SpanScheme",
    "StaticColumns",
    "Steps",
    "TagFeatures",
    "Targets",
    "TestFile",
    "TestPart",
    "TestShare",
    "TestTexts",
    "TextColumn",
    "Threads",
    "TimeColumn",
    "TimeFormat",
    "TokenCount",
    "TokenKind",
    "Units",
    "Windows",
    "given",
    "refuse_options",
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
        help="File of the predictions: .csv, .jsonl, .parquet or, for tags, .conll and .conllu "
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
TestFile = Annotated[
    Path | None,
    typer.Option("--test", help="File to score on [default: a share of DATA is held out]."),
]
TestPart = Annotated[
    str | None,
    typer.Option("--test-part", help="Which of several sets of an .npz file to score on."),
]
TestShare = Annotated[
    float,
    typer.Option("--test-share", help="Share of DATA to score on, where no test data is named."),
]
TestTexts = Annotated[
    list[Path] | None,
    typer.Option("--test", help="Text to score on [default: the last tenth is held out]."),
]
Compare = Annotated[
    bool,
    typer.Option("--compare/--no-compare", help="Train the network without memory, to compare."),
]
Steps = Annotated[
    int | None, typer.Option("--steps", min=1, help="Most training steps.", rich_help_panel=_MODEL)
]
Epochs = Annotated[
    int | None,
    typer.Option("--epochs", min=1, help="Passes over the data.", rich_help_panel=_MODEL),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        "--batch-size", min=1, help="Sequences (windows, rows) in a batch.", rich_help_panel=_MODEL
    ),
]
ClassFeatures = Annotated[
    str,
    typer.Option(
        "--features",
        help="auto, words, characters, words+characters, subwords, symbols, frames, audio, "
        "rows, columns or pixels (of images), or clips.",
        rich_help_panel=_MODEL,
    ),
]
Pooling = Annotated[
    str | None,
    typer.Option(
        "--pooling", help="last, mean, max or attention [default: max].", rich_help_panel=_MODEL
    ),
]
Balanced = Annotated[
    bool,
    typer.Option("--balanced", help="Rare labels count like others.", rich_help_panel=_MODEL),
]
TagFeatures = Annotated[
    str,
    typer.Option(
        "--features", help="auto, words+characters, words or frames.", rich_help_panel=_MODEL
    ),
]
Crf = Annotated[
    bool | None,
    typer.Option(
        "--crf/--no-crf",
        help="Choose tags as a chain [default: where they are spans].",
        rich_help_panel=_MODEL,
    ),
]
SpanScheme = Annotated[
    str | None,
    typer.Option(
        "--scheme", help="bio or bioes: spans inside the network.", rich_help_panel=_MODEL
    ),
]
Repair = Annotated[
    bool, typer.Option("--repair", help="Correct spans that break the rules of their scheme.")
]
TokenKind = Annotated[
    str,
    typer.Option("--tokens", help="characters, words or subwords.", rich_help_panel=_MODEL),
]
TokenCount = Annotated[
    int | None, typer.Option("--size", min=1, help="Most tokens.", rich_help_panel=_MODEL)
]
BackSteps = Annotated[
    int,
    typer.Option("--length", min=1, help="Steps that learning goes back.", rich_help_panel=_MODEL),
]

_COLUMNS = "Columns"

TimeColumn = Annotated[
    str | None, typer.Option("--time", help="Column of the times.", rich_help_panel=_COLUMNS)
]
Targets = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        help="Column to forecast; several make several series.",
        rich_help_panel=_COLUMNS,
    ),
]
SeriesColumns = Annotated[
    list[str] | None,
    typer.Option(
        "--series",
        help="Column with the name of the series (repeat for more).",
        rich_help_panel=_COLUMNS,
    ),
]
KnownColumns = Annotated[
    list[str] | None,
    typer.Option(
        "--known", help="Covariate known ahead (repeat for more).", rich_help_panel=_COLUMNS
    ),
]
PastColumns = Annotated[
    list[str] | None,
    typer.Option("--past", help="Covariate known up to now.", rich_help_panel=_COLUMNS),
]
StaticColumns = Annotated[
    list[str] | None,
    typer.Option(
        "--static", help="Column that stays the same in a series.", rich_help_panel=_COLUMNS
    ),
]
TimeFormat = Annotated[
    str | None,
    typer.Option(
        "--time-format", help="As %d/%m/%Y [default: found out].", rich_help_panel=_COLUMNS
    ),
]
Frequency = Annotated[
    str | None,
    typer.Option(
        "--frequency", help="As D, W, M, 15min [default: found out].", rich_help_panel=_COLUMNS
    ),
]
Horizon = Annotated[int | None, typer.Option("--horizon", min=1, help="Steps to forecast.")]
Context = Annotated[int | None, typer.Option("--context", min=2, help="Steps to look back on.")]
Season = Annotated[
    list[int] | None,
    typer.Option("--season", min=1, help="Seasonal period in steps, main one first."),
]
Windows = Annotated[
    int | None,
    typer.Option("--windows", min=0, help="Backtest windows per series; 0 for no backtest."),
]
Space = Annotated[
    str,
    typer.Option("--space", help="auto, log (relative errors) or linear.", rich_help_panel=_MODEL),
]


def given(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def refuse_options(job: str, options: dict[str, Any], known: Set[str]) -> None:
    """Raise `ConfigError` where an option was given that means nothing to models for a job."""
    for name in given(options):
        if name not in known:
            raise ConfigError(f"--{name} means nothing to a model for {job!r}; leave it out")
