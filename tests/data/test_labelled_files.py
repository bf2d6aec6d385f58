"""Folders whose folders are labels, and rows that are many."""

from __future__ import annotations

import numpy as np
import pytest
from tests.data.mapped import on_disk

from relembra._errors import DataError
from relembra.data import find_files, read_files
from relembra.data._gathering import gather


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_recordings_by_label(tmp_path) -> None:
    touch(tmp_path, "two/b.WAV", "two/a.flac", "one/c.ogg", "one/.hidden.wav", "one/readme.txt")
    touch(tmp_path, "README.md")
    found = read_files(tmp_path)
    assert [path.name for path in found.files] == ["c.ogg", "a.flac", "b.WAV"]
    assert (found.labels, found.medium) == (["one", "two", "two"], "recording")
    assert found.notes[0] == "3 recordings; their 2 folders are the labels"
    assert "readme.txt" in found.notes[1]
    assert find_files(tmp_path) == found.files
    assert find_files(tmp_path / "two") == found.files[1:]


def test_images_and_clips(tmp_path) -> None:
    touch(tmp_path, "images/cat/1.jpg", "images/dog/1.png")
    assert read_files(tmp_path / "images").medium == "image"
    touch(tmp_path, "clips/up/first/1.png", "clips/up/first/2.png", "clips/down/second/1.png")
    touch(tmp_path, "clips/down/third.mp4")
    found = read_files(tmp_path / "clips")
    assert [path.name for path in found.files] == ["second", "third.mp4", "first"]
    assert (found.labels, found.medium) == (["down", "down", "up"], "clip")
    assert find_files(tmp_path / "clips", clips=True) == found.files
    with pytest.raises(DataError, match=r"1\.png: image beside clip: .*third\.mp4"):
        find_files(tmp_path / "clips")


def test_folders_that_cannot_be_used(tmp_path) -> None:
    with pytest.raises(DataError, match="nowhere: there is no such folder"):
        read_files(tmp_path / "nowhere")
    (tmp_path / "one").mkdir()
    for read in (read_files, find_files):
        with pytest.raises(DataError, match="there is nothing to read"):
            read(tmp_path)
    touch(tmp_path, "one/a.wav", "two/b.png")
    with pytest.raises(DataError, match=r"a\.wav: recording beside image: .*b\.png"):
        read_files(tmp_path)
    touch(tmp_path, "loose.wav")
    with pytest.raises(DataError, match=r"loose\.wav: it lies beside the folders of the labels"):
        read_files(tmp_path)


@pytest.mark.parametrize("memory", [0, 100, 1 << 20])
def test_rows_are_the_same_in_memory_and_on_disk(memory) -> None:
    rows = [np.random.default_rng(n).standard_normal((n, 3)) for n in (4, 0, 9, 1)]
    found = gather(iter(rows), (3,), np.float64, memory=memory)
    assert found.lengths.tolist() == [4, 0, 9, 1]
    assert on_disk(found.values) == (memory < 1000)
    assert np.array_equal(found.values, np.concatenate(rows))
    assert gather([], (3,), np.uint8, memory=memory).values.shape == (0, 3)
