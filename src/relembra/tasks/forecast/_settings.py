"""Settings of a forecaster that are more than a number."""

from __future__ import annotations

from relembra._config import config
from relembra.nn import Trunk
from relembra.training import Training

__all__ = [
    "DEFAULT_COLUMNS",
    "DEFAULT_LEVELS",
    "DEFAULT_TRAINING",
    "DEFAULT_TRUNK",
    "Columns",
]

DEFAULT_LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
"""Quantile levels: the median, and the intervals of 50, 80 and 95 %."""

DEFAULT_TRUNK = Trunk(cell="lstm", units=64, dropout=0.3)

DEFAULT_TRAINING = Training(
    steps=600,
    batch_size=128,
    learning_rate=5e-3,
    optimizer="adamw",
    weight_decay=1e-4,
    schedule="cosine",
    warmup=60,
    clip_norm=1.0,
    average=0.99,
    evaluate_every=50,
    patience=6,
)


@config
class Columns:
    """Which columns of a table play which part; None lets the reader guess.

    Parameters
    ----------
    time, target, series
        Names of the columns. Several `target` are each a series of their own; several `series`
        name the series together, such as shop and product.
    known, past
        Covariates known ahead, and those known only up to now.
    static
        Columns that stay the same within a series.
    time_format
        The ``strptime`` format of text times.

    Examples
    --------
    >>> Columns(target="sales", known=("price",)).known
    ('price',)
    """

    time: str | tuple[str, ...] | None = None
    target: str | tuple[str, ...] | None = None
    series: str | tuple[str, ...] | None = None
    known: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    time_format: str | None = None


DEFAULT_COLUMNS = Columns()
