"""Numeric frames: standardised, missing values filled and marked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from relembra._errors import ArtifactError, DataError
from relembra._files import JSON
from relembra.data._encoded import Inputs, field
from relembra.data._ragged import Ragged
from relembra.data._types import Floats, Floats32, Ints

__all__ = ["EncodedFrames", "Frames", "as_frames", "check_values"]

_CHUNK = 1 << 16
_INFINITE = "the value is infinite; correct it, or make it NaN for missing"
_MISSING = (
    "the value is missing, and none was in the training data; fill it in, or train with gaps=True"
)


@dataclass(frozen=True, eq=False)
class Frames:
    """Sequences of K numbers a step, standardised by training data.

    Missing values (NaN) are filled with the value last seen in the sequence, or the mean of the
    training data before there is one. If training data had missing values, each channel has two
    more: 1 where the value is missing, and log(1 + steps since it was last seen, or since before
    the first step). So a frame has K or 3 K channels: values, marks, steps. What a step becomes
    depends on the steps before alone.

    Parameters
    ----------
    mean, scale
        ``(K,)`` float64, of the training data; the scale is 1 where a channel never changes.
    gaps
        Whether missing values are allowed, and marked.

    Examples
    --------
    >>> feature = Frames.fit([[[0.0], [4.0]], [[2.0], [float("nan")], [2.0]]])
    >>> feature.mean.tolist(), feature.channels
    ([2.0], 3)
    >>> feature.encode([[[2.0], [float("nan")]]]).batch([0]).values["frames"].tolist()
    [[[0.0, 0.0, 0.0], [0.0, 1.0, 0.693...]]]
    """

    kind: ClassVar[str] = "frames"

    mean: Tensor
    scale: Tensor
    gaps: bool

    @classmethod
    def fit(
        cls, raw: Ragged | Sequence[npt.ArrayLike] | npt.NDArray[Any], *, gaps: bool | None = None
    ) -> Frames:
        """Measure training sequences.

        Parameters
        ----------
        raw
            Rows ``(T_i, K)`` or ``(T_i,)``: a :class:`Ragged`, possibly memory-mapped, a list of
            arrays, or an array ``(n, T, K)`` or ``(n, T)``. NaN is missing.
        gaps
            Whether missing values are to be expected; if there are any when None.

        Returns
        -------
        Frames

        Raises
        ------
        DataError
            Rows disagree in their channels, a value is infinite, or there are none at all.
        """
        rows = as_frames(raw)
        mean, scale, missing = _moments(rows)
        return cls(mean, scale, missing if gaps is None else gaps)

    @property
    def bands(self) -> int:
        """K, channels of the raw frames."""
        return len(self.mean)

    @property
    def channels(self) -> int:
        """Channels of the frames that a network gets: K, or 3 K with gaps."""
        return len(self.mean) * (3 if self.gaps else 1)

    def encode(self, raw: Ragged | Sequence[npt.ArrayLike] | npt.NDArray[Any]) -> EncodedFrames:
        """Return rows that are standardised when a batch is drawn: nothing is copied before.

        Raises
        ------
        DataError
            Rows have other channels than the training data, a value is infinite, or one is
            missing though none ever was in the training data; its place is named.
        """
        rows = as_frames(raw)
        if rows.values.shape[1] != len(self.mean):
            raise DataError(
                f"the frames have {rows.values.shape[1]} channels; expected {len(self.mean)}, as "
                "in the training data"
            )
        check_values(rows, self.gaps)
        return EncodedFrames(self, rows)

    def to_json(self) -> dict[str, JSON]:
        """Return what rebuilds it, as JSON values."""
        return {"kind": self.kind, "gaps": self.gaps}

    def tensors(self) -> dict[str, Tensor]:
        """Return ``mean`` and ``scale``."""
        return {"mean": self.mean, "scale": self.scale}

    @classmethod
    def from_json(cls, values: Mapping[str, object], tensors: Mapping[str, Tensor]) -> Frames:
        """Return what :meth:`to_json` and :meth:`tensors` described.

        Raises
        ------
        ArtifactError
            The description is damaged.
        """
        if not {"mean", "scale"} <= set(tensors) or tensors["mean"].shape != tensors["scale"].shape:
            raise ArtifactError("the model lacks the mean or scale of its frames: copy it anew")
        return cls(tensors["mean"], tensors["scale"], field(values, "gaps", bool))


@dataclass(frozen=True, eq=False)
class EncodedFrames:
    """Frames that are standardised batch by batch.

    Parameters
    ----------
    feature
        How.
    raw
        Rows ``(T_i, K)``.
    """

    feature: Frames
    raw: Ragged

    @property
    def lengths(self) -> Ints:
        """``(n,)`` int64: the frames of each row."""
        return self.raw.lengths

    def batch(self, indices: npt.ArrayLike) -> Inputs:
        """Return some rows as ``"frames"`` ``(B, T, channels)`` float32, padded with 0."""
        rows = self.raw.take(indices)
        frames, lengths = Ragged(_standardised(rows, self.feature), rows.offsets).padded(
            np.arange(len(rows))
        )
        return Inputs({"frames": frames}, lengths)


def as_frames(raw: Ragged | Sequence[npt.ArrayLike] | npt.NDArray[Any]) -> Ragged:
    """Return rows ``(T_i, K)`` of numbers.

    Raises
    ------
    DataError
        The rows are no numbers, or disagree in their channels.
    """
    rows = raw if isinstance(raw, Ragged) else _ragged(raw)
    values = rows.values
    if values.dtype.kind not in "iufb" or values.ndim not in (1, 2):
        raise DataError(
            f"the frames have type {values.dtype} and shape {values.shape[1:]} a step; expected "
            "numbers, one or (K,) a step"
        )
    return Ragged(values[:, None], rows.offsets) if values.ndim == 1 else rows


def _ragged(raw: Sequence[npt.ArrayLike] | npt.NDArray[Any]) -> Ragged:
    if isinstance(raw, np.ndarray) and raw.dtype != object:
        if raw.ndim not in (2, 3):
            raise DataError(
                f"the array has shape {raw.shape}; expected (n, T, K) or (n, T). Reshape your "
                "data: array[None] is one sequence"
            )
        flat = raw.reshape(-1, *raw.shape[2:])
        return Ragged(flat, np.arange(len(raw) + 1, dtype=np.int64) * raw.shape[1])
    try:
        return Ragged.of(list(raw))
    except ValueError as error:
        raise DataError(f"the sequences are no arrays of numbers: {error}") from None


def _moments(rows: Ragged) -> tuple[Tensor, Tensor, bool]:
    """Return mean, standard deviation, and whether anything is missing, in two passes."""
    check_values(rows, gaps=True)
    count, total, square = (np.zeros(rows.values.shape[1]) for _ in range(3))
    for part in _parts(rows.values):
        count += np.count_nonzero(~np.isnan(part), axis=0)
        total += np.nansum(part, axis=0)
    if not count.any():
        raise DataError("there are no values; expected at least one in the training data")
    mean = total / np.maximum(count, 1)
    for part in _parts(rows.values):
        square += np.nansum((part - mean) ** 2, axis=0)
    scale = np.sqrt(square / np.maximum(count, 1))
    scale[~(scale > 1e-12 * np.maximum(np.abs(mean), 1e-300))] = 1.0
    missing = bool((count < len(rows.values)).any())
    return torch.from_numpy(mean), torch.from_numpy(scale), missing


def _parts(values: npt.NDArray[Any]) -> Iterator[Floats]:
    for begin in range(0, len(values), _CHUNK):
        yield np.asarray(values[begin : begin + _CHUNK], np.float64)


def check_values(rows: Ragged, gaps: bool) -> None:
    """Refuse infinite values, and missing ones unless they are expected.

    Raises
    ------
    DataError
        There is such a value; its row, step and channel are named, counted from 1.
    """
    begin = 0
    for part in _parts(rows.values):
        bad = np.isinf(part) if gaps else ~np.isfinite(part)
        if bad.any():
            step, channel = (int(i) for i in np.argwhere(bad)[0])
            row = int(np.searchsorted(rows.offsets, begin + step, side="right")) - 1
            place = f"row {row + 1}, step {begin + step - int(rows.offsets[row]) + 1}"
            why = _MISSING if np.isnan(part[step, channel]) else _INFINITE
            raise DataError(f"{place}, channel {channel + 1}: {why}")
        begin += len(part)


def _standardised(rows: Ragged, feature: Frames) -> Floats32:
    """Return ``(N, channels)``: every row filled, standardised and marked."""
    values: Floats = (rows.values - feature.mean.numpy()) / feature.scale.numpy()
    if not feature.gaps:
        return values.astype(np.float32)
    steps = np.arange(len(values))[:, None]
    starts = np.repeat(rows.offsets[:-1], rows.lengths)[:, None]
    missing = np.isnan(values)
    seen = np.maximum.accumulate(np.where(missing, -1, steps), axis=0)
    seen = np.where(seen < starts, starts - 1, seen)  # what other rows saw does not count
    filled = np.take_along_axis(values, np.maximum(seen, 0), axis=0)
    filled = np.where(seen < starts, 0.0, filled)
    since = np.log1p(steps - seen)
    channels: Floats32 = np.concatenate([filled, missing, since], axis=1, dtype=np.float32)
    return channels
