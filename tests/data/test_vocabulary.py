"""Symbols by frequency, and their numbers."""

import json

import pytest

from relembra._errors import ArtifactError, ConfigError, DataError
from relembra.data import Vocabulary

COUNTS = {"b": 2, "a": 2, "c": 9, "d": 1}


def test_order_is_by_frequency_then_by_symbol() -> None:
    assert Vocabulary.of(COUNTS).known == ("c", "a", "b", "d")
    assert Vocabulary.of(dict(reversed(COUNTS.items()))) == Vocabulary.of(COUNTS)
    assert Vocabulary.of(COUNTS, size=2).known == ("c", "a")
    assert Vocabulary.of(COUNTS, least=2).known == ("c", "a", "b")
    assert Vocabulary.of(COUNTS, size=1, specials=("<end>", "c")).known == ("<end>", "c", "a")


def test_numbers_and_back() -> None:
    vocabulary = Vocabulary.of(COUNTS)
    assert len(vocabulary) == 6
    assert vocabulary.ids(["c", "d", "?", ""]).tolist() == [2, 5, 1, 1]
    assert vocabulary.symbols([0, 1, 2, 5]) == ["", "\ufffd", "c", "d"]
    assert "a" in vocabulary
    assert "z" not in vocabulary
    with pytest.raises(DataError, match="6 is no symbol; expected numbers from 0 to 5"):
        vocabulary.symbols([2, 6])


def test_json_and_back() -> None:
    vocabulary = Vocabulary.of({"é\n": 1, "x": 4}, specials=("<end>",))
    assert Vocabulary.from_json(json.loads(json.dumps(vocabulary.to_json()))) == vocabulary


@pytest.mark.parametrize(
    "values", [None, {}, {"known": ["a", 1], "specials": 0}, {"known": ["a"], "specials": 2}]
)
def test_a_damaged_description(values) -> None:
    with pytest.raises(ArtifactError, match="vocabulary of the model is"):
        Vocabulary.from_json(values)


def test_settings_that_make_no_sense() -> None:
    with pytest.raises(ConfigError, match="size is 0; expected 1 or more"):
        Vocabulary.of(COUNTS, size=0)
    with pytest.raises(ConfigError, match="'a' is there twice"):
        Vocabulary(("a", "b", "a"))
    with pytest.raises(ConfigError, match="a symbol is empty"):
        Vocabulary.of({"": 3})
