"""Text as characters, and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relembra._errors import DataError
from relembra.data import Characters


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_decoding_gives_the_text_back(texts: list[str]) -> None:
    feature = Characters.fit(texts)
    encoded = feature.encode(texts)
    assert encoded.lengths.tolist() == [len(text) for text in texts]
    assert [feature.decode(encoded.ids[i]) for i in range(len(texts))] == texts
    batch = encoded.batch(range(len(texts)))
    assert [feature.decode(row) for row in batch.values["ids"]] == texts


def test_what_training_never_saw_is_unknown() -> None:
    feature = Characters.fit(["aab"], least=2, specials=("<end>",))
    assert feature.size == 4
    assert feature.ids("ab🐀\ud800").tolist() == [3, 1, 1, 1]
    assert feature.decode([3, 0, 1, 2]) == "a\ufffd<end>"
    assert feature.ids("<end>").tolist() == [1] * 5


def test_texts_may_come_from_a_generator() -> None:
    texts = ["abc" * 9] * 2500
    assert Characters.fit(text for text in texts) == Characters.fit(["cba"])
    assert Characters.fit(["b" * 70_000, "a"]).vocabulary.known == ("b", "a")


@pytest.mark.parametrize(
    ("texts", "message"), [("one", "got one text"), (["a", 3], "row 2 is a int; expected a text")]
)
def test_no_texts(texts, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Characters.fit(texts)
    with pytest.raises(DataError, match=message):
        Characters.fit(["a"]).encode(texts)
