"""`relembra predict`: a saved model on new data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from relembra.cli._options import Force, Json, Out, Quiet, Threads
from relembra.cli._output import Terminal, data_name, fresh_folder, given_folder, set_threads

__all__ = ["predict"]


def predict(
    model: Annotated[Path, typer.Argument(help="A model.safetensors file.")],
    data: Annotated[Path, typer.Argument(help="The series up to now, in the form of training.")],
    out: Out = None,
    force: Force = False,
    threads: Threads = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Forecast what follows new data with a saved model.

    Example: `relembra predict runs/forecast-sales-1/model.safetensors sales-until-june.csv`
    """
    from relembra._errors import OutputExistsError
    from relembra.data import read_panel
    from relembra.tasks import Forecaster

    set_threads(threads)
    terminal = Terminal(quiet=quiet, as_json=as_json)
    forecaster = Forecaster.load(model)
    panel, reading = read_panel(data, schema=forecaster.schema_)
    for line in reading.lines():
        terminal.say(line)
    forecast = forecaster.forecast(panel)
    folder = given_folder(out) if out else fresh_folder("predict", data_name(data))
    path = folder / "forecast.csv"
    if path.exists() and not force:
        raise OutputExistsError(f"{path} exists; choose another --out, or say --force")
    forecast.write_csv(path, force=force)
    terminal.say(f"forecast: {path}")
    terminal.result(
        {
            "job": "forecast",
            "horizon": forecast.mean.shape[1],
            "series": len(forecast.ids),
            "data": reading.to_dict(),
            "files": {"forecast": path},
        }
    )
