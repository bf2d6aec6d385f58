"""Packages that only the recipes need: the extra `quality`."""

from __future__ import annotations

import importlib
from typing import Any

_PACKAGES = {"PIL": "pillow", "skimage": "scikit-image"}  # where the module has another name


def needed(module: str) -> Any:
    """Return a module; where it is not installed, end with a line that says how to get it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        top = module.partition(".")[0]
        raise SystemExit(
            f"this recipe needs {_PACKAGES.get(top, top)} ({error}); at the top of the checkout: "
            "pip install -c constraints.txt --no-build-isolation --editable '.[quality]'"
        ) from error
