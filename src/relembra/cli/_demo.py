"""`relembra demo`: the main job on real series that come with sktime."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import BinaryIO

from relembra._errors import MissingExtraError
from relembra._files import atomic_write
from relembra.cli._forecast import run
from relembra.cli._options import Force, Json, Out, Quiet, Seed, Threads
from relembra.cli._output import Terminal, fresh_folder, given_folder

__all__ = ["demo"]

_FILES = (
    ("airline passengers", "Airline/Airline.csv", "%Y-%m"),
    ("road casualties", "seatbelts/seatbelts.csv", "%Y-%m-%d"),
)


def demo(
    out: Out = None,
    force: Force = False,
    seed: Seed = 0,
    threads: Threads = 1,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Forecast real monthly series that come with sktime, and write a report to look at.

    Example: `relembra demo --out demo`
    """
    from relembra._config import replace
    from relembra.tasks import Columns, Forecaster
    from relembra.tasks.forecast import DEFAULT_TRAINING

    terminal = Terminal(quiet=quiet, as_json=as_json)
    rows = list(_series())
    folder = given_folder(out) if out else fresh_folder("demo", "monthly")
    data = folder / "monthly.csv"
    _write_series(rows, data, force)
    terminal.say(
        "Two real monthly series that come with sktime: airline passengers 1949-1960 (Box & "
        "Jenkins 1976), and people killed or seriously injured on British roads 1969-1984 (Harvey "
        "& Durbin 1986)."
    )
    model = Forecaster(
        columns=Columns(time="month", target="value", series="series"),
        training=replace(DEFAULT_TRAINING, seed=seed),
    )
    run(
        model,
        data,
        "monthly series",
        out=folder,
        windows=None,
        compare=True,
        resume=False,
        force=force,
        threads=threads,
        terminal=terminal,
    )
    terminal.say(
        f"\nOpen {folder / 'report.html'} in a browser; the forecasts are in "
        f"{folder / 'forecast.csv'}."
    )


def _write_series(rows: list[tuple[str, str, str]], path: Path, force: bool) -> None:
    def write(file: BinaryIO) -> None:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        csv.writer(text).writerows([("series", "month", "value"), *rows])
        text.detach()

    atomic_write(path, write, force=force)


def _series() -> Iterator[tuple[str, str, str]]:
    """Yield (series, month, value); read here since sktime's loaders take seconds to import."""
    try:
        folder = resources.files("sktime") / "datasets" / "data"
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            'the demo uses the series that sktime ships: pip install "relembra[demo]"'
        ) from error
    for name, file, form in _FILES:
        text = folder.joinpath(*file.split("/")).read_text("utf-8")
        for row in list(csv.reader(text.splitlines()))[1:]:
            month, value = row[0].strip(), row[1]
            yield name, datetime.strptime(month, form).strftime("%Y-%m"), value
