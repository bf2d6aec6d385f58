"""Seeds derived from names, so that every random choice is a function of where it is made."""

from __future__ import annotations

import hashlib

import numpy as np

__all__ = ["derive", "generator"]


def derive(seed: int, *keys: int | str) -> int:
    """Return a seed in [0, 2**63) that depends on nothing but its arguments.

    Examples
    --------
    >>> derive(0, "step", 1) == derive(0, "step", 1)
    True
    >>> derive(0, "step", 1) == derive(0, "step", 2)
    False
    """
    text = "\x1f".join(f"{type(key).__name__}:{key}" for key in (seed, *keys))
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def generator(seed: int, *keys: int | str) -> np.random.Generator:
    """Return NumPy's generator seeded by ``derive(seed, *keys)``."""
    return np.random.default_rng(derive(seed, *keys))
