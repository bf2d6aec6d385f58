"""Readers, features, panels of series, windows and length-aware batches. Knows no model."""

from relembra.data._buckets import LengthBuckets as LengthBuckets
from relembra.data._frequency import Frequency as Frequency
from relembra.data._panel import Panel as Panel
from relembra.data._ragged import Ragged as Ragged
from relembra.data._read import read_panel as read_panel
from relembra.data._reading import ReadingReport as ReadingReport
from relembra.data._schema import PanelSchema as PanelSchema
from relembra.data._standardize import Standardizer as Standardizer
from relembra.data._vocabulary import Vocabulary as Vocabulary
from relembra.data._windows import WindowBatch as WindowBatch
from relembra.data._windows import Windows as Windows
from relembra.data._windows import WindowSpec as WindowSpec
from relembra.data._windows import forecast_batch as forecast_batch
from relembra.data._windows import window_batch as window_batch

__all__ = [
    "Frequency",
    "LengthBuckets",
    "Panel",
    "PanelSchema",
    "Ragged",
    "ReadingReport",
    "Standardizer",
    "Vocabulary",
    "WindowBatch",
    "WindowSpec",
    "Windows",
    "forecast_batch",
    "read_panel",
    "window_batch",
]
