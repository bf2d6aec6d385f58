"""One job a package: which features, which head, which metric."""

from relembra.tasks.classify import Classifier as Classifier
from relembra.tasks.forecast import Columns as Columns
from relembra.tasks.forecast import Forecast as Forecast
from relembra.tasks.forecast import Forecaster as Forecaster
from relembra.tasks.generate import LanguageModel as LanguageModel
from relembra.tasks.tag import Tagger as Tagger

__all__ = ["Classifier", "Columns", "Forecast", "Forecaster", "LanguageModel", "Tagger"]
