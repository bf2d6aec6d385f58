"""The whole job: read, try on the past, train on everything, forecast, write it all down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone

from relembra._errors import OutputExistsError
from relembra.data import Panel, ReadingReport, WindowSpec, forecast_batch
from relembra.tasks.forecast._backtest import Backtest, Watch, backtest, can_backtest, held_out
from relembra.tasks.forecast._fitting import RunFolder
from relembra.tasks.forecast._forecast import Forecast
from relembra.tasks.forecast._forecaster import Forecaster
from relembra.tasks.forecast._report import build_report
from relembra.tasks.forecast._space import in_logs

__all__ = ["ForecastJob", "OutputFiles", "check_job", "run_forecast"]

_CHUNK = 512  # series looked at together


@dataclass(frozen=True)
class OutputFiles:
    """Where a forecast job writes."""

    folder: Path

    @property
    def forecast(self) -> Path:
        """The forecasts as CSV."""
        return self.folder / "forecast.csv"

    @property
    def model(self) -> Path:
        """The model."""
        return self.folder / "model.safetensors"

    @property
    def report(self) -> Path:
        """The report."""
        return self.folder / "report.html"

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.folder / "checkpoints"

    def check_free(self) -> None:
        """Raise `OutputExistsError` when one of the files exists."""
        for path in (self.forecast, self.model, self.report):
            if path.exists():
                raise OutputExistsError(
                    f"{path} exists; choose another folder, or say --force to replace it"
                )


@dataclass(frozen=True)
class ForecastJob:
    """What a forecast job found and wrote."""

    model: Forecaster
    forecast: Forecast
    backtest: Backtest | None
    files: OutputFiles


def check_job(forecaster: Forecaster, panel: Panel, *, windows: int | None = None) -> None:
    """Raise what would stop `run_forecast` later, before anything is trained or written.

    Raises
    ------
    DataError
        The data is too short, has values that the space does not allow, or lacks known covariates
        in the horizon.
    ConfigError
        A parameter makes no sense.
    """
    until = panel.observed_lengths
    plan = forecaster.plan(panel, until)
    in_logs(panel, np.arange(len(panel)), until, plan.space)
    _check_future(panel, until, plan.horizon)
    if windows is not None and windows != 0:
        held_out(forecaster, panel, windows)


def _check_future(panel: Panel, until: Any, horizon: int) -> None:
    """Raise `DataError` when a known covariate is missing in the horizon of a series."""
    if panel.known.shape[1]:
        series = np.flatnonzero(until > 0)
        for i in range(0, len(series), _CHUNK):
            forecast_batch(panel, WindowSpec(1, horizon), series[i : i + _CHUNK])


def run_forecast(
    forecaster: Forecaster,
    panel: Panel,
    reading: ReadingReport,
    files: OutputFiles,
    *,
    title: str,
    windows: int | None = None,
    compare: bool = True,
    resume: bool = False,
    force: bool = False,
    watch: Watch = lambda name: (),
    say: Callable[[str], Any] = lambda line: None,
) -> ForecastJob:
    """Backtest a forecaster, train it on all data, and write forecast, model and report.

    Parameters
    ----------
    forecaster
        Its parameters.
    panel, reading
        The data and how it was read.
    files
        Where to write; the folder must exist.
    title
        What the report is about.
    windows
        Backtest windows for each series: None chooses, 0 skips the backtest.
    compare
        Whether the backtest includes the network without memory.
    resume, force
        Go on from the checkpoints in the folder, or replace what is there.
    watch, say
        Make the subscribers of each training; told what is going on.

    Raises
    ------
    OutputExistsError
        A result is there, and neither `resume` nor `force` is given.
    DataError, ConfigError
        As `check_job`.
    """
    check_job(forecaster, panel, windows=windows)
    if not force and not (resume and files.checkpoints.is_dir()):
        files.check_free()  # a run goes on over its own results, but over no others
    folder = RunFolder(files.checkpoints, resume, force)
    tested = None
    if windows is None and not can_backtest(forecaster, panel):
        say("no backtest: the series are too short to hold a part of them out")
    elif windows != 0:
        say("backtest: training on what precedes the held-out windows")
        tested = backtest(
            forecaster, panel, count=windows, compare=compare, folder=folder, watch=watch
        )
    if tested is not None and windows is not None and tested.held.count < windows:
        say(f"{tested.held.count} backtest windows fit into the series, not {windows}")
    model = clone(forecaster)
    known = None
    if tested is not None:
        plan = tested.model.plan_
        model.set_params(horizon=plan.horizon)
        known = tested.model.fitted_
    say("training on all data")
    model.fit_panel(
        panel,
        panel.observed_lengths,
        known=known,
        folder=folder.inside("all"),
        subscribers=watch("all data"),
    )
    forecast = model.forecast()
    replace = force or resume
    forecast.write_csv(files.forecast, force=replace)
    model.save(files.model, force=replace)
    build_report(title, reading, model, forecast, tested).write(files.report, force=replace)
    return ForecastJob(model, forecast, tested, files)
