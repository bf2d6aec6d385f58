"""One job a package: which features, which head, which metric."""

from relembra.tasks.forecast import Columns as Columns
from relembra.tasks.forecast import Forecast as Forecast
from relembra.tasks.forecast import Forecaster as Forecaster
from relembra.tasks.generate import LanguageModel as LanguageModel

__all__ = ["Columns", "Forecast", "Forecaster", "LanguageModel"]
