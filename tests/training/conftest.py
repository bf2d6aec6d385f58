"""The toy runs of ``toy.py`` for all tests of training, here and in other processes."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

_FOLDER = str(Path(__file__).parent)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Bits depend on the number of threads."""
    kept = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(kept)


@pytest.fixture
def toy() -> ModuleType:
    """The module ``toy``, found by child processes too."""
    if _FOLDER not in sys.path:
        sys.path.append(_FOLDER)
    return importlib.import_module("toy")
