"""Numeric sequences with a tag for each frame: .npz files."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from relembra._errors import DataError
from relembra.data._labelled_frames import read_arrays
from relembra.data._ragged import Ragged

__all__ = ["TaggedFrames", "read_tagged_frames"]


@dataclass(frozen=True, eq=False)
class TaggedFrames:
    """Numeric sequences in memory.

    Attributes
    ----------
    frames
        Rows ``(T_i, K)`` of numbers; NaN is missing.
    tags
        For each row a tag for each frame, texts or whole numbers; None where there are none.
    notes
        How the file was understood, as sentences for people.
    """

    frames: Ragged
    tags: list[list[str | int]] | None
    notes: tuple[str, ...]


def read_tagged_frames(path: str | os.PathLike[str], *, part: str | None = None) -> TaggedFrames:
    """Read numeric sequences with a tag for each frame.

    Parameters
    ----------
    path
        An ``.npz`` file with ``X``, an array ``(n, T, K)`` or ``(n, T)``, with ``lengths`` ``(n,)``
        if rows end early, and ``y`` ``(n, T)``; or ``values`` ``(N, K)`` with ``offsets``
        ``(n + 1,)``, and ``y`` ``(N,)``. Without ``y`` there are no tags.
    part
        For files with several sets: ``"train"`` reads ``X_train`` and ``y_train``.

    Returns
    -------
    TaggedFrames

    Raises
    ------
    DataError
        The file cannot be read, or does not fit.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "waves.npz")
    ...     np.savez(file, X=np.zeros((2, 3)), y=[["up", "up", "down"]] * 2, lengths=[3, 1])
    ...     data = read_tagged_frames(file)
    >>> data.frames.lengths.tolist(), data.tags
    ([3, 1], [['up', 'up', 'down'], ['up']])
    """
    name = os.fspath(path)
    if not os.path.isfile(name):
        raise DataError("there is no such file", path=name)
    frames, y, notes = read_arrays(name, part)
    return TaggedFrames(frames, None if y is None else _tags(name, y, frames), notes)


def _tags(path: str, y: npt.NDArray[np.generic], frames: Ragged) -> list[list[str | int]]:
    lengths = frames.lengths.tolist()
    steps = max(lengths, default=0)
    if y.dtype.kind not in "iuU":
        raise DataError(
            f"y has type {y.dtype}; expected texts or whole numbers, a tag for each frame",
            path=path,
        )
    if y.ndim == 2 and len(y) == len(lengths) and y.shape[1] >= steps:
        return [row[:n].tolist() for row, n in zip(y, lengths, strict=True)]
    if y.shape == (len(frames.values),):
        whole = Ragged(y, frames.offsets)
        return [whole[i].tolist() for i in range(len(whole))]
    raise DataError(
        f"y has shape {y.shape}; expected a tag for each of {len(frames.values):,} frames: "
        f"({len(lengths)}, {steps}) beside X, or ({len(frames.values)},) beside values",
        path=path,
    )
