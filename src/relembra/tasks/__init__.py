"""One job a package: which features, which head, which metric."""

from relembra.tasks.forecast import Columns as Columns
from relembra.tasks.forecast import Forecast as Forecast
from relembra.tasks.forecast import Forecaster as Forecaster
from relembra.tasks.tag import Tagger as Tagger

__all__ = ["Columns", "Forecast", "Forecaster", "Tagger"]
