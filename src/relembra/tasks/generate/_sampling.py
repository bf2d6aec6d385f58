"""From probabilities to a choice."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relembra._config import config
from relembra._errors import ConfigError

__all__ = ["Sampling", "choose", "filtered"]

Floats = NDArray[np.float64]


@config
class Sampling:
    """How the next token is chosen.

    Parameters
    ----------
    temperature
        Below 1 likely tokens become likelier, above 1 all become more alike; 0 always takes the
        likeliest.
    top_k
        Choose among so many of the likeliest tokens; among all when None.
    top_p
        Choose among the fewest likeliest tokens that have this probability together (nucleus
        sampling, Holtzman et al. 2020); among all when None.
    repetition_penalty
        The logarithm of the probability of each token among the last 64 is multiplied by it: above
        1 they become less likely (after Keskar et al. 2019, section 4.1, who multiply scores).

    Raises
    ------
    ConfigError
        A value makes no sense.

    Examples
    --------
    >>> filtered(np.log([0.5, 0.3, 0.2]), Sampling(top_k=2)).round(3).tolist()
    [0.625, 0.375, 0.0]
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < np.inf:
            raise ConfigError(f"temperature is {self.temperature}; expected a number from 0 upward")
        if self.top_k is not None and self.top_k < 1:
            raise ConfigError(f"top_k is {self.top_k}; expected 1 or more")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ConfigError(f"top_p is {self.top_p}; expected a probability above 0")
        if not 0 < self.repetition_penalty < np.inf:
            raise ConfigError(
                f"repetition_penalty is {self.repetition_penalty}; expected a number above 0"
            )


def filtered(logs: ArrayLike, sampling: Sampling, recent: ArrayLike = ()) -> Floats:
    """Return the probabilities (V,) that a token is drawn by.

    Parameters
    ----------
    logs
        (V,) logarithms of probabilities; minus infinity for what must not be.
    sampling
        The settings.
    recent
        The last tokens.

    Returns
    -------
    numpy.ndarray
        (V,), their sum is 1. Equally likely tokens are taken by number.
    """
    values = np.array(logs, np.float64)
    values[np.unique(np.asarray(recent, np.int64))] *= sampling.repetition_penalty
    order = np.argsort(-values, kind="stable")  # likeliest first
    if sampling.temperature == 0:
        return _one(order[0], len(values))
    values = (values - values[order[0]]) / sampling.temperature
    chances: Floats = np.exp(values)
    if sampling.top_k is not None:
        chances[order[sampling.top_k :]] = 0.0
    chances /= chances.sum()
    if sampling.top_p is not None:
        before = np.cumsum(chances[order]) - chances[order]  # of likelier tokens together
        chances[order[before >= sampling.top_p]] = 0.0
        chances /= chances.sum()
    return chances


def _one(token: int, count: int) -> Floats:
    chances = np.zeros(count)
    chances[token] = 1.0
    return chances


def choose(chances: Floats, draw: float) -> int:
    """Return the token that a number drawn uniformly from [0, 1) falls on."""
    edges = np.cumsum(chances)
    found = int(np.searchsorted(edges, draw * edges[-1], side="right"))
    return min(found, int(np.flatnonzero(chances)[-1]))
