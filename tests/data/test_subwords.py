"""Text as pieces of words: exact, and repeatable."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relembra._errors import ConfigError, DataError, MissingExtraError
from relembra.data import Subwords

TEXTS = ["o rato roeu a roupa do rei de roma"] * 3
FEATURE = Subwords.fit(TEXTS, size=280)


@settings(max_examples=50)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_decoding_gives_any_text_back(text: str) -> None:
    assert FEATURE.decode(FEATURE.ids(text)) == text


def test_frequent_pieces_are_one_id() -> None:
    assert FEATURE.size <= 282
    assert len(FEATURE.ids(" roupa")) < len(" roupa")
    encoded = FEATURE.encode([*TEXTS, "", "<pad>"])
    assert encoded.lengths[3] == 0
    assert encoded.ids.values.min() >= 2
    batch = encoded.batch([0, 3])
    assert FEATURE.decode(batch.values["ids"][0]) == TEXTS[0]
    assert FEATURE.decode(batch.values["ids"][1]) == ""


def test_training_again_gives_the_same() -> None:
    assert Subwords.fit((text for text in TEXTS), size=280) == FEATURE


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="size is 200"):
        Subwords.fit(TEXTS, size=200)
    with pytest.raises(DataError, match="got one text"):
        Subwords.fit("text")
    with pytest.raises(DataError, match="is no piece; expected numbers from 0"):
        FEATURE.decode([9999])
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'relembra\[subwords\]'"):
        Subwords.fit(TEXTS)
