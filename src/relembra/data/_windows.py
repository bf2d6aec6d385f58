"""Windows over a panel: indices until a batch is drawn, then tensors by one gather."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from relembra._errors import DataError
from relembra.data._panel import Panel
from relembra.data._types import Bools, Floats32, Ints

__all__ = ["WindowBatch", "WindowSpec", "Windows", "forecast_batch", "window_batch"]

_TABLE_LIMIT = 1 << 20


@dataclass(frozen=True)
class WindowSpec:
    """How many steps a model sees, and how many it forecasts.

    Parameters
    ----------
    context, horizon
        Steps before and from the origin on; both at least 1.
    """

    context: int
    horizon: int

    def __post_init__(self) -> None:
        if self.context < 1 or self.horizon < 1:
            raise DataError(
                f"context and horizon must be at least 1 step, not {self.context} and "
                f"{self.horizon}"
            )


@dataclass(frozen=True)
class WindowBatch:
    """B windows of L context and H horizon steps; contexts are padded on the left.

    Parameters
    ----------
    context
        L: steps before the origin.
    target
        ``(B, L + H)`` float64, NaN where missing or outside the series.
    observed
        ``(B, L + H)`` True where the target is a number.
    inside
        ``(B, L + H)`` True where the step belongs to the series.
    calendar
        ``(B, L + H, C)`` float32, also outside the series.
    known
        ``(B, L + H, K)`` float32, NaN where missing or outside.
    past
        ``(B, L + H, P)`` float32, NaN where missing or outside, 0 in the horizon.
    static, static_codes
        ``(B, Q)`` float32 and ``(B, R)`` int64.
    series, origin
        ``(B,)`` int64: the series, and the row in it at which the horizon begins.
    ids
        Names of the B series.
    """

    context: int
    target: Tensor
    observed: Tensor
    inside: Tensor
    calendar: Tensor
    known: Tensor
    past: Tensor
    static: Tensor
    static_codes: Tensor
    series: Tensor
    origin: Tensor
    ids: list[str]

    def __len__(self) -> int:
        return len(self.target)

    def to(self, device: torch.device | str) -> WindowBatch:
        """Return the batch with all tensors on ``device``."""
        moved = {
            f.name: getattr(self, f.name).to(device)
            for f in dataclasses.fields(self)
            if isinstance(getattr(self, f.name), Tensor)
        }
        return dataclasses.replace(self, **moved)


def _calendar(panel: Panel, ordinals: Ints) -> Floats32:
    """Return ``(B, T, C)`` features of ``(B, T)`` ordinals, each step computed once."""
    low, high = int(ordinals.min()), int(ordinals.max())
    if high - low < max(_TABLE_LIMIT, ordinals.size):
        steps = np.arange(low, high + 1)
        if len(steps) <= ordinals.size:
            return panel.frequency.calendar(steps)[ordinals - low]
    flat = panel.frequency.calendar(ordinals.ravel())
    return flat.reshape(*ordinals.shape, flat.shape[1])


def _gather(values: npt.NDArray[Any], rows: Ints, inside: Bools) -> npt.NDArray[Any]:
    """Return ``values[rows]``, NaN outside."""
    if values.ndim > 1 and values.shape[1] == 0:
        return np.empty((*rows.shape, 0), dtype=values.dtype)
    taken = values[rows]
    taken[~inside] = np.nan
    return taken


def window_batch(
    panel: Panel,
    spec: WindowSpec,
    series: npt.ArrayLike,
    origin: npt.ArrayLike,
    *,
    end: npt.ArrayLike | None = None,
) -> WindowBatch:
    """Gather windows at given origins.

    Parameters
    ----------
    panel, spec
        Where from, and how long.
    series, origin
        ``(B,)`` series, and the row within each at which the horizon begins.
    end
        ``(B,)`` rows of each series; targets and past covariates from there on are hidden. None
        shows the whole series.
    """
    chosen = np.atleast_1d(np.asarray(series, dtype=np.int64))
    begin = np.atleast_1d(np.asarray(origin, dtype=np.int64))
    lengths = panel.lengths[chosen]
    shown = lengths if end is None else np.minimum(lengths, np.asarray(end, dtype=np.int64))
    steps = begin[:, None] + np.arange(-spec.context, spec.horizon)  # (B, L + H)
    inside = (steps >= 0) & (steps < shown[:, None])
    exists = (steps >= 0) & (steps < lengths[:, None])
    rows = panel.offsets[chosen][:, None] + np.clip(steps, 0, lengths[:, None] - 1)
    target = _gather(panel.target, rows, inside)
    past = _gather(panel.past, rows, inside)
    past[:, spec.context :] = 0
    return WindowBatch(
        context=spec.context,
        target=torch.from_numpy(target),
        observed=torch.from_numpy(~np.isnan(target)),
        inside=torch.from_numpy(inside),
        calendar=torch.from_numpy(_calendar(panel, panel.starts[chosen][:, None] + steps)),
        known=torch.from_numpy(_gather(panel.known, rows, exists)),
        past=torch.from_numpy(past),
        static=torch.from_numpy(panel.static[chosen]),
        static_codes=torch.from_numpy(panel.static_codes[chosen]),
        series=torch.from_numpy(chosen),
        origin=torch.from_numpy(begin),
        ids=[panel.ids[s] for s in chosen],
    )


def forecast_batch(panel: Panel, spec: WindowSpec, series: npt.ArrayLike) -> WindowBatch:
    """Gather windows whose horizon begins behind the last observed target of each series.

    Raises
    ------
    DataError
        A known covariate is missing in the horizon; series and time are named.
    """
    chosen = np.atleast_1d(np.asarray(series, dtype=np.int64))
    origin = panel.observed_lengths[chosen]
    batch = window_batch(panel, spec, chosen, origin, end=origin)
    missing = torch.isnan(batch.known[:, spec.context :])
    if missing.any():
        b, step, k = (int(i) for i in missing.nonzero()[0])
        name = panel.ids[int(chosen[b])]
        time = panel.labels(int(chosen[b]), int(origin[b]) + step, 1)[0]
        of = f" of series {name!r}" if name else ""
        raise DataError(
            f"the known covariate has no value at {time}{of}; a forecast of {spec.horizon} steps "
            "needs it for each of them: add rows with the covariate and an empty target",
            column=panel.known_names[k],
        )
    return batch


class Windows:
    """All windows of a panel that have something to learn from, as indices.

    An origin counts when at least one target before it (within the context) and one from it on
    (within the horizon) is observed.

    Parameters
    ----------
    panel, spec
        Where from, and how long.
    first, last
        ``(S,)`` or scalar: the first and the last origin of each series (rows within the series,
        both included). None sets no bound.
    end
        ``(S,)`` or scalar rows of each series that exist for these windows; later targets and past
        covariates are hidden. None shows all.

    Examples
    --------
    >>> panel = Panel.from_series({"a": [1, 2, 3, 4, 5]}, "int")
    >>> windows = Windows(panel, WindowSpec(context=2, horizon=2), last=3)
    >>> len(windows), windows.origins.tolist()
    (3, [1, 2, 3])
    >>> windows.batch([0]).target.tolist()
    [[nan, 1.0, 2.0, 3.0]]
    """

    def __init__(
        self,
        panel: Panel,
        spec: WindowSpec,
        *,
        first: npt.ArrayLike | None = None,
        last: npt.ArrayLike | None = None,
        end: npt.ArrayLike | None = None,
    ) -> None:
        self.panel = panel
        self.spec = spec
        lengths = panel.lengths
        self._end = _per_series(end, lengths, lengths).clip(0, lengths)
        self._first = _per_series(first, lengths, np.zeros_like(lengths)).clip(0)
        self._last = np.minimum(_per_series(last, lengths, lengths), self._end - 1)

    @cached_property
    def _rows(self) -> Ints:
        """``(W,)`` flat row of each valid origin."""
        panel, spec = self.panel, self.spec
        count = np.zeros(len(panel.target) + 1, dtype=np.int64)
        np.cumsum(~np.isnan(panel.target), out=count[1:])
        found = [self._valid(s, count, spec) for s in range(len(panel))]
        return np.concatenate(found) if found else np.empty(0, np.int64)

    def _valid(self, series: int, count: Ints, spec: WindowSpec) -> Ints:
        begin = int(self.panel.offsets[series])
        stop = begin + int(self._end[series])
        rows = np.arange(begin + self._first[series], begin + self._last[series] + 1)
        before = count[rows] - count[np.maximum(rows - spec.context, begin)]
        behind = count[np.minimum(rows + spec.horizon, stop)] - count[rows]
        return cast(Ints, rows[(before > 0) & (behind > 0)])

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def series(self) -> Ints:
        """``(W,)`` series of each window."""
        return self._series_of(self._rows)

    @property
    def origins(self) -> Ints:
        """``(W,)`` row within its series at which each window's horizon begins."""
        return cast(Ints, self._rows - self.panel.offsets[self.series])

    def _series_of(self, rows: Ints) -> Ints:
        return np.searchsorted(self.panel.offsets, rows, side="right") - 1

    def batch(self, index: npt.ArrayLike) -> WindowBatch:
        """Gather the windows of ``(B,)`` numbers in ``0 ... len(self) - 1``."""
        rows = self._rows[np.atleast_1d(np.asarray(index, dtype=np.int64))]
        series = self._series_of(rows)
        origin = rows - self.panel.offsets[series]
        return window_batch(self.panel, self.spec, series, origin, end=self._end[series])


def _per_series(bound: npt.ArrayLike | None, lengths: Ints, default: Ints) -> Ints:
    if bound is None:
        return default
    return np.broadcast_to(np.asarray(bound, dtype=np.int64), lengths.shape)
