"""The tagging job: a tag for each step of text or numeric frames, and its report."""

from relembra.tasks.tag._tagger import Tagger as Tagger

__all__ = ["Tagger"]
