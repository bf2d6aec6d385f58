"""Covariates on a common scale, measured on training rows alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from relembra.data._panel import Panel
from relembra.data._types import Bools, Floats32
from relembra.data._windows import WindowBatch

__all__ = ["Standardizer"]

_CHUNK = 1 << 18


def _moments(values: Floats32, chosen: Bools | None) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of each column, missing values left out."""
    columns = values.shape[1]
    count, total, square = (np.zeros(columns) for _ in range(3))
    shift = _first_values(values)
    for begin in range(0, len(values), _CHUNK):
        part = values[begin : begin + _CHUNK].astype(np.float64) - shift
        if chosen is not None:
            part = part[chosen[begin : begin + _CHUNK]]
        count += np.count_nonzero(~np.isnan(part), axis=0)
        total += np.nansum(part, axis=0)
        square += np.nansum(part**2, axis=0)
    mean = total / np.maximum(count, 1)
    variance = np.maximum(square / np.maximum(count, 1) - mean**2, 0)
    scale = np.sqrt(variance)
    scale[~(scale > 1e-12)] = 1.0
    return torch.from_numpy(mean + shift), torch.from_numpy(scale)


def _first_values(values: Floats32) -> npt.NDArray[np.float64]:
    """Return a value of each column: taken off first, it saves the digits of the variance."""
    shift = np.zeros(values.shape[1])
    for i in range(values.shape[1]):
        seen = np.flatnonzero(~np.isnan(values[:_CHUNK, i]))
        shift[i] = values[seen[0], i] if len(seen) else 0.0
    return shift


@dataclass(frozen=True, eq=False)
class Standardizer:
    """Mean and standard deviation of each covariate, as float64 tensors.

    A column that never changes has the deviation 1.

    Parameters
    ----------
    known_mean, known_std
        ``(K,)`` each.
    past_mean, past_std
        ``(P,)`` each.
    static_mean, static_std
        ``(Q,)`` each.
    """

    known_mean: Tensor
    known_std: Tensor
    past_mean: Tensor
    past_std: Tensor
    static_mean: Tensor
    static_std: Tensor

    @classmethod
    def fit(cls, panel: Panel, rows_before: npt.ArrayLike | None = None) -> Standardizer:
        """Measure covariates.

        Parameters
        ----------
        panel
            The data.
        rows_before
            ``(S,)`` or scalar: only so many first rows of each series are looked at; None takes the
            rows up to each series' last observed target.
        """
        limit = panel.observed_lengths if rows_before is None else np.asarray(rows_before)
        limits = np.broadcast_to(limit, (len(panel),))
        chosen = None
        if panel.known.shape[1] or panel.past.shape[1]:
            stops = panel.offsets[:-1] + limits
            chosen = np.arange(len(panel.target)) < np.repeat(stops, panel.lengths)
        return cls(
            *_moments(panel.known, chosen), *_moments(panel.past, chosen),
            *_moments(panel.static, None),
        )  # fmt: skip

    def apply(self, batch: WindowBatch) -> WindowBatch:
        """Return the batch with covariates standardised, and missing ones 0 (the mean)."""
        past = _scaled(batch.past, self.past_mean, self.past_std)
        past[:, batch.context :] = 0
        return dataclasses.replace(
            batch,
            known=_scaled(batch.known, self.known_mean, self.known_std),
            past=past,
            static=_scaled(batch.static, self.static_mean, self.static_std),
        )

    def tensors(self) -> dict[str, Tensor]:
        """Return the six tensors by name."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Standardizer:
        """Rebuild what :meth:`tensors` gave; other names are ignored."""
        return cls(**{f.name: tensors[f.name] for f in dataclasses.fields(cls)})


def _scaled(values: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    scaled = (values - mean.to(values)) / std.to(values)
    return torch.nan_to_num(scaled, nan=0.0)
