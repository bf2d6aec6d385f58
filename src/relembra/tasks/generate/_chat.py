"""A dialogue: a language model of text in which every turn begins with a marker."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import torch

from relembra._errors import ConfigError, DataError
from relembra._random import derive
from relembra.tasks.generate._generating import pieces, tokens
from relembra.tasks.generate._language_model import LanguageModel
from relembra.tasks.generate._sampling import Sampling

__all__ = ["Dialogue", "markers_of"]

_MARKER = re.compile(r"^([^\W\d_][\w .'-]{0,19}:)(?= \S)", re.MULTILINE)
_LEAST = 3  # times that a marker must be there


def markers_of(text: str) -> tuple[str, str]:
    r"""Return the two markers that begin most lines of a text, in the order of their first turn.

    Raises
    ------
    DataError
        Fewer than two markers begin three lines or more.

    Examples
    --------
    >>> markers_of("User: hello\nSystem: hi\n" * 3)
    ('User:', 'System:')
    """
    counts = Counter(_MARKER.findall(text))
    common = [marker for marker, count in counts.most_common(2) if count >= _LEAST]
    if len(common) < 2:
        raise DataError(
            "the text that the model learnt from has no lines such as 'User: hello' and 'System: "
            "hi', turn by turn; train it on a dialogue, or name the markers"
        )
    first, second = sorted(common, key=text.index)
    return first, second


class Dialogue:
    """Turns between somebody and a language model, which remembers them in its state.

    Parameters
    ----------
    model
        Of characters, or of words or subwords in which a line's end is a token.
    you, other
        Markers of your turns and the model's; None finds them in what it learnt from.
    length
        Most tokens of an answer.
    temperature, top_p, seed
        As in `LanguageModel.generate`.

    Raises
    ------
    ConfigError
        Only one marker is given, or a setting makes no sense.
    DataError
        No markers are found.
    """

    def __init__(
        self,
        model: LanguageModel,
        you: str | None = None,
        other: str | None = None,
        *,
        length: int = 300,
        temperature: float = 0.5,
        top_p: float | None = 0.9,
        seed: int = 0,
    ) -> None:
        if (you is None) != (other is None):
            raise ConfigError("name the markers of both sides, or of none")
        self.you, self.other = (you, other) if you and other else markers_of(model.sample_)
        if model.feature_ is None:
            raise ConfigError("the model is one of frames and knows no text")
        self._feature = model.feature_
        self._sampling = Sampling(temperature=temperature, top_p=top_p)
        self._length, self._seed, self._turns = length, seed, 0
        self._reader = model.reader()

    def say(self, line: str) -> Iterator[str]:
        """Take a turn, and yield the model's answer piece by piece, up to the end of its line.

        Take all of it before the next turn.
        """
        before = self._read(f"{self.you} {' '.join(line.split())}\n{self.other}")
        self._turns += 1
        seed = derive(self._seed, "turn", self._turns)
        ids = tokens(self._reader, before, self._length, self._sampling, seed)
        begun = False
        for piece in pieces(self._feature, before, ids):
            text, end, _ = piece.partition("\n")
            text = text if begun else text.lstrip()
            begun = begun or bool(text)
            if text:
                yield text
            if end:
                return  # the end of the line has been read with its token
        self._read("\n")

    def _read(self, text: str) -> list[int]:
        ids: list[int] = self._feature.ids(text).tolist()
        self._reader.read(torch.tensor(ids))
        return ids
