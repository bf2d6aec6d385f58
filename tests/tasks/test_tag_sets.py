"""Tags, their schemes, and what the network tells apart."""

from __future__ import annotations

import pytest
import torch

from relembra import ConfigError, DataError
from relembra.tasks.tag._tag_set import TagSet, check_rules, find_scheme

BIO = [["O", "B-a", "I-a", "I-a"], ["B-a", "B-b", "O"], ["B-b", "I-b"]]


@pytest.mark.parametrize("scheme", [None, "bio", "bioes"])
def test_tags_come_back_as_they_were(scheme) -> None:
    tag_set = TagSet.fit(BIO, scheme)
    encoded = tag_set.encode(BIO)
    assert [tag_set.decode(encoded[i].tolist()) for i in range(3)] == BIO


def test_bioes_inside_spends_each_probability_on_a_tag_of_the_data() -> None:
    tag_set = TagSet.fit(BIO, "bioes")
    assert set(tag_set.inner) == {"O", "B-a", "I-a", "E-a", "S-a", "B-b", "S-b", "E-b"}
    merged = dict(zip(tag_set.inner, tag_set.merging @ torch.arange(5.0).double(), strict=True))
    place = {tag: number for number, tag in enumerate(tag_set.tags)}
    assert merged["S-a"] == merged["B-a"] == place["B-a"]
    assert merged["E-b"] == place["I-b"]
    assert torch.equal(tag_set.merging.sum(1), torch.ones(8).double())


def test_schemes_are_told_from_tags() -> None:
    assert find_scheme(["O", "B", "I"]) == "bio"
    assert find_scheme(["O", "S-x", "B-x", "E-x"]) == "bioes"
    assert find_scheme(["I-x", "O"]) == "bio"
    assert find_scheme(["B-x", "NOUN"]) is None
    assert find_scheme(["O"]) is None
    assert find_scheme(["S", "E", "N"]) is None  # points of the compass
    assert find_scheme(["S", "E"]) is None
    assert find_scheme([0, 1]) is None


def test_the_first_broken_rule_is_found() -> None:
    assert check_rules(BIO, "bio") is None
    assert check_rules([["B-a", "I-a"], ["B-a", "O", "I-a"]], "bio") == (1, 2)


def test_impossible_tags_are_refused() -> None:
    with pytest.raises(ConfigError, match="no spans: they are X, Y"):
        TagSet.fit([["X", "Y"]], "bio")
    with pytest.raises(DataError, match="int, str"):
        TagSet.fit([["X", 1]])
    with pytest.raises(DataError, match="all tags are 'O'; expected two different ones"):
        TagSet.fit([["O"], ["O", "O"]])
    with pytest.raises(DataError, match="none"):
        TagSet.fit([[]])
