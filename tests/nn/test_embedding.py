"""Embeddings: padding, dropped symbols, words and their letters."""

import pytest
import torch
from torch import nn as torch_nn

from relembra import ConfigError, DataError
from relembra.nn import TokenEmbedding, WordCharacterEmbedding

IDS = torch.tensor([[2, 3, 2, 0], [4, 0, 0, 0]])


def test_vectors_are_rows_and_padding_stays_zero():
    embedding = TokenEmbedding(5, 3)
    vectors = embedding(IDS)
    assert torch.equal(vectors, embedding.weight[IDS])
    vectors.sum().backward()
    assert not vectors[0, 3].any() and not embedding.weight.grad[0].any()
    assert embedding.weight.grad[:, 0].tolist() == [0.0, 0.0, 2.0, 1.0, 1.0]


def test_vectors_begin_with_length_one_on_average():
    torch.manual_seed(0)
    lengths = TokenEmbedding(2000, 30).weight[1:].square().sum(1)
    assert lengths.mean().item() == pytest.approx(1.0, abs=0.02)


def test_a_dropped_symbol_is_gone_everywhere():
    torch.manual_seed(0)
    embedding = TokenEmbedding(1000, 2, dropout=0.4, padding=None)
    ids = torch.arange(1000).repeat(2, 1)
    ratio = embedding(ids) / embedding.weight
    assert torch.equal(ratio[0], ratio[1])
    torch.testing.assert_close(ratio[..., 0], ratio[..., 1])
    assert float((ratio == 0).float().mean()) == pytest.approx(0.4, abs=0.05)
    assert ratio.max().item() == pytest.approx(1 / 0.6)
    assert torch.equal(embedding.eval()(ids)[0], embedding.weight)


def test_refusals_of_symbols():
    with pytest.raises(ConfigError, match="dropout is a probability"):
        TokenEmbedding(5, 3, dropout=1.0)
    with pytest.raises(DataError, match="between 0 and 5, expected 0 to 4"):
        TokenEmbedding(5, 3)(torch.tensor([[0, 5]]))


# Words 2 and 3 are known, 1 is not; three distinct spellings.
WORDS = {
    "ids": torch.tensor([[2, 1, 2], [3, 0, 0]]),
    "spelling": torch.tensor([[0, 1, 0], [2, 0, 0]]),
    "characters": torch.tensor([[2, 3, 0, 0], [3, 3, 2, 4], [5, 0, 0, 0]]),
    "character_lengths": torch.tensor([2, 4, 1]),
}


def make(**options):
    torch.manual_seed(0)
    return WordCharacterEmbedding(4, 6, 3, character_size=5, character_units=2, **options)


def test_word_beside_its_letters():
    embedding = make()
    vectors = embedding(**WORDS)
    assert vectors.shape == (2, 3, 3 + 4) and not vectors[1, 1:].any()
    assert torch.equal(vectors[..., :3], embedding.words.weight[WORDS["ids"]])
    theirs = torch_nn.LSTM(5, 2, batch_first=True, bidirectional=True)
    theirs.load_state_dict(embedding.reader.state_dict())
    for (row, step), word in {(0, 0): [2, 3], (0, 1): [3, 3, 2, 4], (1, 0): [5]}.items():
        _, (last, _) = theirs(embedding.characters.weight[word][None])
        torch.testing.assert_close(vectors[row, step, 3:], last.flatten())


def test_letters_have_the_same_bits_in_any_company():
    embedding = make().eval()
    with torch.no_grad():
        vectors = embedding(**WORDS)
        alone = embedding(
            torch.tensor([[1]]), torch.tensor([[0]]), WORDS["characters"][1:2], torch.tensor([4])
        )
    assert torch.equal(alone[0, 0], vectors[0, 1])


def test_training_takes_words_for_unknown():
    embedding = make(unknown_rate=0.5)
    many = {**WORDS, **{key: WORDS[key].repeat(500, 1) for key in ("ids", "spelling")}}
    own = embedding(**many)[..., :3]
    unknown = (own == embedding.words.weight[1]).all(-1)
    padding = many["ids"] == 0
    assert not own[padding].any()
    known = many["ids"] > 1
    assert float(unknown[known].float().mean()) == pytest.approx(0.5, abs=0.05)
    assert not torch.equal(unknown[0::2][:, 0], unknown[0::2][:, 2])  # each time anew
    kept = known & ~unknown
    assert torch.equal(own[kept], embedding.words.weight[many["ids"][kept]])
    assert torch.equal(embedding.eval()(**many)[..., :3], embedding.words.weight[many["ids"]])


def test_a_batch_without_words():
    none = torch.zeros(0, 0, dtype=torch.long)
    ids = torch.zeros(2, 0, dtype=torch.long)
    assert make()(ids, ids, none, torch.zeros(0, dtype=torch.long)).shape == (2, 0, 7)


def test_refusals_of_words():
    with pytest.raises(ConfigError, match="unknown_rate is a probability"):
        make(unknown_rate=1.5)
    with pytest.raises(DataError, match="between 0 and 9, expected 0 to 5"):
        make()(**{**WORDS, "characters": torch.tensor([[9, 0], [0, 0], [0, 0]]),
                  "character_lengths": torch.tensor([1, 1, 1])})  # fmt: skip
