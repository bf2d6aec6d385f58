"""Numeric sequences with a label each: .ts files of the UEA archive, and .npz files."""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from relembra._errors import DataError, blaming
from relembra.data._frames import as_frames, check_values
from relembra.data._ragged import Ragged
from relembra.data._ts_file import read_ts

__all__ = ["LabelledFrames", "read_arrays", "read_frames"]

_UNREADABLE = "this is no readable .npz file of numbers"


@dataclass(frozen=True, eq=False)
class LabelledFrames:
    """Numeric sequences in memory.

    Attributes
    ----------
    frames
        Rows ``(T_i, K)`` of numbers; NaN is missing.
    labels
        A label for each row, or None where the file has none.
    notes
        How the file was understood, as sentences for people.
    """

    frames: Ragged
    labels: list[str] | None
    notes: tuple[str, ...]


def read_frames(path: str | os.PathLike[str], *, part: str | None = None) -> LabelledFrames:
    """Read numeric sequences and their labels.

    Parameters
    ----------
    path
        The file; what it holds is told by its name:

        - ``.ts`` (also ``.gz``, ``.bz2``, ``.xz``): the UEA and UCR archive's format (Bagnall et
          al. 2018): univariate or not, of unequal length, missing values as ``?`` or ``NaN``.
        - ``.npz``: ``X``, an array ``(n, T, K)`` or ``(n, T)``, with ``lengths`` ``(n,)`` if rows
          end early; or ``values`` ``(N, K)`` with ``offsets`` ``(n + 1,)``; and ``y`` ``(n,)``, if
          there are labels. Objects are refused: loading them could run code.
    part
        For ``.npz`` files with several sets: ``"train"`` reads ``X_train`` and ``y_train``.

    Returns
    -------
    LabelledFrames

    Raises
    ------
    DataError
        The file cannot be read, or does not fit; file, and line of a ``.ts`` file, are named.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "waves.npz")
    ...     np.savez(file, X_train=np.zeros((2, 5, 3)), y_train=["up", "down"])
    ...     data = read_frames(file, part="train")
    >>> data.frames.lengths.tolist(), data.frames.values.shape, data.labels
    ([5, 5], (10, 3), ['up', 'down'])
    """
    name = os.fspath(path)
    if not os.path.isfile(name):
        raise DataError("there is no such file", path=name)
    if name.lower().endswith(".npz"):
        return _read_npz(name, part)
    if re.search(r"\.ts(\.gz|\.bz2|\.xz)?$", name.lower()) is None:
        raise DataError("the name ends neither in .ts nor in .npz; expected one of them", path=name)
    if part is not None:
        raise DataError(f"a .ts file has no parts; {part!r} was asked for", path=name)
    frames, labels, notes = read_ts(name)
    return LabelledFrames(frames, labels, notes)


def _read_npz(path: str, part: str | None) -> LabelledFrames:
    frames, y, notes = read_arrays(path, part)
    return LabelledFrames(frames, _labels(path, y, len(frames)), notes)


def read_arrays(
    path: str, part: str | None
) -> tuple[Ragged, npt.NDArray[Any] | None, tuple[str, ...]]:
    """Return the rows of an .npz file, what it calls y, and how it was understood."""
    try:
        with open(path, "rb") as raw:  # NumPy leaves it open where the archive is damaged
            file = np.load(raw, allow_pickle=False)
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise ValueError("it holds one array without a name")
            found = _part(path, file, part)
            arrays = {key: _array(path, file, name) for key, name in found.items()}
    except DataError:
        raise
    except ValueError:  # whose text advises to trust the file
        raise DataError(f"{_UNREADABLE}: it is of another kind", path=path) from None
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(f"{_UNREADABLE}: damaged or cut off: {error}", path=path) from None
    with blaming(path):
        rows = _frames(arrays)
        check_values(rows, gaps=True)  # here, where the rows still have the numbers of the file
    return rows, arrays.get("y"), (f"read: {', '.join(found.values())}",)


def _array(path: str, file: Mapping[str, Any], name: str) -> npt.NDArray[Any]:
    try:
        array: npt.NDArray[Any] = file[name]
    except ValueError:
        raise DataError(
            f"{_UNREADABLE}: {name!r} holds objects, or is damaged; arrays of objects are refused: "
            "save sequences of unequal length as 'values' and 'offsets'",
            path=path,
        ) from None
    return array


def _part(path: str, file: Mapping[str, Any], part: str | None) -> dict[str, str]:
    """Return the names in the file of ``X``, ``lengths``, ``values``, ``offsets`` and ``y``."""
    suffix = "" if part is None else f"_{part}"
    wanted = ("X", "lengths", "values", "offsets", "y")
    found = {key: key + suffix for key in wanted if key + suffix in file}
    if "X" in found or {"values", "offsets"} <= set(found):
        return found
    parts = sorted({name[2:] for name in file if name.startswith("X_")})
    hint = f"; name a part: {', '.join(parts)}" if parts else ""
    raise DataError(
        f"the file has {', '.join(sorted(file)) or 'nothing'}; expected 'X{suffix}', or "
        f"'values{suffix}' and 'offsets{suffix}'{hint}",
        path=path,
    )


def _frames(arrays: Mapping[str, npt.NDArray[Any]]) -> Ragged:
    if "X" not in arrays:
        return as_frames(Ragged(arrays["values"], arrays["offsets"].astype(np.int64)))
    values = arrays["X"]
    if values.ndim not in (2, 3) or values.dtype.kind not in "iufb" or 0 in values.shape[2:]:
        raise DataError(
            f"X has shape {values.shape} and type {values.dtype}; expected numbers (n, T, K) "
            "or (n, T)"
        )
    rows = as_frames(values)
    return rows if "lengths" not in arrays else _cut(rows, arrays["lengths"], values.shape[1])


def _cut(rows: Ragged, lengths: npt.NDArray[Any], steps: int) -> Ragged:
    whole = lengths.astype(np.int64) if lengths.dtype.kind in "iu" else np.full(1, -1)
    if whole.shape != (len(rows),) or whole.min(initial=0) < 0 or whole.max(initial=0) > steps:
        raise DataError(
            f"the lengths do not fit; expected a whole number from 0 to {steps} for each of "
            f"{len(rows)} rows"
        )
    return Ragged.of([rows[i][:n] for i, n in enumerate(whole.tolist())])


def _labels(path: str, labels: npt.NDArray[Any] | None, rows: int) -> list[str] | None:
    if labels is None:
        return None
    if labels.shape != (rows,):
        raise DataError(
            f"y has shape {labels.shape}; expected ({rows},), a label for each row", path=path
        )
    return [str(label) for label in labels.tolist()]
