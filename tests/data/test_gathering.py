"""Rows that come some at a time, in memory and on disk."""

import errno
import io
import tempfile

import numpy as np
import pytest

from relembra._errors import DataError
from relembra.data._gathering import Gathering, blocks, gather, gather_ids


@pytest.mark.parametrize("memory", [0, 300, 1 << 20])
def test_they_are_the_same_in_memory_and_on_disk(memory: int) -> None:
    pieces = [([1, 2, 3], [2, 0, 1]), ([], [0]), ([4], [1]), ([5, 6], [2])]
    with Gathering((), np.uint16, memory=memory) as gathering:
        for values, lengths in pieces:
            gathering.add(np.array(values, np.int64), lengths)
        found = gathering.finish()
    assert isinstance(found.values, np.memmap) == (memory < 1000)
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
    assert isinstance(found.values, np.memmap)
    assert len(found) == 5000


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
