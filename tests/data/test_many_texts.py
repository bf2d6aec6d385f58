"""Features of texts that are too many to be held: block by block, on disk, with bounded counts."""

import pytest
import torch
from tests.data.mapped import on_disk

from relembra._errors import DataError
from relembra.data import Characters, Subwords, Symbols, Texts, WordCharacters, Words
from relembra.data import _word_characters as spelled
from relembra.data._vocabulary import count_symbols

TEXTS = ["A casa, a casa!", "", "O gato viu o Rato.", "o rato", "!", "d'água e ação", "A casa"] * 3
FEATURES = {
    "words": Words.fit(TEXTS),
    "characters": Characters.fit(TEXTS),
    "words+characters": WordCharacters.fit(TEXTS),
    "subwords": Subwords.fit(TEXTS, size=270),
    "symbols": Symbols.fit(TEXTS),
}


@pytest.fixture
def tiny_blocks(monkeypatch):
    """A few letters at a time, and nothing in memory."""
    monkeypatch.setattr("relembra.data._gathering._BLOCK", 20)
    monkeypatch.setattr("relembra.data._gathering.TEXT_MEMORY", 0)
    monkeypatch.setattr(spelled, "TEXT_MEMORY", 0)


@pytest.mark.parametrize("name", FEATURES)
def test_ids_are_the_same_block_by_block_and_on_disk(name: str, request) -> None:
    feature = FEATURES[name]
    whole = feature.encode(TEXTS)
    request.getfixturevalue("tiny_blocks")
    found = feature.encode(Texts.of(TEXTS, memory=0))
    rows = found.words if name == "words+characters" else found.ids
    assert on_disk(rows.values)
    assert found.lengths.tolist() == whole.lengths.tolist()
    for chosen in ([0, 5, 1], range(len(TEXTS)), [1], []):
        expected, batch = whole.batch(chosen), found.batch(chosen)
        assert expected.values.keys() == batch.values.keys()
        for part, tensor in expected.values.items():
            assert tensor.dtype == batch.values[part].dtype == torch.int64
            assert torch.equal(tensor, batch.values[part])


def spelling(feature: WordCharacters, batch) -> list[list[str]]:
    """Return the words of each row by their letters."""
    forms = [feature.characters.decode(row) for row in batch.values["characters"]]
    return [
        [forms[number] for number in row[:length].tolist()]
        for row, length in zip(batch.values["spelling"], batch.lengths.tolist(), strict=True)
    ]


def test_words_are_spelled_the_same_where_forms_are_forgotten(tiny_blocks, monkeypatch) -> None:
    feature = FEATURES["words+characters"]
    expected = feature.encode(TEXTS)
    monkeypatch.setattr(spelled, "_FORMS", 3)
    found = feature.encode(TEXTS)
    assert len(found.spelling) > len(expected.spelling)
    rows = range(len(TEXTS))
    mine, theirs = found.batch(rows), expected.batch(rows)
    assert spelling(feature, mine) == spelling(feature, theirs)
    assert spelling(feature, mine)[:3] == [
        ["A", "casa", ",", "a", "casa", "!"], [], ["O", "gato", "viu", "o", "Rato", "."],
    ]  # fmt: skip
    assert torch.equal(mine.values["ids"], theirs.values["ids"])


def test_the_place_of_a_strange_letter_in_a_later_block(tiny_blocks) -> None:
    dna = Symbols("ACGT")
    rows = ["ACGT" * 10, "", "GATTACA", "", "TAXT"]
    with pytest.raises(DataError, match="sequence 5, position 3: 'X' is not in the alphabet"):
        dna.encode(iter(rows))


def test_counts_are_exact_until_there_are_too_many() -> None:
    rows = [[f"w{n}"] * (1 + n % 3) for n in range(50)]
    whole = count_symbols(rows)
    assert whole == {f"w{n}": 1 + n % 3 for n in range(50)}
    assert count_symbols(rows, size=10, most=50) == whole
    assert count_symbols(rows, size=13, most=1) == whole  # four times as many are held anyhow


def test_the_frequent_ones_are_found_among_ever_new_ones() -> None:
    rows = ([f"new{n}", "the", "of", *(["sea"] * (n % 2))] for n in range(3000))
    counts = count_symbols(rows, size=3, most=20)
    assert len(counts) <= 20
    assert counts["the"] == counts["of"] == 3000
    assert counts["sea"] == 1500
    texts = (f"new{n} the of the" for n in range(100))
    assert Words.fit(texts, size=2).vocabulary.known == ("the", "of")


@pytest.mark.parametrize("lower", [True, False])
def test_words_with_their_letters_count_as_words_and_letters_do(lower: bool) -> None:
    texts = [*TEXTS, ["New York", "É"], ["é"]]
    feature = WordCharacters.fit(iter(texts), lower=lower, least=2, size=5, least_character=2)
    assert feature.words == Words.fit(texts, lower=lower, least=2, size=5)
    cut = Words.fit([], lower=False)
    letters = ["".join(cut.words(text)) for text in texts]
    assert feature.characters == Characters.fit(letters, least=2)
