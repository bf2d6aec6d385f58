"""Forecasting: one global network over one series or many."""

from relembra.tasks.forecast._backtest import Backtest as Backtest
from relembra.tasks.forecast._backtest import backtest as backtest
from relembra.tasks.forecast._backtest import before_backtest as before_backtest
from relembra.tasks.forecast._fitting import RunFolder as RunFolder
from relembra.tasks.forecast._forecast import Forecast as Forecast
from relembra.tasks.forecast._forecaster import Forecaster as Forecaster
from relembra.tasks.forecast._inputs import read_series as read_series
from relembra.tasks.forecast._job import ForecastJob as ForecastJob
from relembra.tasks.forecast._job import OutputFiles as OutputFiles
from relembra.tasks.forecast._job import check_job as check_job
from relembra.tasks.forecast._job import run_forecast as run_forecast
from relembra.tasks.forecast._report import verdict_lines as verdict_lines
from relembra.tasks.forecast._settings import DEFAULT_LEVELS as DEFAULT_LEVELS
from relembra.tasks.forecast._settings import DEFAULT_TRAINING as DEFAULT_TRAINING
from relembra.tasks.forecast._settings import DEFAULT_TRUNK as DEFAULT_TRUNK
from relembra.tasks.forecast._settings import Columns as Columns

__all__ = [
    "DEFAULT_LEVELS",
    "DEFAULT_TRAINING",
    "DEFAULT_TRUNK",
    "Backtest",
    "Columns",
    "Forecast",
    "ForecastJob",
    "Forecaster",
    "OutputFiles",
    "RunFolder",
    "backtest",
    "before_backtest",
    "check_job",
    "read_series",
    "run_forecast",
    "verdict_lines",
]
