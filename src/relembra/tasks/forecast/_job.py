"""The whole job: read, try on the past, train on everything, forecast, write it all down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sklearn.base import clone

from relembra._errors import OutputExistsError
from relembra.data import Panel, ReadingReport
from relembra.tasks.forecast._backtest import Backtest, Watch, backtest, can_backtest
from relembra.tasks.forecast._fitting import RunFolder
from relembra.tasks.forecast._forecast import Forecast
from relembra.tasks.forecast._forecaster import Forecaster
from relembra.tasks.forecast._report import build_report

__all__ = ["ForecastJob", "OutputFiles", "run_forecast"]


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
                    f"{path} exists; choose another folder, or say force to replace it"
                )


@dataclass(frozen=True)
class ForecastJob:
    """What a forecast job found and wrote."""

    model: Forecaster
    forecast: Forecast
    backtest: Backtest | None
    files: OutputFiles


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
    DataError
        The data is too short.
    """
    if not (resume or force):
        files.check_free()
    folder = RunFolder(files.checkpoints, resume, force)
    tested = None
    if windows is None and not can_backtest(forecaster, panel):
        say("no backtest: the series are too short to hold a part of them out")
    elif windows != 0:
        tested = backtest(
            forecaster, panel, count=windows, compare=compare, folder=folder, watch=watch
        )
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
