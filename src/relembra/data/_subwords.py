"""Text as pieces of words, learnt by the library tokenizers."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from torch import Tensor

from relembra._errors import ArtifactError, ConfigError, DataError, MissingExtraError
from relembra._files import JSON
from relembra.data._encoded import EncodedIds, check_texts, each_text, field
from relembra.data._gathering import blocks, gather_ids
from relembra.data._types import Ints

__all__ = ["Subwords"]

_RESERVED = 2  # padding and unknown, as in every vocabulary; there is nothing unknown to bytes
_BYTES = 256


@dataclass(frozen=True)
class Subwords:
    """Text as pieces of words: byte pairs (Sennrich 2016) over the bytes of UTF-8.

    Every text has ids, and decoding them gives the very same text. Needs the package
    ``tokenizers``: ``pip install 'relembra[subwords]'``.

    Parameters
    ----------
    description
        The trained tokenizer in the JSON of that package.

    Examples
    --------
    >>> feature = Subwords.fit(["o rato roeu a roupa do rei de roma"] * 2, size=270)
    >>> ids = feature.ids("a rua do rei 🐀")
    >>> feature.decode(ids)
    'a rua do rei 🐀'
    >>> feature.size
    272
    """

    kind: ClassVar[str] = "subwords"

    description: str

    @classmethod
    def fit(cls, texts: Iterable[str], *, size: int = 8000, least: int = 2) -> Subwords:
        """Learn the pieces from training texts.

        Parameters
        ----------
        texts
            Training texts, read once: a generator will do.
        size
            At most so many pieces, 256 single bytes among them.
        least
            Pieces that were seen less often are not made.

        Returns
        -------
        Subwords

        Raises
        ------
        MissingExtraError
            The package ``tokenizers`` is not there.
        ConfigError
            ``size`` is less than 256, or ``least`` less than 1.
        DataError
            ``texts`` is one text.
        """
        if size < _BYTES or least < 1:
            raise ConfigError(
                f"size is {size} and least is {least}; expected 256 or more and 1 or more"
            )
        if isinstance(texts, str):
            check_texts(texts)
        library = _library()
        tokenizer = library.Tokenizer(library.models.BPE())
        tokenizer.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = library.decoders.ByteLevel()
        trainer = library.trainers.BpeTrainer(
            vocab_size=size,
            min_frequency=least,
            show_progress=False,
            initial_alphabet=library.pre_tokenizers.ByteLevel.alphabet(),
        )
        tokenizer.train_from_iterator(texts, trainer)
        return cls(tokenizer.to_str())

    @property
    def size(self) -> int:
        """How many different ids there are, padding and unknown included."""
        return int(self._tokenizer.get_vocab_size()) + _RESERVED

    def encode(self, texts: Iterable[str]) -> EncodedIds:
        """Return the ids of the pieces of each text; on disk where they are more than 256 MB.

        Raises
        ------
        DataError
            ``texts`` is one text, or holds something else than texts.
        MissingExtraError
            The package ``tokenizers`` is not there.
        """
        encode = self._tokenizer.encode_batch
        rows = (row.ids for some in blocks(each_text(texts)) for row in encode(some))
        return EncodedIds(gather_ids(rows, _flat, self.size))

    def ids(self, text: str) -> Ints:
        """Return the ids of one text, ``(T,)`` int64."""
        return self.encode([text]).ids.values.astype(np.int64)

    def decode(self, ids: npt.ArrayLike) -> str:
        r"""Return the text of some ids; padding and the unknown are left out.

        Ids that end inside a character give ``"\ufffd"`` for it.

        Raises
        ------
        DataError
            An id is outside the vocabulary.
        """
        numbers = np.asarray(ids, np.int64).reshape(-1)
        wrong = numbers[(numbers < 0) | (numbers >= self.size)]
        if len(wrong):
            raise DataError(f"{wrong[0]} is no piece; expected numbers from 0 to {self.size - 1}")
        pieces = (numbers[numbers >= _RESERVED] - _RESERVED).tolist()
        return str(self._tokenizer.decode(pieces, skip_special_tokens=False))

    def to_json(self) -> dict[str, JSON]:
        """Return what rebuilds it, as JSON values."""
        return {"kind": self.kind, "tokenizer": json.loads(self.description)}

    def tensors(self) -> dict[str, Tensor]:
        """Return no tensors."""
        return {}

    @classmethod
    def from_json(cls, values: Mapping[str, object], tensors: Mapping[str, Any]) -> Subwords:
        """Return what :meth:`to_json` described.

        Raises
        ------
        ArtifactError
            The description is damaged.
        MissingExtraError
            The package ``tokenizers`` is not there.
        """
        description = json.dumps(field(values, "tokenizer", dict), ensure_ascii=False)
        feature = cls(description)
        try:
            _ = feature._tokenizer
        except MissingExtraError:
            raise
        except Exception as error:  # the package raises nothing more special
            raise ArtifactError(
                f"the subwords of the model are damaged ({error}); copy the file anew"
            ) from error
        return feature

    @cached_property
    def _tokenizer(self) -> Any:
        return _library().Tokenizer.from_str(self.description)


def _flat(rows: list[list[int]]) -> Ints:
    return np.fromiter(chain.from_iterable(rows), np.int64) + _RESERVED


def _library() -> Any:
    try:
        return importlib.import_module("tokenizers")
    except ImportError as error:
        raise MissingExtraError(
            "subwords need the package tokenizers: pip install 'relembra[subwords]'"
        ) from error
