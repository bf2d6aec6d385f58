"""The search for settings: cell, units, layers, dropout and learning rate, for every job."""

from relembra.tasks.tune._files import TuneFiles as TuneFiles
from relembra.tasks.tune._jobs import MEASURES as MEASURES
from relembra.tasks.tune._jobs import SPACES as SPACES
from relembra.tasks.tune._report import best_rows as best_rows
from relembra.tasks.tune._report import build_report as build_report
from relembra.tasks.tune._report import summary_lines as summary_lines
from relembra.tasks.tune._shared import SharedData as SharedData
from relembra.tasks.tune._space import Between as Between
from relembra.tasks.tune._space import OneOf as OneOf
from relembra.tasks.tune._space import SearchSpace as SearchSpace
from relembra.tasks.tune._trials import TrialRow as TrialRow
from relembra.tasks.tune._trials import Tuning as Tuning
from relembra.tasks.tune._tuning import search as search
from relembra.tasks.tune._tuning import tune as tune

__all__ = [
    "MEASURES",
    "SPACES",
    "Between",
    "OneOf",
    "SearchSpace",
    "SharedData",
    "TrialRow",
    "TuneFiles",
    "Tuning",
    "best_rows",
    "build_report",
    "search",
    "summary_lines",
    "tune",
]
