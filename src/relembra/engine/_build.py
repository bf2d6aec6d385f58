"""What the native module was built with, and what this processor has."""

from __future__ import annotations

from relembra import _native

__all__ = ["build_info"]


def build_info() -> dict[str, object]:
    """Return compiler, language standard and instruction sets of the native module.

    Examples
    --------
    >>> build_info()["standard"]
    'C++20'
    """
    return {**_native.build_info(), "instruction_sets": _native.instruction_sets()}
