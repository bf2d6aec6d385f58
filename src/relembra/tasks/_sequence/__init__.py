"""What jobs over sequences share: encoders, batches, held-out parts, model files."""

from relembra.tasks._sequence._batches import SequenceBatch as SequenceBatch
from relembra.tasks._sequence._batches import SequenceBatches as SequenceBatches
from relembra.tasks._sequence._batches import fingerprint as fingerprint
from relembra.tasks._sequence._changes import Changes as Changes
from relembra.tasks._sequence._changes import settle as settle
from relembra.tasks._sequence._encoder import FrameEncoder as FrameEncoder
from relembra.tasks._sequence._encoder import make_encoder as make_encoder
from relembra.tasks._sequence._estimator import SettingsEstimator as SettingsEstimator
from relembra.tasks._sequence._front import Front as Front
from relembra.tasks._sequence._front import front_lines as front_lines
from relembra.tasks._sequence._holding_out import check_test_share as check_test_share
from relembra.tasks._sequence._holding_out import hold_out as hold_out
from relembra.tasks._sequence._job_files import JobFiles as JobFiles
from relembra.tasks._sequence._model_file import SavedModel as SavedModel
from relembra.tasks._sequence._model_file import load_sequence_model as load_sequence_model
from relembra.tasks._sequence._model_file import rebuilding as rebuilding
from relembra.tasks._sequence._model_file import save_sequence_model as save_sequence_model
from relembra.tasks._sequence._predicting import in_order as in_order
from relembra.tasks._sequence._predicting import vectors_in_order as vectors_in_order
from relembra.tasks._sequence._prepared import Prepared as Prepared
from relembra.tasks._sequence._running import check_free as check_free
from relembra.tasks._sequence._running import networks_of as networks_of
from relembra.tasks._sequence._running import parts_of as parts_of
from relembra.tasks._sequence._running import train_all as train_all
from relembra.tasks._sequence._saving import SequenceEstimator as SequenceEstimator
from relembra.tasks._sequence._settings import DEFAULT_EMBEDDING as DEFAULT_EMBEDDING
from relembra.tasks._sequence._settings import Embedding as Embedding
from relembra.tasks._sequence._some_rows import SomeRows as SomeRows
from relembra.tasks._sequence._tables import ENDINGS as ENDINGS
from relembra.tasks._sequence._tables import check_ending as check_ending
from relembra.tasks._sequence._tables import write_table as write_table
from relembra.tasks._sequence._unknown_labels import note_unknown as note_unknown

__all__ = [
    "JobFiles",
    "DEFAULT_EMBEDDING",
    "ENDINGS",
    "Changes",
    "Embedding",
    "FrameEncoder",
    "Front",
    "Prepared",
    "SavedModel",
    "SequenceBatch",
    "SequenceBatches",
    "SequenceEstimator",
    "SettingsEstimator",
    "SomeRows",
    "check_ending",
    "check_free",
    "check_test_share",
    "fingerprint",
    "front_lines",
    "hold_out",
    "in_order",
    "load_sequence_model",
    "make_encoder",
    "networks_of",
    "note_unknown",
    "parts_of",
    "rebuilding",
    "save_sequence_model",
    "settle",
    "train_all",
    "vectors_in_order",
    "write_table",
]
