"""`relembra predict` with a forecaster: what follows new data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relembra.cli._output import blaming, predictions_file

if TYPE_CHECKING:
    from relembra.cli._predict import PredictRequest

__all__ = ["predict_forecast"]


def predict_forecast(request: PredictRequest) -> None:
    """Forecast what follows the data, and write it."""
    from relembra._errors import ConfigError
    from relembra.data import read_panel
    from relembra.tasks import Forecaster

    terminal, data = request.terminal, request.data
    if request.output is not None and request.output.suffix.lower() != ".csv":
        raise ConfigError(f"forecasts are written as .csv, and not as {request.output.name}")
    forecaster = Forecaster.load(request.model)
    panel, reading = read_panel(data, schema=forecaster.schema_)
    for line in reading.lines():
        terminal.say(line)
    with blaming(data):
        forecast = forecaster.forecast(panel)
    name = data, request.output, request.out, "forecast.csv"
    with predictions_file(*name, force=request.force) as path:
        forecast.write_csv(path, force=request.force)
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
