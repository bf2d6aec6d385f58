"""One training loop for every job: exact resume, truncated backpropagation, early stopping."""

from relembra.training._events import Aborted as Aborted
from relembra.training._events import Checkpointed as Checkpointed
from relembra.training._events import Evaluated as Evaluated
from relembra.training._events import Event as Event
from relembra.training._events import Finished as Finished
from relembra.training._events import NothingToResume as NothingToResume
from relembra.training._events import Started as Started
from relembra.training._events import StepDone as StepDone
from relembra.training._events import Subscriber as Subscriber
from relembra.training._history import History as History
from relembra.training._history import HistoryRow as HistoryRow
from relembra.training._loop import fit as fit
from relembra.training._objective import BatchSource as BatchSource
from relembra.training._objective import Objective as Objective
from relembra.training._objective import State as State
from relembra.training._progress import ProgressBar as ProgressBar
from relembra.training._settings import Training as Training
from relembra.training._tensorboard import TensorBoardWriter as TensorBoardWriter

__all__ = [
    "Aborted",
    "BatchSource",
    "Checkpointed",
    "Evaluated",
    "Event",
    "Finished",
    "History",
    "HistoryRow",
    "NothingToResume",
    "Objective",
    "ProgressBar",
    "Started",
    "State",
    "StepDone",
    "Subscriber",
    "TensorBoardWriter",
    "Training",
    "fit",
]
