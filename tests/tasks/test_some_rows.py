"""Some of many rows: whatever holds them gives those that are meant, or says that it cannot."""

import numpy as np
import pytest

from relembra._errors import DataError
from relembra.data import Labels, Ragged, Texts
from relembra.tasks.classify import LabelledRows
from relembra.tasks.classify._encoded_rows import EncodedRows
from relembra.tasks.tag import TagData

WORDS = ["um", "dois", "três", "quatro"]
# Ways to name some of four rows.
WAYS = [[3, 1], [-1, -3], np.array([3, -3], np.int8), [False, True, False, True], slice(1, 4, 2)]


def ids(rows):
    """Return the ids of rows as they are encoded."""
    some = rows.encoded
    whole = some.batch([True] * len(some.lengths)).values["ids"]
    assert whole.tolist() == some.batch(range(-len(some.lengths), 0)).values["ids"].tolist()
    assert some.batch([]).values["ids"].shape == (0, 0)
    return whole


HOLDERS = [
    (Texts.of(WORDS), list),
    (Texts.of(["-", *WORDS]).take([1, 2, 3, 4]), list),
    (Ragged.of([[i] * i for i in range(4)]), lambda some: [WORDS[n] for n in some.lengths]),
    (LabelledRows(WORDS, np.array(WORDS), ()), lambda some: some.rows),
    (LabelledRows(WORDS, np.array(WORDS), ()), lambda some: some.labels.tolist()),
    (LabelledRows(np.array(WORDS), Labels.of(WORDS), ()), lambda some: some.rows.tolist()),
    (LabelledRows(Texts.of(WORDS), Labels.of(WORDS), ()), lambda some: list(some.labels)),
    (EncodedRows.fit("words", WORDS), lambda some: some.rows),
    (EncodedRows.fit("words", WORDS), lambda some: [some.feature.decode(row) for row in ids(some)]),
    (TagData([[word] for word in WORDS], None, ()), lambda some: [row[0] for row in some.rows]),
    (TagData(WORDS, [[word] for word in WORDS], ()), lambda some: [row[0] for row in some.tags]),
]


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize(("rows", "read"), HOLDERS, ids=lambda value: type(value).__name__)
def test_whatever_has_rows_gives_those_that_are_meant(rows, read, way) -> None:
    assert read(rows.take(way)) == np.array(WORDS)[way].tolist()


@pytest.mark.parametrize(("rows", "read"), HOLDERS, ids=lambda value: type(value).__name__)
def test_whatever_has_rows_says_what_it_does_not_have(rows, read) -> None:
    assert len(rows.take([])) == 0
    with pytest.raises(IndexError, match="row 4 of 4"):
        rows.take([0, 4])
    for wrong in ([True], [0.5], "one"):
        with pytest.raises(DataError, match="rows are chosen by"):
            rows.take(wrong)
