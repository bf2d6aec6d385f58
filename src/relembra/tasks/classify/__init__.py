"""Classification: one label for a whole sequence."""

from relembra.tasks.classify._classifier import Classifier as Classifier
from relembra.tasks.classify._saliency import Saliency as Saliency
from relembra.tasks.classify._settings import DEFAULT_EMBEDDING as DEFAULT_EMBEDDING
from relembra.tasks.classify._settings import DEFAULT_TRAINING as DEFAULT_TRAINING
from relembra.tasks.classify._settings import DEFAULT_TRUNK as DEFAULT_TRUNK
from relembra.tasks.classify._stream import ClassStream as ClassStream
from relembra.tasks.classify._stream import StreamAnswer as StreamAnswer

__all__ = [
    "DEFAULT_EMBEDDING",
    "DEFAULT_TRAINING",
    "DEFAULT_TRUNK",
    "ClassStream",
    "Classifier",
    "Saliency",
    "StreamAnswer",
]
