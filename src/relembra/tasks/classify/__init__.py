"""Classification: one label for a whole sequence."""

from relembra.tasks.classify._baselines import BagOfWords as BagOfWords
from relembra.tasks.classify._baselines import Majority as Majority
from relembra.tasks.classify._classifier import Classifier as Classifier
from relembra.tasks.classify._data import LabelledRows as LabelledRows
from relembra.tasks.classify._data import chunks_of as chunks_of
from relembra.tasks.classify._data import read_labelled as read_labelled
from relembra.tasks.classify._evaluation import Evaluation as Evaluation
from relembra.tasks.classify._evaluation import evaluate_all as evaluate_all
from relembra.tasks.classify._evaluation import unknown_labels as unknown_labels
from relembra.tasks.classify._job import ClassifyFiles as ClassifyFiles
from relembra.tasks.classify._job import ClassifyJob as ClassifyJob
from relembra.tasks.classify._job import baselines_of as baselines_of
from relembra.tasks.classify._job import notes_of as notes_of
from relembra.tasks.classify._job import run_classify as run_classify
from relembra.tasks.classify._report import SCORE_HEADER as SCORE_HEADER
from relembra.tasks.classify._report import build_report as build_report
from relembra.tasks.classify._report import score_rows as score_rows
from relembra.tasks.classify._report import verdict_lines as verdict_lines
from relembra.tasks.classify._saliency import Saliency as Saliency
from relembra.tasks.classify._settings import DEFAULT_EMBEDDING as DEFAULT_EMBEDDING
from relembra.tasks.classify._settings import DEFAULT_TRAINING as DEFAULT_TRAINING
from relembra.tasks.classify._settings import DEFAULT_TRUNK as DEFAULT_TRUNK
from relembra.tasks.classify._settings import Defaults as Defaults
from relembra.tasks.classify._settings import defaults_for as defaults_for
from relembra.tasks.classify._stream import ClassStream as ClassStream
from relembra.tasks.classify._stream import StreamAnswer as StreamAnswer

__all__ = [
    "DEFAULT_EMBEDDING",
    "DEFAULT_TRAINING",
    "DEFAULT_TRUNK",
    "SCORE_HEADER",
    "BagOfWords",
    "ClassStream",
    "Classifier",
    "ClassifyFiles",
    "ClassifyJob",
    "Defaults",
    "Evaluation",
    "LabelledRows",
    "Majority",
    "Saliency",
    "StreamAnswer",
    "baselines_of",
    "build_report",
    "chunks_of",
    "defaults_for",
    "evaluate_all",
    "notes_of",
    "read_labelled",
    "run_classify",
    "score_rows",
    "unknown_labels",
    "verdict_lines",
]
