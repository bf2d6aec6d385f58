"""Frames with a tag each."""

from __future__ import annotations

import numpy as np
import pytest

from relembra import DataError
from relembra.data import read_tagged_frames


def test_both_layouts_say_the_same(tmp_path) -> None:
    X, y = np.arange(24.0).reshape(2, 4, 3), np.array([[0, 1, 1, 0], [1, 1, 0, 0]])
    np.savez(tmp_path / "a.npz", X=X, y=y, lengths=[4, 2])
    values = np.concatenate([X[0], X[1, :2]])
    np.savez(tmp_path / "b.npz", values=values, offsets=[0, 4, 6], y=[0, 1, 1, 0, 1, 1])
    for name in ("a.npz", "b.npz"):
        data = read_tagged_frames(tmp_path / name)
        assert data.tags == [[0, 1, 1, 0], [1, 1]]
        np.testing.assert_array_equal(data.frames.values, values)


def test_without_tags(tmp_path) -> None:
    np.savez(tmp_path / "a.npz", X=np.zeros((2, 4)))
    assert read_tagged_frames(tmp_path / "a.npz").tags is None


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros((2, 3), int), r"y has shape \(2, 3\); expected a tag for each of 8 frames"),
        (np.zeros(2, int), r"y has shape \(2,\)"),
        (np.zeros((2, 4)), "y has type float64"),
    ],
)
def test_tags_that_do_not_fit_are_named(tmp_path, y, message) -> None:
    np.savez(tmp_path / "a.npz", X=np.zeros((2, 4)), y=y)
    with pytest.raises(DataError, match=message):
        read_tagged_frames(tmp_path / "a.npz")
    with pytest.raises(DataError, match="no such file"):
        read_tagged_frames(tmp_path / "b.npz")
