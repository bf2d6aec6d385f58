"""What a forecast is: for each series and step, quantiles and a mean."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from relembra._files import atomic_write

__all__ = ["Forecast"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Forecast:
    """Forecasts of S series, H steps ahead, at Q quantile levels.

    Parameters
    ----------
    ids
        Names of the series.
    times
        For each series the H times as text, in the form of the input.
    quantiles
        (S, H, Q), rising along the last dimension, in the units of the target.
    mean
        (S, H).
    levels
        The Q levels.
    columns
        Names of the series, time and target columns of the input; the first is None when the
        input had no series column.
    """

    ids: list[str]
    times: list[list[str]]
    quantiles: Floats
    mean: Floats
    levels: tuple[float, ...]
    columns: tuple[str | None, str, str]

    @property
    def median(self) -> Floats:
        """The point forecast, (S, H)."""
        return self.quantiles[:, :, self.levels.index(0.5)]

    def table(self) -> dict[str, list[Any]]:
        """Return the forecast in long form, a list for each column."""
        series, time, target = self.columns
        steps = self.mean.shape[1]
        columns: dict[str, list[Any]] = {}
        if series is not None:
            columns[series] = [name for name in self.ids for _ in range(steps)]
        columns[time] = [label for labels in self.times for label in labels]
        columns[target] = self.median.reshape(-1).tolist()
        columns[f"{target}_mean"] = self.mean.reshape(-1).tolist()
        for k, level in enumerate(self.levels):
            if level == 0.5:
                continue  # the median is the target's own column
            columns[f"{target}_q{100 * level:g}"] = self.quantiles[:, :, k].reshape(-1).tolist()
        return columns

    def write_csv(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write the table as CSV.

        Raises
        ------
        OutputExistsError
            The file exists and `force` is not given.
        """
        import pyarrow as pa
        from pyarrow import csv

        def write(file: BinaryIO) -> None:
            csv.write_csv(pa.table(self.table()), file)

        atomic_write(path, write, force=force)

    def rows(self, series: int) -> Iterator[tuple[str, float, Floats]]:
        """Yield (time, mean, quantiles (Q,)) for each step of one series."""
        yield from zip(
            self.times[series], self.mean[series].tolist(), self.quantiles[series], strict=True
        )
