"""Rows of unequal length: as slices, chosen, and padded."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from relembra._errors import DataError
from relembra.data import Ragged

ROWS = st.lists(st.lists(st.integers(-9, 9), max_size=6), min_size=1, max_size=8)


@given(ROWS, st.data())
def test_padded_equals_a_plain_loop(rows: list[list[int]], data: st.DataObject) -> None:
    indices = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=9))
    values, lengths = Ragged.of(rows, np.int32).padded(indices, fill=-1)
    chosen = [rows[i] for i in indices]
    steps = max((len(row) for row in chosen), default=0)
    expected = [row + [-1] * (steps - len(row)) for row in chosen]
    assert values.dtype == lengths.dtype == torch.int64
    assert values.shape == (len(chosen), steps)
    assert values.tolist() == expected
    assert lengths.tolist() == [len(row) for row in chosen]


@given(ROWS)
def test_rows_come_back(rows: list[list[int]]) -> None:
    ragged = Ragged.of(rows)
    assert [ragged[i].tolist() for i in range(len(ragged))] == rows
    assert ragged[-1].tolist() == rows[-1]
    backwards = ragged.take(range(len(rows) - 1, -1, -1))
    assert [backwards[i].tolist() for i in range(len(rows))] == rows[::-1]


def test_frames_keep_their_type_and_shape() -> None:
    rows = Ragged.of([np.ones((2, 3), np.float32), np.zeros((0, 3)), np.full((1, 3), 7)], "f4")
    values, lengths = rows.padded([0, 1, 2], fill=9)
    assert values.dtype == torch.float32
    assert values[:, :, 0].tolist() == [[1, 1], [9, 9], [7, 9]]
    assert lengths.tolist() == [2, 0, 1]


def test_a_memory_mapped_array_is_not_copied(tmp_path) -> None:
    np.save(tmp_path / "values.npy", np.arange(10))
    mapped = np.load(tmp_path / "values.npy", mmap_mode="r")
    rows = Ragged(mapped, np.array([0, 4, 10]))
    assert np.shares_memory(rows[1], mapped)
    assert rows.padded([1])[0].tolist() == [[4, 5, 6, 7, 8, 9]]


@pytest.mark.parametrize("offsets", [[0, 4], [1, 5], [0, 3, 2, 5], []])
def test_offsets_that_do_not_fit(offsets: list[int]) -> None:
    with pytest.raises(DataError, match="offsets"):
        Ragged(np.arange(5), np.array(offsets, np.int64))


def test_rows_that_do_not_agree() -> None:
    with pytest.raises(DataError, match=r"row 2 has shape \(2, 4\); expected \('T', 3\)"):
        Ragged.of([np.zeros((1, 3)), np.zeros((2, 4))])
    with pytest.raises(IndexError, match="row 2 of 2"):
        Ragged.of([[1], [2]])[2]
