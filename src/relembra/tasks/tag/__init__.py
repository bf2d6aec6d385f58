"""The tagging job: a tag for each step of text or numeric frames, and its report."""

from relembra.tasks.tag._data import TagData as TagData
from relembra.tasks.tag._data import column_of as column_of
from relembra.tasks.tag._data import open_rows as open_rows
from relembra.tasks.tag._data import read_tag_data as read_tag_data
from relembra.tasks.tag._evaluation import TagScores as TagScores
from relembra.tasks.tag._evaluation import tag_scores as tag_scores
from relembra.tasks.tag._evaluation import unknown_tags as unknown_tags
from relembra.tasks.tag._job import TagFiles as TagFiles
from relembra.tasks.tag._job import TagJob as TagJob
from relembra.tasks.tag._job import run_tag as run_tag
from relembra.tasks.tag._job import score_baseline as score_baseline
from relembra.tasks.tag._report import build_report as build_report
from relembra.tasks.tag._report import score_table as score_table
from relembra.tasks.tag._report import verdict_lines as verdict_lines
from relembra.tasks.tag._settings import DEFAULT_EMBEDDING as DEFAULT_EMBEDDING
from relembra.tasks.tag._settings import DEFAULT_TRAINING as DEFAULT_TRAINING
from relembra.tasks.tag._settings import DEFAULT_TRUNK as DEFAULT_TRUNK
from relembra.tasks.tag._settings import training_for as training_for
from relembra.tasks.tag._tagger import Tagger as Tagger
from relembra.tasks.tag._writing import TagPiece as TagPiece
from relembra.tasks.tag._writing import check_tag_ending as check_tag_ending
from relembra.tasks.tag._writing import write_tags as write_tags

__all__ = [
    "DEFAULT_EMBEDDING",
    "DEFAULT_TRAINING",
    "DEFAULT_TRUNK",
    "TagData",
    "TagFiles",
    "TagJob",
    "TagPiece",
    "TagScores",
    "Tagger",
    "build_report",
    "check_tag_ending",
    "column_of",
    "open_rows",
    "read_tag_data",
    "run_tag",
    "score_baseline",
    "score_table",
    "tag_scores",
    "training_for",
    "unknown_tags",
    "verdict_lines",
    "write_tags",
]
