"""Rows as a network reads them: encoded once, for several networks and for their scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from relembra.data import Encoded, Feature, Inputs
from relembra.tasks._sequence import Prepared
from relembra.tasks.classify._features import fit_feature, rows_of, subset

__all__ = ["EncodedRows", "SomeRows"]

Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class SomeRows:
    """Some of the rows of something encoded.

    Attributes
    ----------
    encoded
        All rows.
    chosen
        (n,) numbers of those that are meant.
    """

    encoded: Encoded
    chosen: Ints

    @property
    def lengths(self) -> Ints:
        """(n,) int64: the steps of each row."""
        lengths: Ints = self.encoded.lengths[self.chosen]
        return lengths

    def batch(self, indices: npt.ArrayLike) -> Inputs:
        """Return some rows, by their numbers among the chosen ones."""
        return self.encoded.batch(self.chosen[np.asarray(indices)])


@dataclass(frozen=True, eq=False)
class EncodedRows(Prepared):
    """Rows, and what a feature made of them; `Classifier` takes them as X.

    Attributes
    ----------
    rows
        As `rows_of` gives them.
    feature, encoded
        The feature, and what it made of the rows.
    """

    rows: Any
    feature: Feature
    encoded: Encoded

    @classmethod
    def fit(cls, features: str | Feature, rows: Any) -> EncodedRows:
        """Fit a feature to training rows, as `fit_feature` does, and encode them.

        Raises
        ------
        ConfigError
            There is no such feature, or it does not fit the rows.
        DataError
            A row cannot be used; files are named.
        """
        raw = rows_of(rows)
        feature = fit_feature(features, raw)
        return cls({"features": features}, raw, feature, feature.encode(raw))

    def others(self, rows: Any) -> EncodedRows:
        """Encode other rows alike; a row that cannot be used is a `DataError`."""
        raw = rows_of(rows)
        return EncodedRows(self.made_for, raw, self.feature, self.feature.encode(raw))

    def take(self, indices: npt.ArrayLike) -> EncodedRows:
        """Return some rows, in the given order."""
        chosen = np.asarray(indices, np.int64)
        some = SomeRows(self.encoded, chosen)
        return EncodedRows(self.made_for, subset(self.rows, chosen), self.feature, some)

    def __len__(self) -> int:
        return len(self.rows)
