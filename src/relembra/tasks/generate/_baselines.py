"""What a language model has to beat: n-grams, and the compressor xz."""

from __future__ import annotations

import lzma
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from relembra.data import TextFiles, TextStream
from relembra.evaluation import NGramModel
from relembra.tasks.generate._corpus import TextFeature
from relembra.tasks.generate._scores import LanguageScores

__all__ = ["Baseline", "ngram_baseline", "xz_baseline"]

_MOST_TOKENS = 10_000_000  # that n-grams are counted in: they live in memory
_MOST_BYTES = 1 << 26  # that xz -9 looks back on


@dataclass(frozen=True)
class Baseline:
    """A baseline's score, and what is to be said about it."""

    name: str
    scores: LanguageScores
    note: str


def ngram_baseline(
    training: TextStream, test: TextStream, feature: TextFeature, order: int = 5
) -> Baseline:
    """Count n-grams of the same tokens, smoothed by modified Kneser-Ney.

    Of a very long text, the last 10 million tokens are counted.
    """
    seen = np.asarray(training.ids[-_MOST_TOKENS:])
    model = NGramModel(seen, feature.size, order)
    nats = 0.0
    for begin in range(0, len(test), _MOST_TOKENS):
        first = max(0, begin - order + 1)
        part = np.asarray(test.ids[first : begin + _MOST_TOKENS])
        nats -= float(model.log_probabilities(part)[begin - first :].sum())
    note = f"modified Kneser-Ney over {len(seen):,} tokens"
    return Baseline(f"{order}-gram", LanguageScores(nats, len(test), test.characters), note)


def xz_baseline(training: str | TextFiles, test: str | TextFiles, stream: TextStream) -> Baseline:
    """Return what ``xz -9`` needs for the test text when it has just packed the training text.

    It looks back on 64 MB.
    """
    before = _last_bytes(training)
    packed = _packed(before, _chunks(test)) - _packed(before, ())
    scores = LanguageScores(8 * packed * float(np.log(2)), len(stream), stream.characters)
    return Baseline("xz -9", scores, f"{packed:,} bytes more for the test text")


def _packed(before: bytes, text: Iterable[str]) -> int:
    """Return the bytes of a text that is packed behind another one."""
    packer = lzma.LZMACompressor(preset=9)
    size = len(packer.compress(before))
    size += sum(len(packer.compress(chunk.encode())) for chunk in text)
    return size + len(packer.flush())


def _last_bytes(text: str | TextFiles) -> bytes:
    """Return as much of the end of a text as xz looks back on."""
    kept = bytearray()
    for chunk in _chunks(text):
        kept += chunk.encode()
        if len(kept) > 2 * _MOST_BYTES:
            del kept[:-_MOST_BYTES]
    return bytes(kept[-_MOST_BYTES:])


def _chunks(text: str | TextFiles) -> Iterator[str]:
    return text.chunks() if isinstance(text, TextFiles) else iter([text])
