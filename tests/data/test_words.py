"""Text as words: where they begin and end, and their numbers."""

import pytest

from relembra._errors import DataError
from relembra.data import Words

RULES = {
    "Não é? É!": ["não", "é", "?", "é", "!"],
    "d'água disse-lhe don't 'aspas'": [
        "d'água", "disse", "-", "lhe", "don't", "'", "aspas", "'",
    ],
    "R$ 1.234,50 às 10:30, 3a 2.": ["r", "$", "1.234,50", "às", "10:30", ",", "3a", "2", "."],
    "cafe\u0301 हिन्दी 東京": ["café", "हिन्दी", "東京"],
    "a_b @user #x😀": ["a_b", "@", "user", "#", "x", "😀"],
    " \t\u00a0\n": [],
}  # fmt: skip


@pytest.mark.parametrize("text", RULES)
def test_the_rule(text: str) -> None:
    assert Words.fit(["x"]).words(text) == RULES[text]


def test_capital_letters_and_lines() -> None:
    feature = Words.fit(["A b.\nA c.\n"], lower=False, lines=True)
    assert feature.words("A\n\nb") == ["A", "\n", "\n", "b"]
    assert feature.decode(feature.ids("A b.\nA c.\n")) == "A b.\nA c.\n"


def test_words_that_come_cut_are_left_as_they_are() -> None:
    feature = Words.fit([["New York", "is"], ["is"]], lower=False)
    encoded = feature.encode([["is", "New York", "is"], [], "New is"])
    assert encoded.lengths.tolist() == [3, 0, 2]
    assert encoded.batch([0, 2]).values["ids"].tolist() == [[2, 3, 2], [1, 2, 0]]
    assert Words.fit([["IS"], ("is",)]).vocabulary.known == ("is",)


def test_decoding_leaves_no_blank_before_punctuation() -> None:
    feature = Words.fit(["ele (sim) disse: não, obrigado!"])
    assert feature.decode(feature.ids("ele (sim) disse: não!")) == "ele (sim) disse: não!"
    assert feature.decode([0, *feature.ids("ele outro"), 0]) == "ele \ufffd"


@pytest.mark.parametrize(
    ("texts", "message"),
    [("one", "got one text"), (["a", ["b", 3]], r"row 2 is list: \['b', 3\]; expected a text or")],
)
def test_no_texts(texts, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Words.fit(texts)
    with pytest.raises(DataError, match=message):
        Words.fit(["a"]).encode(texts)
