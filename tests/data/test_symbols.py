"""Letters of a fixed alphabet, and the place of a letter that is not in it."""

import pytest

from relembra._errors import ConfigError, DataError
from relembra.data import Symbols


def test_ids_follow_the_alphabet() -> None:
    dna = Symbols("TGCA")
    encoded = dna.encode(["ACGT", "", "TT"])
    assert encoded.batch([0, 1, 2]).values["ids"].tolist() == [[5, 4, 3, 2], [0] * 4, [2, 2, 0, 0]]
    assert dna.decode([5, 4, 3, 2, 0]) == "ACGT"
    assert dna.size == 6
    assert Symbols.fit(["TA", "CA"]) == Symbols("ACT")
    assert Symbols.fit(["TA"], alphabet="TAC").alphabet == "TAC"


@pytest.mark.parametrize(
    ("sequences", "message"),
    [
        (["", "ACGT", "AGN"], "sequence 3, position 3: 'N' is not in the alphabet 'ACGT'; correct"),
        (["AC", "", "NA"], "sequence 3, position 1: 'N'"),
        (["ACGt"], "sequence 1, position 4: 't' .*write it as the capital letter 'T'"),
        ("ACGT", "got one text"),
    ],
)
def test_other_letters(sequences, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Symbols("ACGT").encode(sequences)


@pytest.mark.parametrize(("alphabet", "message"), [("", "no letters"), ("ACA", "'A' twice")])
def test_bad_alphabets(alphabet: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Symbols(alphabet)
