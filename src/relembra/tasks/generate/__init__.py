"""Language models: what comes next, in text or in music."""

from relembra.tasks.generate._generating import Reader as Reader
from relembra.tasks.generate._language_model import LanguageModel as LanguageModel
from relembra.tasks.generate._sampling import Sampling as Sampling
from relembra.tasks.generate._sampling import filtered as filtered
from relembra.tasks.generate._scores import LanguageScores as LanguageScores
from relembra.tasks.generate._settings import DEFAULT_LANGUAGE as DEFAULT_LANGUAGE
from relembra.tasks.generate._settings import DEFAULT_TRAINING as DEFAULT_TRAINING
from relembra.tasks.generate._settings import DEFAULT_TRUNK as DEFAULT_TRUNK
from relembra.tasks.generate._settings import Dynamic as Dynamic
from relembra.tasks.generate._settings import Language as Language

__all__ = [
    "DEFAULT_LANGUAGE",
    "DEFAULT_TRAINING",
    "DEFAULT_TRUNK",
    "Dynamic",
    "Language",
    "LanguageModel",
    "LanguageScores",
    "Reader",
    "Sampling",
    "filtered",
]
