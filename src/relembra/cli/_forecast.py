"""`relembra forecast`: from a table to a forecast, a model and a report."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from relembra._config import replace
from relembra._errors import ConfigError, RelembraError
from relembra.cli._options import (
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
    Threads,
    Units,
    given,
)
from relembra.cli._output import (
    Interrupted,
    Terminal,
    blaming,
    data_name,
    fresh_folder,
    given_folder,
    remove_if_empty,
    set_threads,
)

__all__ = ["forecast", "run"]

Names = list[str]
_COLUMNS = "Columns"
_MODEL = "Model"
_SHOWN = ("model", "mase", "smape", "wql", "coverage_80", "n_windows")  # in the terminal


def forecast(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="CSV, TSV or Parquet file, one row per time.")
    ],
    time_column: Annotated[
        str | None,
        typer.Option("--time", help="Column of the times.", rich_help_panel=_COLUMNS),
    ] = None,
    target: Annotated[
        Names | None,
        typer.Option(
            help="Column to forecast; several make several series.", rich_help_panel=_COLUMNS
        ),
    ] = None,
    series: Annotated[
        Names | None,
        typer.Option(
            help="Column with the name of the series (repeat for more).", rich_help_panel=_COLUMNS
        ),
    ] = None,
    known: Annotated[
        Names | None,
        typer.Option(help="Covariate known ahead (repeat for more).", rich_help_panel=_COLUMNS),
    ] = None,
    past: Annotated[
        Names | None,
        typer.Option(help="Covariate known up to now.", rich_help_panel=_COLUMNS),
    ] = None,
    static: Annotated[
        Names | None,
        typer.Option(help="Column that stays the same in a series.", rich_help_panel=_COLUMNS),
    ] = None,
    time_format: Annotated[
        str | None,
        typer.Option(help="As %d/%m/%Y [default: found out].", rich_help_panel=_COLUMNS),
    ] = None,
    frequency: Annotated[
        str | None,
        typer.Option(help="As D, W, M, 15min [default: found out].", rich_help_panel=_COLUMNS),
    ] = None,
    horizon: Annotated[int | None, typer.Option(min=1, help="Steps to forecast.")] = None,
    context: Annotated[int | None, typer.Option(min=2, help="Steps to look back on.")] = None,
    season: Annotated[
        list[int] | None, typer.Option(min=1, help="Seasonal period in steps, main one first.")
    ] = None,
    windows: Annotated[
        int | None, typer.Option(min=0, help="Backtest windows per series; 0 for no backtest.")
    ] = None,
    compare: Annotated[
        bool, typer.Option(help="Train the network without memory as well, to compare.")
    ] = True,
    cell: Cell = "lstm",
    units: Units = None,
    layers: Layers = None,
    dropout: Dropout = None,
    space: Annotated[
        str,
        typer.Option(help="auto, log (relative errors) or linear.", rich_help_panel=_MODEL),
    ] = "auto",
    steps: Annotated[
        int | None, typer.Option(min=1, help="Most training steps.", rich_help_panel=_MODEL)
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Windows in a batch.", rich_help_panel=_MODEL)
    ] = None,
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
    from relembra.tasks import Columns, Forecaster
    from relembra.tasks.forecast import DEFAULT_TRAINING, DEFAULT_TRUNK

    if resume and out is None:
        raise ConfigError("--resume needs --out: the folder whose run is to go on")
    columns = Columns(
        time=time_column,
        target=_one_or_many(target),
        series=_one_or_many(series),
        known=tuple(known or ()),
        past=tuple(past or ()),
        static=tuple(static or ()),
        time_format=time_format,
    )
    chosen = {"units": units, "layers": layers, "dropout": dropout}
    budget = {"steps": steps, "batch_size": batch_size, "learning_rate": learning_rate}
    model = Forecaster(
        horizon,
        context=context,
        seasons=tuple(season) if season else None,
        frequency=frequency,
        columns=columns,
        space=space,  # type: ignore[arg-type]  # checked where it is used
        trunk=replace(DEFAULT_TRUNK, cell=cell, **given(chosen)),
        training=replace(DEFAULT_TRAINING, seed=seed, **given(budget)),
    )
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
    ours = out is None or not out.exists()
    files = OutputFiles(given_folder(out) if out else fresh_folder("forecast", name))
    try:
        with blaming(data):
            job = run_forecast(
                model,
                panel,
                reading,
                files,
                title=name,
                windows=windows,
                compare=compare,
                resume=resume,
                force=force,
                watch=terminal.watcher(),
                say=terminal.say,
            )
    except RelembraError:
        if ours:
            remove_if_empty(files.folder)
        raise
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted; to go on, add: --resume --out {files.folder}") from None
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
    terminal.say("")
    terminal.say("Full table, forecasts and figures are in the report.")
    for kind, path in files.items():
        terminal.say(f"{kind:>8}: {path}")
    terminal.say(f"{seconds:8.1f} seconds")
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
