"""`relembra forecast`: from a table to a forecast, a model and a report."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from relembra._config import replace
from relembra.cli._options import (
    BatchSize,
    Cell,
    Compare,
    Context,
    Dropout,
    Force,
    Frequency,
    Horizon,
    Json,
    KnownColumns,
    Layers,
    LearningRate,
    Out,
    PastColumns,
    Quiet,
    Resume,
    Season,
    Seed,
    SeriesColumns,
    Space,
    StaticColumns,
    Steps,
    Targets,
    Threads,
    TimeColumn,
    TimeFormat,
    Units,
    Windows,
    given,
)
from relembra.cli._output import (
    Terminal,
    blaming,
    check_resume,
    data_name,
    job_folder,
    set_threads,
)

__all__ = ["columns_of", "forecast", "forecaster_of", "run"]

Names = list[str]
_SHOWN = ("model", "mase", "smape", "wql", "coverage_80", "n_windows")  # in the terminal


def forecast(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="CSV, TSV or Parquet file, one row per time.")
    ],
    time_column: TimeColumn = None,
    target: Targets = None,
    series: SeriesColumns = None,
    known: KnownColumns = None,
    past: PastColumns = None,
    static: StaticColumns = None,
    time_format: TimeFormat = None,
    frequency: Frequency = None,
    horizon: Horizon = None,
    context: Context = None,
    season: Season = None,
    windows: Windows = None,
    compare: Compare = True,
    cell: Cell = "lstm",
    units: Units = None,
    layers: Layers = None,
    dropout: Dropout = None,
    space: Space = "auto",
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
    """Forecast the series in a table, and say honestly how good the forecast is.

    Examples: `relembra forecast sales.csv`,
    `relembra forecast sales.csv --series shop --known price --horizon 14 --cell gru`
    """
    check_resume(resume, out)
    columns = columns_of(time_column, target, series, known, past, static, time_format)
    model = forecaster_of(
        horizon, context, season, frequency, columns, space, cell,
        {"units": units, "layers": layers, "dropout": dropout},
        {"steps": steps, "batch_size": batch_size, "learning_rate": learning_rate, "seed": seed},
    )  # fmt: skip
    run(
        model,
        data,
        data_name(data),
        out=out,
        windows=windows,
        compare=compare,
        resume=resume,
        force=force,
        threads=threads,
        terminal=Terminal(quiet=quiet, as_json=as_json),
    )


def columns_of(
    time_column: str | None,
    target: Names | None,
    series: Names | None,
    known: Names | None,
    past: Names | None,
    static: Names | None,
    time_format: str | None,
) -> Any:
    """Return the `Columns` that the options name."""
    from relembra.tasks import Columns

    return Columns(
        time=time_column,
        target=_one_or_many(target),
        series=_one_or_many(series),
        known=tuple(known or ()),
        past=tuple(past or ()),
        static=tuple(static or ()),
        time_format=time_format,
    )


def forecaster_of(
    horizon: int | None,
    context: int | None,
    season: list[int] | None,
    frequency: str | None,
    columns: Any,
    space: str,
    cell: str,
    trunk: dict[str, Any],
    training: dict[str, Any],
) -> Any:
    """Return the `Forecaster` that the options describe; what is None stays as it is."""
    from relembra.tasks import Forecaster
    from relembra.tasks.forecast import DEFAULT_TRAINING, DEFAULT_TRUNK

    return Forecaster(
        horizon,
        context=context,
        seasons=tuple(season) if season else None,
        frequency=frequency,
        columns=columns,
        space=space,  # type: ignore[arg-type]  # checked where it is used
        trunk=replace(DEFAULT_TRUNK, cell=cell, **given(trunk)),
        training=replace(DEFAULT_TRAINING, **given(training)),
    )


def _one_or_many(names: Names | None) -> str | tuple[str, ...] | None:
    if not names:
        return None
    return names[0] if len(names) == 1 else tuple(names)


def run(
    model: Any,
    data: Path,
    name: str,
    *,
    out: Path | None,
    windows: int | None,
    compare: bool,
    resume: bool,
    force: bool,
    threads: int,
    terminal: Terminal,
) -> None:
    """Run the job for a `Forecaster` with its parameters, and print what came of it."""
    from relembra.tasks.forecast import OutputFiles, check_job, read_series, run_forecast

    set_threads(threads)
    began = time.perf_counter()
    panel, reading = read_series(data, model.columns, model.frequency)
    with blaming(data):  # before a folder is made
        check_job(model, panel, windows=windows)
    for line in reading.lines():
        terminal.say(line)
    with job_folder("forecast", name, out) as folder, blaming(data):
        job = run_forecast(
            model, panel, reading, OutputFiles(folder), title=name, windows=windows,
            compare=compare, resume=resume, force=force, watch=terminal.watcher(),
            say=terminal.say,
        )  # fmt: skip
    show(terminal, job, reading, time.perf_counter() - began)


def show(terminal: Terminal, job: Any, reading: Any, seconds: float) -> None:
    """Print the scores, the verdict and the files of a finished job."""
    from relembra.report import score_table
    from relembra.tasks.forecast import verdict_lines

    if job.backtest is not None:
        rows = [{key: row[key] for key in _SHOWN} for row in job.backtest.scores.table()]
        table = score_table(rows)
        terminal.say("")
        terminal.table("Backtest", table.header, table.rows)
    verdict = verdict_lines(job.backtest)
    for line in verdict:
        terminal.say(line)
    files = {"forecast": job.files.forecast, "model": job.files.model, "report": job.files.report}
    terminal.say("\nFull table, forecasts and figures are in the report.")
    terminal.files(files, seconds)
    terminal.result(
        {
            "job": "forecast",
            "model": job.model.trunk.cell,
            "horizon": job.model.plan_.horizon,
            "metrics": None if job.backtest is None else job.backtest.scores.to_dict(),
            "verdict": verdict,
            "data": reading.to_dict(),
            "files": files,
            "seconds": seconds,
        }
    )
