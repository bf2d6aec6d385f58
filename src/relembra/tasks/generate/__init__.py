"""Language models: what comes next, in text or in music."""

from relembra.tasks.generate._baselines import Baseline as Baseline
from relembra.tasks.generate._baselines import ngram_baseline as ngram_baseline
from relembra.tasks.generate._baselines import xz_baseline as xz_baseline
from relembra.tasks.generate._chat import Dialogue as Dialogue
from relembra.tasks.generate._generating import Reader as Reader
from relembra.tasks.generate._job import Evaluation as Evaluation
from relembra.tasks.generate._job import GenerateFiles as GenerateFiles
from relembra.tasks.generate._job import GenerateJob as GenerateJob
from relembra.tasks.generate._job import evaluate_model as evaluate_model
from relembra.tasks.generate._job import run_generate as run_generate
from relembra.tasks.generate._job import training_text as training_text
from relembra.tasks.generate._language_model import LanguageModel as LanguageModel
from relembra.tasks.generate._report import HEADER as HEADER
from relembra.tasks.generate._report import score_rows as score_rows
from relembra.tasks.generate._report import verdict_line as verdict_line
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
    "HEADER",
    "Baseline",
    "Dialogue",
    "Dynamic",
    "Evaluation",
    "GenerateFiles",
    "GenerateJob",
    "Language",
    "LanguageModel",
    "LanguageScores",
    "Reader",
    "Sampling",
    "evaluate_model",
    "filtered",
    "ngram_baseline",
    "run_generate",
    "score_rows",
    "training_text",
    "verdict_line",
    "xz_baseline",
]
