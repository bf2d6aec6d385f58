"""Rows as a network reads them: encoded once, for several networks and for their scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from relembra.data import Encoded, Feature, row_numbers
from relembra.tasks._sequence import Prepared, SomeRows
from relembra.tasks.classify._features import fit_feature, rows_of, subset

__all__ = ["EncodedRows"]


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
        chosen = row_numbers(indices, len(self))
        some = SomeRows(self.encoded, chosen)
        return EncodedRows(self.made_for, subset(self.rows, chosen), self.feature, some)

    def __len__(self) -> int:
        return len(self.rows)
