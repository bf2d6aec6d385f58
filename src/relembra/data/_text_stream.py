"""A text of any size as one memory-mapped array of ids."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from relembra._errors import ConfigError, DataError, OutputExistsError
from relembra._files import JSON, atomic_write
from relembra.data._text_files import TextFiles

__all__ = ["StreamRows", "TextStream"]

# The head of a safetensors file: its length, then JSON, filled up with blanks.
_HEAD = 1024
_TYPES: dict[str, np.dtype[Any]] = {
    "U8": np.dtype("u1"),
    "U16": np.dtype("<u2"),
    "I32": np.dtype("<i4"),
}


class _TextFeature(Protocol):
    @property
    def size(self) -> int: ...
    def ids(self, text: str) -> npt.NDArray[Any]: ...
    def to_json(self) -> dict[str, JSON]: ...


@dataclass(frozen=True, eq=False)
class TextStream:
    """Text as one contiguous stream of ids, in a file that is mapped into memory.

    Attributes
    ----------
    ids
        ``(N,)`` unsigned or signed whole numbers, as small as the vocabulary allows.
    characters
        How many characters the text has: what bits per character are divided by.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from relembra.data import Characters
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "poem.txt")
    ...     _ = file.write_text("tinha uma pedra no meio do caminho")
    ...     text = TextFiles.of(file)
    ...     feature = Characters.fit(text.chunks())
    ...     stream = TextStream.of(text, feature, folder)
    ...     len(stream), feature.decode(stream.tensor(10, 15))
    (34, 'pedra')
    """

    ids: npt.NDArray[Any]
    characters: int

    @classmethod
    def of(
        cls,
        texts: TextFiles | Sequence[str | os.PathLike[str]] | str | os.PathLike[str],
        feature: _TextFeature,
        folder: str | os.PathLike[str],
    ) -> TextStream:
        """Encode text files once, and map the ids.

        The text passes through memory a megabyte at a time. The file is named after the content of
        the text and the feature; if it is there already, nothing is encoded again.

        Parameters
        ----------
        texts
            UTF-8 text files, or a part of them.
        feature
            ``Characters``, ``Words`` or ``Subwords``.
        folder
            Where the file of ids goes; made if it is not there. No other file in it is touched.

        Returns
        -------
        TextStream

        Raises
        ------
        DataError
            A file cannot be read or is not UTF-8; there is no text.
        OutputExistsError
            A file of that name is in the folder, and is no such stream.
        ArtifactError
            The folder cannot be written.
        """
        files = texts if isinstance(texts, TextFiles) else TextFiles.of(texts)
        path = _cache_file(files, feature, Path(folder))
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                atomic_write(path, lambda out: _encode(files, feature, out))
            except OutputExistsError:
                pass  # somebody else encoded the same text meanwhile
        return cls(*_map(path))

    def __len__(self) -> int:
        return len(self.ids)

    def tensor(self, start: int, stop: int) -> Tensor:
        """Return the ids from ``start`` to before ``stop``: ``(stop - start,)`` int64."""
        return torch.from_numpy(self.ids[start:stop].astype(np.int64))


@dataclass(frozen=True, eq=False)
class StreamRows:
    """A stream as B rows side by side, walked through in steps of T: truncated backpropagation.

    Row b is the b-th of B equal parts of the stream, so that the state after one batch is the
    state before the next. Fewer than B ids at the end are left over, and the last batch may be
    shorter.

    Parameters
    ----------
    stream
        The ids.
    rows
        B.
    steps
        T.

    Raises
    ------
    ConfigError
        ``rows`` or ``steps`` is less than 1.
    DataError
        The stream is too short for so many rows.

    Examples
    --------
    >>> import numpy as np
    >>> batches = StreamRows(TextStream(np.arange(11), 11), rows=2, steps=3)
    >>> ids, targets = batches[1]
    >>> len(batches), ids.tolist(), targets.tolist()
    (2, [[3, 4], [8, 9]], [[4, 5], [9, 10]])
    """

    stream: TextStream
    rows: int
    steps: int

    def __post_init__(self) -> None:
        if self.rows < 1 or self.steps < 1:
            raise ConfigError(f"got {self.rows} rows of {self.steps} steps; expected 1 or more")
        if self._length < 1:
            raise DataError(
                f"the text has {len(self.stream)} ids, too few for {self.rows} rows; take fewer "
                "rows or more text"
            )

    @property
    def _length(self) -> int:
        """The targets of a row: its first id is the last row's last target."""
        return (len(self.stream) - 1) // self.rows

    def __len__(self) -> int:
        """Return the number of batches."""
        return math.ceil(self._length / self.steps)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Return ids and targets, both ``(B, T)`` int64; the targets are one step ahead."""
        if not 0 <= index < len(self):
            raise IndexError(f"batch {index} of {len(self)}")
        begin = index * self.steps
        steps = min(self.steps, self._length - begin)
        starts = begin + self._length * np.arange(self.rows)
        cells = np.stack([self.stream.ids[s : s + steps + 1] for s in starts]).astype(np.int64)
        both = torch.from_numpy(cells)
        return both[:, :-1], both[:, 1:]


def _cache_file(files: TextFiles, feature: _TextFeature, folder: Path) -> Path:
    described = json.dumps(feature.to_json(), sort_keys=True)
    name = hashlib.blake2b(f"{files.digest()} {described}".encode(), digest_size=12).hexdigest()
    return folder / f"text-{name}.safetensors"


def _encode(files: TextFiles, feature: _TextFeature, out: BinaryIO) -> None:
    name = next(n for n, t in _TYPES.items() if n == "I32" or feature.size - 1 <= np.iinfo(t).max)
    out.write(bytes(_HEAD))
    count = characters = 0
    for text in files.chunks():
        ids = feature.ids(text)
        out.write(ids.astype(_TYPES[name]).tobytes())
        count, characters = count + len(ids), characters + len(text)
    if not count:
        raise DataError("there is no text; expected at least one character", path=files.paths[0])
    out.seek(0)
    out.write(_head(name, count, characters))


def _head(kind: str, count: int, characters: int) -> bytes:
    described = {
        "__metadata__": {"kind": "text", "characters": str(characters)},
        "ids": {
            "dtype": kind,
            "shape": [count],
            "data_offsets": [0, count * _TYPES[kind].itemsize],
        },
    }
    text = json.dumps(described).encode().ljust(_HEAD - 8)
    return len(text).to_bytes(8, "little") + text


def _map(path: Path) -> tuple[npt.NDArray[Any], int]:
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD)
        described = json.loads(head[8:])
        kind, (count,) = described["ids"]["dtype"], described["ids"]["shape"]
        characters = int(described["__metadata__"]["characters"])
        if head != _head(kind, count, characters):
            raise ValueError("another head")
        if path.stat().st_size != _HEAD + count * _TYPES[kind].itemsize:
            raise ValueError("another size")
        ids = np.memmap(path, _TYPES[kind], "r", _HEAD, (count,))
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise OutputExistsError(
            f"{path} is there already, and is no stream of text that Relembra wrote ({error}); "
            "name another folder, or take the file away"
        ) from None
    return ids, characters
