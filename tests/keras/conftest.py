"""Keras runs twice: its own way, and on the engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import relembra.keras
from relembra.keras import _sequence

HERE = Path(__file__).parent
# NumPy 2.4 finds fault with Keras 3.15's `Variable.__array__`; it concerns nobody else.
ARRAY = "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings(ARRAY))


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
