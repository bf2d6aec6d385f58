"""Rolling origins: test a forecaster at several moments of the past, never shuffled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Sized
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relembra._errors import ConfigError, DataError

__all__ = ["RollingOrigin", "rolling_origins"]

Indices = NDArray[np.int64]


def _at_least(name: str, value: int, least: int) -> int:
    if value < least:
        raise ConfigError(f"{name} is a whole number from {least} upward, received {value!r}")
    return int(value)


def rolling_origins(
    lengths: Sequence[int] | ArrayLike,
    horizon: int,
    count: int,
    stride: int | None = None,
    min_history: int = 1,
) -> list[Indices]:
    """Return, for each series, the origins at which to test a forecast.

    An origin is the index of the first step to be forecast: everything before it is history. The
    last origin leaves exactly one horizon at the end. A short series gets fewer origins, or none.
    Source: Tashman, "Out-of-sample tests of forecasting accuracy", International Journal of
    Forecasting 16 (2000).

    Parameters
    ----------
    lengths
        (S,) the number of steps of each series, up to its last observed value.
    horizon
        Steps to forecast.
    count
        Origins wanted for each series.
    stride
        Steps between origins; the horizon unless given, so that no step is tested twice.
    min_history
        Steps that must lie before an origin.

    Returns
    -------
    list of (k,) int64 arrays
        Ascending origins for each series, 0 <= k <= count.

    Examples
    --------
    >>> [o.tolist() for o in rolling_origins([20, 9, 3], horizon=4, count=3)]
    [[8, 12, 16], [1, 5], []]
    """
    _at_least("horizon", horizon, 1)
    _at_least("count", count, 0)
    _at_least("min_history", min_history, 0)
    step = _at_least("stride", horizon if stride is None else stride, 1)
    last = np.asarray(lengths, dtype=np.int64) - horizon
    if last.ndim != 1:
        raise DataError(f"lengths needs one number for each series, received shape {last.shape}")
    kept = np.clip((last - min_history) // step + 1, 0, count)
    back = step * np.arange(count - 1, -1, -1, dtype=np.int64)
    return [end - back[count - k :] for end, k in zip(last.tolist(), kept.tolist(), strict=True)]


@dataclass(frozen=True)
class RollingOrigin:
    """Split one series in time, in the form that scikit-learn's ``cv`` takes.

    Each test set is the ``horizon`` steps after an origin, its training set everything before.

    Parameters
    ----------
    n_splits
        Number of origins.
    horizon
        Steps in each test set.
    stride
        Steps between origins; the horizon unless given.

    Examples
    --------
    >>> for train, test in RollingOrigin(n_splits=2, horizon=2).split(range(7)):
    ...     print(train.tolist(), test.tolist())
    [0, 1, 2] [3, 4]
    [0, 1, 2, 3, 4] [5, 6]
    """

    n_splits: int
    horizon: int
    stride: int | None = None

    def split(
        self,
        X: Sized,  # noqa: N803 (scikit-learn's name)
        y: object = None,
        groups: object = None,
    ) -> Iterator[tuple[Indices, Indices]]:
        """Yield the row indices of each training and test set, the earliest origin first.

        Parameters
        ----------
        X
            The rows in the order of time; only their number matters.
        y, groups
            Not used; there because scikit-learn passes them.

        Yields
        ------
        (train, test)
            int64 row indices.

        Raises
        ------
        DataError
            There are fewer rows than the splits need.
        """
        stride = self.horizon if self.stride is None else self.stride
        n = len(X) if not hasattr(X, "shape") else int(X.shape[0])
        needed = 1 + self.horizon + (self.n_splits - 1) * stride
        origins = rolling_origins([n], self.horizon, self.get_n_splits(), stride)[0]
        if len(origins) < self.n_splits:
            raise DataError(
                f"{n} rows are too few for {self.n_splits} splits of horizon {self.horizon}: "
                f"at least {needed} are needed; use fewer splits or a shorter horizon"
            )
        for origin in origins.tolist():
            yield np.arange(origin), np.arange(origin, origin + self.horizon)

    def get_n_splits(
        self,
        X: object = None,  # noqa: N803 (scikit-learn's name)
        y: object = None,
        groups: object = None,
    ) -> int:
        """Return the number of splits."""
        return _at_least("n_splits", self.n_splits, 1)
