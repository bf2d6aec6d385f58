"""Numeric sequences from .ts and .npz files, and where they are bad."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from relembra._errors import DataError
from relembra.data import read_frames

HEAD = "# a set\n@problemName Waves\n@timeStamps false\n@classLabel true up down\n@data\n"
NAN = float("nan")


def test_ts_of_unequal_length_with_gaps(tmp_path: Path) -> None:
    path = tmp_path / "waves.ts.gz"
    path.write_bytes(gzip.compress((HEAD + "1,?,3:4,5,6:up\n\n7:-8e-1:down\n").encode()))
    data = read_frames(path)
    assert data.labels == ["up", "down"]
    assert data.frames.values.dtype == np.float32
    np.testing.assert_array_equal(data.frames[0], np.float32([[1, 4], [NAN, 5], [3, 6]]))
    np.testing.assert_array_equal(data.frames[1], np.float32([[7, -0.8]]))


def test_ts_without_labels_and_with_numbers_as_labels(tmp_path: Path) -> None:
    path = tmp_path / "a.ts"
    path.write_text("@univariate true\n@classLabel false\n@data\n1,2\n3,NaN,4\n")
    data = read_frames(path)
    assert data.labels is None
    assert data.frames.lengths.tolist() == [2, 3]
    path.write_text("@targetlabel true\n@data\n1,2:0.5\n")
    data = read_frames(path)
    assert data.labels == ["0.5"]
    assert data.notes == ("the labels are numbers: the set is meant for regression",)


BAD_TS = {
    "value": (HEAD + "1,x:2,3:up\n", "line 6: channel 1: could not convert string to float: 'x'"),
    "huge": (HEAD + "1,1:2,1e39:up\n", "line 6: channel 2: a value is infinite, or too large"),
    "label": (HEAD + "1:up\n2:left\n", "line 7: the label 'left' is none of those named: up, down"),
    "steps": (HEAD + "1,2:3:up\n", "line 6: the channels have 2, 1 steps"),
    "channels": (HEAD + "1:3:up\n1:up\n", "line 7: there are 1 channels; 2 came before"),
    "colon": (HEAD + "up\n", "line 6: the line has no ':'"),
    "stamps": ("@timeStamps true\n@data\n", "line 1: values with time stamps are not read"),
    "stamped": (HEAD + "(0,1),(1,2):up\n", "line 6: channel 1: .* time stamps are not read"),
    "early": ("@data_\n1,2\n", "line 2: 1,2 comes before @data"),
    "true": ("@classLabel yes\n@data\n", "line 1: @classlabel is 'yes'; expected true or false"),
    "nothing": (HEAD, "the file has no sequences behind @data"),
    "empty": ("", "the file has no line @data"),
    "latin": ((HEAD + "1:é\n").encode("latin-1"), "line 6: byte 0xe9"),
}


@pytest.mark.parametrize("name", BAD_TS)
def test_bad_ts_files(tmp_path: Path, name: str) -> None:
    content, message = BAD_TS[name]
    path = tmp_path / f"{name}.ts"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=message) as caught:
        read_frames(path)
    assert str(caught.value).startswith(str(path))


def test_npz_of_every_layout(tmp_path: Path) -> None:
    X = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    path = tmp_path / "a.npz"
    np.savez(path, X_train=X, y_train=np.array([1, 0]), X_test=X[:1], lengths_test=np.array([2]))
    train, test = read_frames(path, part="train"), read_frames(path, part="test")
    assert train.labels == ["1", "0"]
    np.testing.assert_array_equal(train.frames[1], X[1])
    assert test.labels is None
    np.testing.assert_array_equal(test.frames[0], X[0, :2])
    np.savez(path, X=X[:, :, 0], y=np.array(["a", "b"]))
    data = read_frames(path)
    assert data.frames.values.shape == (6, 1)
    assert (data.labels, data.notes) == (["a", "b"], ("read: X, y",))
    np.savez(path, values=X.reshape(6, 2), offsets=np.array([0, 1, 6], np.int32))
    assert read_frames(path).frames.lengths.tolist() == [1, 5]
    for empty, lengths in (((0, 3, 2), []), ((0, 3), []), ((2, 0, 2), [0, 0])):
        np.savez(path, X=np.zeros(empty))
        assert read_frames(path).frames.lengths.tolist() == lengths


BAD_NPZ = {
    "key": ({"Z": [1]}, "the file has Z; expected 'X'"),
    "part": ({"X_train": [1], "X_test": [1]}, "name a part: test, train"),
    "shape": ({"X": np.zeros(3)}, r"X has shape \(3,\)"),
    "channels": ({"X": np.zeros((3, 2, 0))}, r"X has shape \(3, 2, 0\)"),
    "type": ({"X": np.array([["a"]])}, "X has .*<U1; expected numbers"),
    "infinite": ({"X": np.diag([1.0, 1, np.inf])}, "row 3, step 3, channel 1: the value is infin"),
    "objects": ({"X": np.array([[1], [1, 2]], dtype=object)}, "objects are refused: save"),
    "labels": ({"X": np.zeros((3, 2)), "y": np.zeros(2)}, r"y has shape \(2,\); expected \(3,\)"),
    "lengths": ({"X": np.zeros((3, 2)), "lengths": np.array([1, 2, 3])}, "from 0 to 2 for each"),
    "halves": ({"X": np.zeros((1, 2)), "lengths": np.array([0.5])}, "the lengths do not fit"),
    "offsets": ({"values": np.zeros(3), "offsets": np.array([0, 4])}, "offsets go from 0 to 4"),
}


@pytest.mark.parametrize("name", BAD_NPZ)
def test_bad_npz_files(tmp_path: Path, name: str) -> None:
    arrays, message = BAD_NPZ[name]
    path = tmp_path / f"{name}.npz"
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=message) as caught:
        read_frames(path)
    assert str(caught.value).startswith(str(path))


def test_files_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, X=np.zeros((30, 20)))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match="numbers: damaged or cut off") as caught:
        read_frames(path)
    assert "objects" not in str(caught.value)
    path.write_bytes(b"a text\n" * 99)
    with pytest.raises(DataError, match="no readable .npz file of numbers: it is of another kind$"):
        read_frames(path)
    np.save(tmp_path / "b.npy", np.zeros((2, 2)))
    (tmp_path / "b.npy").rename(tmp_path / "b.npz")
    with pytest.raises(DataError, match="it is of another kind"):
        read_frames(tmp_path / "b.npz")
    with pytest.raises(DataError, match="there is no such file"):
        read_frames(tmp_path / "c.ts")
    (tmp_path / "d.txt").write_text("")
    with pytest.raises(DataError, match=r"neither in .ts nor in .npz"):
        read_frames(tmp_path / "d.txt")
    (tmp_path / "d.ts").write_text(HEAD + "1:up\n")
    with pytest.raises(DataError, match="a .ts file has no parts"):
        read_frames(tmp_path / "d.ts", part="train")
