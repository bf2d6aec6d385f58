"""Tests of atomic writes and tensor files."""

import json
import os
import stat
import struct
import threading

import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relembra import _files
from relembra._errors import ArtifactError, OutputExistsError
from relembra._files import (
    atomic_write,
    read_tensor_file,
    read_tensors,
    remove_leftovers,
    write_tensors,
)


def text(content):
    return lambda file: file.write(content) and None


def test_a_file_is_written_and_no_draft_stays(tmp_path):
    atomic_write(tmp_path / "a", text(b"first"))
    assert (tmp_path / "a").read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["a"]


def test_an_existing_file_is_kept_unless_forced(tmp_path):
    atomic_write(tmp_path / "a", text(b"first"))
    with pytest.raises(OutputExistsError, match="a exists already and is not overwritten"):
        atomic_write(tmp_path / "a", text(b"second"))
    assert (tmp_path / "a").read_bytes() == b"first"
    atomic_write(tmp_path / "a", text(b"third"), force=True)
    assert (tmp_path / "a").read_bytes() == b"third"


def test_an_error_or_interrupt_while_writing_leaves_everything_as_it_was(tmp_path):
    atomic_write(tmp_path / "a", text(b"first"))

    def broken(file):
        file.write(b"half")
        raise KeyboardInterrupt

    for name in ("a", "b"):
        with pytest.raises(KeyboardInterrupt):
            atomic_write(tmp_path / name, broken, force=True)
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"first"


@pytest.mark.parametrize("links", [True, False])
def test_of_many_writers_without_force_one_wins(tmp_path, monkeypatch, links):
    if not links:  # a file system like FAT

        def no_link(source, target):
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", no_link)
    barrier, results = threading.Barrier(8), []

    def writer(number):
        def write(file):
            barrier.wait()  # all have passed the first check
            file.write(b"%d" % number)

        try:
            atomic_write(tmp_path / "a", write)
            results.append(number)
        except OutputExistsError:
            pass

    threads = [threading.Thread(target=writer, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 1
    assert (tmp_path / "a").read_bytes() == b"%d" % results[0]
    assert os.listdir(tmp_path) == ["a"]


def test_the_mode_follows_the_umask(tmp_path):
    kept = os.umask(0o027)
    try:
        atomic_write(tmp_path / "a", text(b"x"))
    finally:
        os.umask(kept)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_a_symbolic_link_is_followed(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "real")
    atomic_write(tmp_path / "link", text(b"x"), force=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"x"


def test_unwritable_places_are_named(tmp_path):
    with pytest.raises(ArtifactError, match=r"cannot write .*: it is a folder"):
        atomic_write(tmp_path, text(b"x"), force=True)
    with pytest.raises(ArtifactError, match=r"the folder .*nowhere does not exist"):
        atomic_write(tmp_path / "nowhere" / "a", text(b"x"))

    def full(file):
        raise OSError(28, "No space left on device")

    with pytest.raises(ArtifactError, match="No space left on device"):
        atomic_write(tmp_path / "a", full)
    assert os.listdir(tmp_path) == []


def test_leftovers_of_killed_writers_are_removed_and_nothing_else(tmp_path):
    for name in (".a[1].0123.tmp", ".ab.0123.tmp", "a[1]", ".a1.0123.tmp"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path / "a[1]")
    assert sorted(os.listdir(tmp_path)) == [".a1.0123.tmp", ".ab.0123.tmp", "a[1]"]


DTYPES = [
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
    torch.uint8,
    torch.int8,
    torch.int16,
    torch.int32,
    torch.int64,
    torch.bool,
    torch.complex64,
]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_type_keeps_its_bits(tmp_path, dtype):
    generator = torch.Generator().manual_seed(0)
    raw = torch.randint(0, 256, (48,), dtype=torch.uint8, generator=generator)
    raw = raw % 2 if dtype is torch.bool else raw  # random bits: NaNs with payloads too
    tensors = {
        "plain": raw.view(dtype).reshape(2, -1),
        "scalar": raw.view(dtype)[1],
        "empty": torch.empty(0, 3, dtype=dtype),
    }
    write_tensors(tmp_path / "f", tensors, {}, kind="model")
    loaded, _ = read_tensors(tmp_path / "f", kind="model")
    assert loaded.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert loaded[name].dtype == dtype
        assert loaded[name].shape == tensor.shape
        bits = loaded[name].reshape(-1).view(torch.uint8)
        assert torch.equal(bits, tensor.reshape(-1).view(torch.uint8))


def test_views_and_shared_tensors_are_written_apart(tmp_path):
    base = torch.arange(12.0).reshape(3, 4)
    tensors = {"base": base, "same": base, "row": base[1], "turned": base.T, "wide": base[:, :2]}
    tensors["parameter"] = torch.nn.Parameter(base)
    write_tensors(tmp_path / "f", tensors, {}, kind="model")
    loaded, _ = read_tensors(tmp_path / "f", kind="model")
    for name, tensor in tensors.items():
        assert torch.equal(loaded[name], tensor)
    loaded["base"].zero_()
    assert torch.equal(loaded["same"], base)


def test_the_description_travels_and_the_version_is_known(tmp_path):
    data = {"text": "ação ☃", "numbers": [1, 0.1, 1e300, None, True], "deep": {"a": {}}}
    write_tensors(tmp_path / "f", {}, data, kind="checkpoint")
    file = read_tensor_file(tmp_path / "f", kind="checkpoint")
    assert file.data == data
    assert file.version == _files._version()


def test_loaded_tensors_do_not_depend_on_the_file_any_more(tmp_path):
    write_tensors(tmp_path / "f", {"w": torch.ones(1000)}, {}, kind="model")
    loaded, _ = read_tensors(tmp_path / "f", kind="model")
    with open(tmp_path / "f", "r+b") as file:
        file.write(bytes(os.path.getsize(tmp_path / "f")))
    assert torch.equal(loaded["w"], torch.ones(1000))


def test_an_existing_tensor_file_is_kept_unless_forced(tmp_path):
    write_tensors(tmp_path / "f", {"w": torch.ones(1)}, {}, kind="model")
    with pytest.raises(OutputExistsError):
        write_tensors(tmp_path / "f", {"w": torch.zeros(1)}, {}, kind="model")
    write_tensors(tmp_path / "f", {"w": torch.zeros(1)}, {}, kind="model", force=True)
    assert read_tensors(tmp_path / "f", kind="model")[0]["w"] == 0.0


def refuse(path, message, kind="model"):
    with pytest.raises(ArtifactError, match=message) as caught:
        read_tensors(path, kind=kind)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_folder_foreign_and_other_kind_are_told_apart(tmp_path):
    path = tmp_path / "f"
    refuse(path, "does not exist; a model file was expected")
    refuse(tmp_path, "is a folder; a model file was expected")
    path.write_bytes(b"")
    refuse(path, "truncated, damaged or no safetensors file")
    path.write_bytes(b"date,units\n2024-01,3\n" * 50)
    refuse(path, "truncated, damaged or no safetensors file")
    safetensors.torch.save_file({"w": torch.ones(1)}, path)
    refuse(path, "Relembra did not write it")
    write_tensors(path, {}, {}, kind="checkpoint", force=True)
    refuse(path, "is a checkpoint file; a model file was expected")


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ({"format": 2, "relembra": "9.0"}, r"format 2, written by Relembra 9\.0.*pip install --up"),
        ({"format": 0}, "reads format 1 only"),
        ({"format": "1"}, "reads format 1 only"),
        ({"format": 1, "data": []}, "its description is incomplete"),
        ({"format": 1}, "is a None file"),
        ([], "its description is incomplete"),
        ("[" * 100_000, "its description is not JSON"),
        ("{", "its description is not JSON"),
    ],
    ids=["newer", "older", "text", "no-data", "no-kind", "list", "deep", "broken"],
)
def test_other_versions_and_damaged_descriptions_are_refused(tmp_path, head, message):
    if isinstance(head, dict):
        head = {"data": {}, **head}
    string = head if isinstance(head, str) else json.dumps(head)
    safetensors.torch.save_file({}, tmp_path / "f", metadata={"relembra": string})
    refuse(tmp_path / "f", message)


def content(folder):
    tensors = {"w": torch.arange(6.0), "n": torch.arange(3)}
    write_tensors(folder / "whole", tensors, {"a": [1, "b"]}, kind="model", force=True)
    return (folder / "whole").read_bytes()


def test_every_truncation_is_an_artifact_error(tmp_path):
    whole = content(tmp_path)
    for size in range(len(whole)):
        (tmp_path / "f").write_bytes(whole[:size])
        refuse(tmp_path / "f", "truncated")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(place=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
def test_a_changed_byte_never_raises_anything_else(tmp_path, place, byte):
    damaged = bytearray(content(tmp_path))
    damaged[int(place * len(damaged))] = byte
    (tmp_path / "f").write_bytes(damaged)
    try:
        read_tensors(tmp_path / "f", kind="model")
    except ArtifactError as error:
        assert str(tmp_path / "f") in str(error)


def test_a_huge_header_is_refused_without_being_read(tmp_path):
    (tmp_path / "f").write_bytes(struct.pack("<Q", 2**62) + b"{}")
    refuse(tmp_path / "f", "truncated, damaged")
