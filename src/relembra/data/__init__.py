"""Readers, features, panels of series, windows and length-aware batches. Knows no model."""

from relembra.data._audio import Audio as Audio
from relembra.data._buckets import LengthBuckets as LengthBuckets
from relembra.data._characters import Characters as Characters
from relembra.data._encoded import Encoded as Encoded
from relembra.data._encoded import EncodedIds as EncodedIds
from relembra.data._encoded import Feature as Feature
from relembra.data._encoded import Inputs as Inputs
from relembra.data._features import feature_from_json as feature_from_json
from relembra.data._frames import EncodedFrames as EncodedFrames
from relembra.data._frames import Frames as Frames
from relembra.data._frequency import Frequency as Frequency
from relembra.data._image_scan import ImageScan as ImageScan
from relembra.data._image_scan import Scan as Scan
from relembra.data._image_sequence import EncodedImages as EncodedImages
from relembra.data._image_sequence import ImageSequence as ImageSequence
from relembra.data._label_codes import Labels as Labels
from relembra.data._label_codes import label_codes as label_codes
from relembra.data._labelled import LabelledTexts as LabelledTexts
from relembra.data._labelled import TextTable as TextTable
from relembra.data._labelled import open_texts as open_texts
from relembra.data._labelled import read_texts as read_texts
from relembra.data._labelled_files import LabelledFiles as LabelledFiles
from relembra.data._labelled_files import find_files as find_files
from relembra.data._labelled_files import read_files as read_files
from relembra.data._labelled_frames import LabelledFrames as LabelledFrames
from relembra.data._labelled_frames import read_frames as read_frames
from relembra.data._media import Medium as Medium
from relembra.data._media import is_path as is_path
from relembra.data._media import medium_of as medium_of
from relembra.data._panel import Panel as Panel
from relembra.data._ragged import Ragged as Ragged
from relembra.data._read import read_panel as read_panel
from relembra.data._reading import ReadingReport as ReadingReport
from relembra.data._row_numbers import row_numbers as row_numbers
from relembra.data._schema import PanelSchema as PanelSchema
from relembra.data._standardize import Standardizer as Standardizer
from relembra.data._subwords import Subwords as Subwords
from relembra.data._symbols import Symbols as Symbols
from relembra.data._tagged import TaggedFile as TaggedFile
from relembra.data._tagged import TaggedTokens as TaggedTokens
from relembra.data._tagged import conllu_field as conllu_field
from relembra.data._tagged import conllu_lines as conllu_lines
from relembra.data._tagged import is_conllu as is_conllu
from relembra.data._tagged import open_tagged as open_tagged
from relembra.data._tagged import read_tagged as read_tagged
from relembra.data._tagged_frames import TaggedFrames as TaggedFrames
from relembra.data._tagged_frames import read_tagged_frames as read_tagged_frames
from relembra.data._text_files import TextFiles as TextFiles
from relembra.data._text_stream import StreamRows as StreamRows
from relembra.data._text_stream import TextStream as TextStream
from relembra.data._texts import Texts as Texts
from relembra.data._vocabulary import Vocabulary as Vocabulary
from relembra.data._windows import WindowBatch as WindowBatch
from relembra.data._windows import Windows as Windows
from relembra.data._windows import WindowSpec as WindowSpec
from relembra.data._windows import forecast_batch as forecast_batch
from relembra.data._windows import window_batch as window_batch
from relembra.data._word_characters import EncodedWords as EncodedWords
from relembra.data._word_characters import WordCharacters as WordCharacters
from relembra.data._words import Words as Words

__all__ = [
    "Audio",
    "Characters",
    "Encoded",
    "EncodedFrames",
    "EncodedIds",
    "EncodedImages",
    "EncodedWords",
    "Feature",
    "Frames",
    "Frequency",
    "ImageScan",
    "ImageSequence",
    "Inputs",
    "LabelledFiles",
    "LabelledFrames",
    "LabelledTexts",
    "Labels",
    "LengthBuckets",
    "Medium",
    "Panel",
    "PanelSchema",
    "Ragged",
    "ReadingReport",
    "Standardizer",
    "Scan",
    "StreamRows",
    "Subwords",
    "Symbols",
    "TaggedFile",
    "TaggedFrames",
    "TaggedTokens",
    "TextFiles",
    "TextStream",
    "TextTable",
    "Texts",
    "Vocabulary",
    "WindowBatch",
    "WindowSpec",
    "Windows",
    "WordCharacters",
    "Words",
    "conllu_field",
    "conllu_lines",
    "feature_from_json",
    "find_files",
    "forecast_batch",
    "is_path",
    "label_codes",
    "medium_of",
    "is_conllu",
    "open_tagged",
    "open_texts",
    "read_files",
    "read_frames",
    "read_panel",
    "read_tagged",
    "read_tagged_frames",
    "read_texts",
    "row_numbers",
    "window_batch",
]
