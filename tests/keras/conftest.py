"""Keras runs twice: its own way, and on the engine."""

from collections.abc import Iterator

import pytest

import relembra.keras
from relembra.keras import _sequence


@pytest.fixture(autouse=True)
def enabled() -> Iterator[None]:
    """Leave it as a test found it."""
    relembra.keras.enable()
    yield
    relembra.keras.enable()


@pytest.fixture
def paths(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that the engine took."""
    taken: list[str] = []
    run = _sequence.run

    def spy(request, path):
        taken.append(path)
        return run(request, path)

    monkeypatch.setattr(_sequence, "run", spy)
    return taken
