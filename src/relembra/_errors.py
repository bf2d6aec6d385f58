"""The errors that Relembra raises: each also is the built-in that fits."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

__all__ = [
    "ArtifactError",
    "ConfigError",
    "DataError",
    "DivergenceError",
    "MissingExtraError",
    "OutputExistsError",
    "RelembraError",
    "SlowPathWarning",
    "blaming",
]


class RelembraError(Exception):
    """Base of every error that Relembra raises on purpose."""


class ConfigError(RelembraError, ValueError):
    """An option has a value that makes no sense, or a name that does not exist."""


class DataError(RelembraError, ValueError):
    """The user's data cannot be used as it is.

    Parameters
    ----------
    message
        What was received, what was expected and what to do.
    path
        The file, when there is one.
    line
        The line of the file, counted from 1.
    column
        The name of the column.

    Examples
    --------
    >>> print(DataError("'n/a' is not a number", path="sales.csv", line=17, column="units"))
    sales.csv, line 17, column 'units': 'n/a' is not a number
    """

    def __init__(
        self,
        message: str,
        *,
        path: str | os.PathLike[str] | None = None,
        line: int | None = None,
        column: str | None = None,
    ) -> None:
        self.path = None if path is None else os.fspath(path)
        self.line = line
        self.column = column
        where = [self.path] if self.path else []
        if line is not None:
            where.append(f"line {line}")
        if column is not None:
            where.append(f"column {column!r}")
        super().__init__(f"{', '.join(where)}: {message}" if where else message)


@contextlib.contextmanager
def blaming(path: str | os.PathLike[str] | None) -> Iterator[None]:
    """Name the file in a `DataError` from where it is not known; None leaves the error as it is.

    Examples
    --------
    >>> with blaming("sales.csv"):
    ...     raise DataError("row 3 is infinite")
    Traceback (most recent call last):
    relembra...DataError: sales.csv: row 3 is infinite
    """
    try:
        yield
    except DataError as error:
        if error.path is not None or path is None:
            raise
        raise DataError(str(error), path=path) from error


class ArtifactError(RelembraError, OSError):
    """A model or checkpoint file is missing, damaged, foreign or of another version."""


class OutputExistsError(RelembraError, FileExistsError):
    """A file that would be written exists already, and nobody said to replace it."""


class DivergenceError(RelembraError, ArithmeticError):
    """Training produced a loss or a gradient that is not a finite number."""


class MissingExtraError(RelembraError, ImportError):
    """An optional dependency is needed and absent; the message says how to install it."""


class SlowPathWarning(UserWarning):
    """A layer cannot take a fast path; the message names the reason."""
