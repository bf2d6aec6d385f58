"""Keras' backend is chosen while Keras is imported, once for the whole process."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import warnings

from relembra._errors import ConfigError, MissingExtraError

__all__ = ["check_version", "select"]

_OLDEST, _NEWEST = (3, 12), (3, 15)


def select() -> None:
    """Import Keras with its torch backend.

    Raises
    ------
    ConfigError
        Keras is loaded already, with another backend.
    MissingExtraError
        Keras is not installed.
    """
    if "keras" not in sys.modules:
        if importlib.util.find_spec("keras") is None:
            raise MissingExtraError(
                "relembra.keras needs Keras 3, and finds none: pip install 'relembra[keras]'"
            )
        os.environ["KERAS_BACKEND"] = "torch"
    keras = importlib.import_module("keras")
    check_version(keras.__version__)
    loaded = keras.config.backend()
    if loaded != "torch":
        raise ConfigError(
            f"Keras is loaded already with its {loaded} backend, and relembra.keras needs the "
            "torch one: import relembra.keras before Keras, or set KERAS_BACKEND=torch"
        )


def check_version(version: str) -> None:
    """Warn about versions of Keras 3 that no test has seen; refuse those before Keras 3.

    Raises
    ------
    ConfigError
        It is Keras 2 or older.
    """
    major, minor = (int(part) for part in version.split(".")[:2])
    if major < 3:
        raise ConfigError(f"relembra.keras needs Keras 3, found {version}: pip install -U keras")
    if not _OLDEST <= (major, minor) <= _NEWEST:
        oldest, newest = (".".join(map(str, v)) for v in (_OLDEST, _NEWEST))
        warnings.warn(
            f"relembra.keras is tested with Keras {oldest} to {newest}, found {version}: compare a "
            "few results with relembra.keras.disable() before you rely on it",
            UserWarning,
            stacklevel=3,
        )
