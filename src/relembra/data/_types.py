"""Array types and the error of one cell, shared by the modules of this package."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Bools", "CellError", "Codes", "Floats", "Floats32", "Ints"]

Ints: TypeAlias = npt.NDArray[np.int64]
Codes: TypeAlias = npt.NDArray[np.int32]
Floats: TypeAlias = npt.NDArray[np.float64]
Floats32: TypeAlias = npt.NDArray[np.float32]
Bools: TypeAlias = npt.NDArray[np.bool_]


class CellError(ValueError):
    """One value is bad; whoever knows the file turns this into a DataError with its line.

    Parameters
    ----------
    index
        Position of the value in the array that was being read.
    message
        What is wrong with it and what to do.
    """

    def __init__(self, index: int, message: str) -> None:
        self.index = int(index)
        self.message = message
        super().__init__(message)
