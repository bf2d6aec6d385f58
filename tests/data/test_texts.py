"""Many texts and their labels: the same as lists of them, in memory and on disk."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.mapped import on_disk

from relembra._errors import DataError
from relembra.data import Labels, Texts, label_codes, open_texts

TEXTS = ["um", "", "três 🐀", "\ud800 half a pair", " \n\t", "um"]


@pytest.mark.parametrize("memory", [0, 20, 1 << 20])
def test_they_read_like_a_list(memory: int) -> None:
    texts = Texts.of(iter(TEXTS), memory=memory)
    assert on_disk(texts.raw.values) == (memory < 1000)
    assert list(texts) == TEXTS
    assert [texts[i] for i in range(-6, 6)] == TEXTS + TEXTS
    assert (len(texts), texts.index("um"), texts.count("um"), "dois" in texts) == (6, 0, 2, False)
    assert list(texts[1:5:2]) == TEXTS[1:5:2]
    assert list(texts[[1, -1]]) == list(texts[[False, True] * 2 + [False, True]][[0, 2]])
    assert list(texts[np.array([-1, 2])]) == [TEXTS[-1], TEXTS[2]]
    assert list(texts[::-1]) == list(reversed(texts)) == TEXTS[::-1]
    assert texts.sizes.tolist() == [len(t.encode("utf-8", "surrogatepass")) for t in TEXTS]
    for place in (6, -7):
        with pytest.raises(IndexError, match="of 6"):
            texts[place]
    with pytest.raises(IndexError, match="row 6 of 6"):
        texts[[0, 6]]
    with pytest.raises(DataError, match=r"rows are chosen by .* truth value for each of the 6"):
        texts["um"]
    assert not Texts.of([], memory=memory)


def test_some_of_them_are_no_copy() -> None:
    texts = Texts.of(TEXTS)
    some = texts.take([5, 2, 2]).take(np.array([1, 0, 2]))
    assert some.raw is texts.raw
    assert list(some) == [TEXTS[2], TEXTS[5], TEXTS[2]]
    assert (some[-1], some.sizes.tolist()) == (TEXTS[2], [10, 2, 10])
    assert list(some.take([])) == []


@given(st.lists(st.text(max_size=5), max_size=30), st.data())
def test_any_texts_in_any_order(rows: list[str], data: st.DataObject) -> None:
    texts = Texts.of(rows, memory=data.draw(st.sampled_from([0, 1 << 20])))
    places = st.lists(st.integers(0, len(rows) - 1)) if rows else st.just([])
    chosen = data.draw(places)
    assert list(texts.take(chosen)) == [rows[i] for i in chosen]


def test_more_than_are_looked_up_at_once() -> None:
    rows = [str(i) * (i % 3) for i in range(10_000)]
    texts = Texts.of(rows)
    assert list(texts) == rows
    chosen = np.random.default_rng(0).permutation(10_000)
    assert list(texts.take(chosen)) == [rows[i] for i in chosen]


@pytest.mark.parametrize(
    ("texts", "message"), [("one", "got one text"), (["a", 3], "row 2 is a int; expected a text")]
)
def test_no_texts(texts, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Texts.of(texts)


def test_a_table_is_read_without_being_held(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("relembra.data._texts.TEXT_MEMORY", 1 << 16)
    monkeypatch.setattr("relembra.data._csv._BLOCK", 1 << 16)
    path, rows = tmp_path / "many.csv", 20_000
    path.write_text("text,label\n" + "".join(f"{'long ' * 100}{i},{i % 2}\n" for i in range(rows)))
    table = open_texts(path)
    next(table.chunks())  # what is imported at the first time does not count
    tracemalloc.start()
    data = table.read()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert data.texts.sizes.sum() > 10**7
    assert peak < 4 * 10**6
    assert on_disk(data.texts.raw.values)
    assert data.texts[rows - 1].endswith(f"long {rows - 1}")
    assert list(data.labels[-3:]) == ["1", "0", "1"]


GIVEN = ["pos", "neg", "pos", "", "néutral"]


def test_labels_read_like_a_list() -> None:
    labels = Labels.of(GIVEN)
    assert labels.names.tolist() == ["", "neg", "néutral", "pos"]
    assert list(labels) == [labels[i] for i in range(5)] == GIVEN
    assert (labels[-1], labels[np.int64(1)]) == ("néutral", "neg")
    assert type(labels[0]) is str
    assert list(labels[1:3]) == GIVEN[1:3]
    assert list(labels[[4, 0]]) == ["néutral", "pos"]
    assert list(labels[np.array([True, False, True, False, False])]) == ["pos", "pos"]
    assert list(labels[[True, False, False, False, True]]) == ["pos", "néutral"]
    assert (list(labels[[-1, 0], ...]), labels[1, ...]) == (["néutral", "pos"], "neg")
    assert (list(labels[[]]), labels[[]].codes.dtype) == ([], np.int32)
    assert list(labels[:2, ...]) == GIVEN[:2]
    with pytest.raises(IndexError, match="row 5 of 5"):
        labels[[5]]
    with pytest.raises(DataError, match="rows are chosen by an array"):
        labels[[0.5]]
    assert (len(labels), labels.shape) == (5, (5,))
    assert len(Labels.of([])) == 0


def test_labels_become_an_array_of_text() -> None:
    labels = Labels.of(GIVEN)
    array = np.asarray(labels)
    assert array.tolist() == GIVEN
    assert array.dtype == np.array(GIVEN).dtype
    assert np.asarray(labels[:2], dtype=object).tolist() == GIVEN[:2]
    with pytest.raises(ValueError, match="is a copy"):
        np.array(labels, copy=False)


@pytest.mark.parametrize("rows", [range(5), [0, 2], [3], []])
def test_the_codes_are_those_of_the_labels_that_occur(rows) -> None:
    names, codes = label_codes(Labels.of(GIVEN)[np.array(rows, int)])
    expected, places = np.unique([GIVEN[i] for i in rows], return_inverse=True)
    assert names.tolist() == expected.tolist()
    assert codes.tolist() == places.tolist()
    if len(rows):
        theirs, numbers = label_codes([GIVEN[i] for i in rows])
        assert (theirs.tolist(), numbers.tolist()) == (names.tolist(), codes.tolist())
        assert (names.dtype, codes.dtype) == (np.array(GIVEN).dtype, np.dtype(np.int64))
