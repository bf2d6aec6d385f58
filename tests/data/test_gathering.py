"""Rows that come some at a time, in memory and on disk."""

import errno
import io
import tempfile

import joblib
import numpy as np
import pytest
from tests.data.mapped import on_disk

from relembra._errors import DataError
from relembra.data import Texts
from relembra.data._gathering import Gathering, blocks, gather, gather_ids


@pytest.mark.parametrize("memory", [0, 300, 1 << 20])
def test_they_are_the_same_in_memory_and_on_disk(memory: int) -> None:
    pieces = [([1, 2, 3], [2, 0, 1]), ([], [0]), ([4], [1]), ([5, 6], [2])]
    with Gathering((), np.uint16, memory=memory) as gathering:
        for values, lengths in pieces:
            gathering.add(np.array(values, np.int64), lengths)
        found = gathering.finish()
    assert on_disk(found.values) == (memory < 1000)
    assert found.values.dtype == np.uint16
    assert found.values.tolist() == [1, 2, 3, 4, 5, 6]
    assert found.lengths.tolist() == [2, 0, 1, 0, 1, 2]


@pytest.mark.parametrize("memory", [0, 1 << 20])
def test_nothing_at_all(memory: int) -> None:
    with Gathering((2,), np.int32, memory=memory) as gathering:
        found = gathering.finish()
    assert (found.values.shape, len(found)) == ((0, 2), 0)


def test_many_small_rows_do_not_wait_as_so_many_arrays() -> None:
    rows = (np.zeros(1, np.uint8) for _ in range(5000))
    found = gather(rows, (), np.uint8, memory=100_000)  # 5 kB of values, but 600 kB of arrays
    assert on_disk(found.values)
    assert len(found) == 5000


def told(rows):
    """Return what another process sees of rows."""
    return rows.values.dtype.str, rows.values.shape, rows.values.sum(), rows.lengths.tolist()


def test_rows_on_disk_go_to_other_processes() -> None:
    """joblib sends mapped files by their names, and these have none; 1 MB is where it cares."""
    many = gather((np.full((n, 2), n, "f4") for n in (200_000, 0, 3)), (2,), "f4", memory=0)
    few = gather([np.arange(5, dtype="u2")], (), "u2", memory=0)
    texts = Texts.of(["one", "two 🐀"], memory=0)
    assert on_disk(many.values) and on_disk(few.values) and on_disk(texts.raw.values)
    there = joblib.Parallel(n_jobs=2)
    assert there([joblib.delayed(told)(rows) for rows in (many, few)]) == [told(many), told(few)]
    assert there([joblib.delayed(list)(texts)]) == [["one", "two 🐀"]]
    assert there([joblib.delayed(np.sum)(many[0])]) == [8e10]


def test_a_row_that_fails_leaves_no_file_open() -> None:
    def rows():
        yield np.zeros(3)
        raise DataError("this row is bad")

    with pytest.raises(DataError, match="this row is bad"):
        gather(rows(), (), np.float64, memory=0)


def test_a_full_disk_is_told_with_what_to_do(monkeypatch) -> None:
    class Full(io.BytesIO):
        def write(self, data) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self) -> None:
            super().close()
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **options: Full())
    with pytest.raises(DataError, match="No space left on device.*set TMPDIR") as caught:
        gather([np.zeros(3)], (), np.float64, memory=0)
    assert caught.value.path == tempfile.gettempdir()


@pytest.mark.parametrize(
    ("size", "kind"),
    [(0, "u1"), (256, "u1"), (257, "u2"), (65_536, "u2"), (65_537, "u4")],
)
def test_ids_take_the_smallest_type_that_holds_them(size: int, kind: str) -> None:
    found = gather_ids([[0], [max(size - 1, 0)]], lambda some: np.concatenate(some), size)
    assert found.values.dtype == np.dtype(kind)
    assert found[1].tolist() == [max(size - 1, 0)]
    values, _ = found.padded([0, 1])
    assert values.dtype.is_signed
    assert values.tolist() == [[0], [max(size - 1, 0)]]


@pytest.mark.parametrize("most", [0, 1, 4, 1000])
def test_blocks_are_all_rows_in_order(most: int) -> None:
    rows = ["a", "", "bcd", "", "", "efghij", "k"]
    found = list(blocks(iter(rows), most))
    assert [row for block in found for row in block] == rows
    assert all(found)
    assert all(sum(len(row) + 1 for row in block[:-1]) <= most for block in found)
    assert list(blocks([], most)) == []
