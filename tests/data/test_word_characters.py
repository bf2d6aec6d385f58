"""Words with their spelling: every word finds its own."""

import numpy as np
import torch

from relembra.data import WordCharacters

TEXTS = ["O gato viu o rato", "gato Gato", "", "o Zebu viu a zebra"]


def test_each_word_finds_its_spelling_in_any_batch() -> None:
    feature = WordCharacters.fit(TEXTS[:2])
    encoded = feature.encode(TEXTS)
    assert encoded.lengths.tolist() == [5, 2, 0, 5]
    for indices in ([0, 1, 2, 3], [3], [2, 1], [1, 1, 0]):
        values, lengths = encoded.batch(indices)
        forms = values["characters"]
        assert len(forms) == len({w for i in indices for w in TEXTS[i].split()})
        assert values["character_lengths"].tolist() == [int((f > 0).sum()) for f in forms]
        for row, index in enumerate(indices):
            words = TEXTS[index].split()
            assert int(lengths[row]) == len(words)
            spelled = [feature.characters.decode(forms[i]) for i in values["spelling"][row]]
            known = set("".join(TEXTS[:2]))
            expected = ["".join(c if c in known else "\ufffd" for c in w) for w in words]
            assert spelled[: len(words)] == expected
            ids = values["ids"][row].tolist()
            lower = [word.lower() for word in words]
            assert ids[: len(words)] == feature.words.vocabulary.ids(lower).tolist()
            assert not any(ids[len(words) :])


def test_padding_points_at_a_form_that_exists() -> None:
    encoded = WordCharacters.fit(TEXTS).encode(TEXTS)
    values = encoded.batch([0, 1]).values
    assert values["spelling"].dtype == torch.int64
    assert values["spelling"].min() == 0
    assert values["spelling"].max() == len(values["characters"]) - 1


def test_a_batch_without_words() -> None:
    values, lengths = WordCharacters.fit(TEXTS).encode(["", " "]).batch([0, 1])
    assert values["ids"].shape == values["spelling"].shape == (2, 0)
    assert values["characters"].shape == (0, 0)
    assert lengths.tolist() == [0, 0]


def test_capital_letters_count_in_the_spelling_alone() -> None:
    feature = WordCharacters.fit(["Rio rio"])
    values = feature.encode(["Rio rio RIO"]).batch([0]).values
    assert len(np.unique(values["ids"])) == 1
    assert values["spelling"].tolist() == [[0, 1, 2]]
    exact = WordCharacters.fit(["Rio rio"], lower=False).encode(["Rio rio RIO"]).batch([0]).values
    assert exact["ids"].tolist() == [[2, 3, 1]]
