"""Text files as one mapped stream of ids."""

import gzip
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from relembra._errors import ConfigError, DataError, OutputExistsError
from relembra.data import Characters, StreamRows, Subwords, TextFiles, TextStream, Words
from relembra.data import _text_files as text_files

WORDS = ["ação", "rato", "d'água", "1.234,5", "🐀", "não", "\n", "fim.\n"]


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_files, "_BLOCK", 64)


def _text(words: int, seed: int = 0) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=words))


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("cls", [Characters, Words, Subwords])
def test_pieces_give_the_same_as_the_whole(tmp_path: Path, cls) -> None:
    texts = [_text(500), _text(300, 1)]
    (tmp_path / "a.txt").write_text("\ufeff" + texts[0].replace("\n", "\r\n"), newline="")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(texts[1].encode()))
    files = TextFiles.of([tmp_path / "a.txt", tmp_path / "b.txt.gz"])
    whole = "".join(texts)
    assert "".join(files.chunks()) == whole
    assert max(map(len, files.chunks())) < 200
    feature = cls.fit(files.chunks())
    stream = TextStream.of(files, feature, tmp_path / "cache")
    assert stream.characters == len(whole)
    assert len(stream) == stream.ids.size
    if cls is Subwords:
        assert feature.decode(stream.ids) == whole
    else:
        assert feature == cls.fit([whole])
        assert stream.ids.tolist() == feature.ids(whole).tolist()


def test_ids_are_mapped_small_and_kept(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("abc" * 100)
    feature = Characters.fit(["abc"])
    stream = TextStream.of(tmp_path / "a.txt", feature, tmp_path / "cache")
    assert isinstance(stream.ids, np.memmap)
    assert stream.ids.dtype == np.uint8
    assert torch.equal(stream.tensor(1, 4), torch.tensor([3, 4, 2]))
    (cache,) = (tmp_path / "cache").iterdir()
    before = cache.stat().st_mtime_ns
    again = TextStream.of([tmp_path / "a.txt"], feature, tmp_path / "cache")
    assert (cache.stat().st_mtime_ns, again.characters) == (before, 300)
    assert again.ids.tolist() == stream.ids.tolist()
    (tmp_path / "a.txt").write_text("abd")
    assert TextStream.of(tmp_path / "a.txt", feature, tmp_path / "cache").ids.tolist() == [2, 3, 1]
    TextStream.of(tmp_path / "a.txt", Characters.fit(["abd"]), tmp_path / "cache")
    assert len(list((tmp_path / "cache").iterdir())) == 3


@pytest.mark.parametrize(("symbols", "kind"), [(253, "u1"), (255, "u2"), (70_000, "<i4")])
def test_the_type_holds_every_id(tmp_path: Path, symbols: int, kind: str) -> None:
    text = "".join(chr(0x10000 + i) for i in range(symbols))
    (tmp_path / "a.txt").write_text(text)
    feature = Characters.fit([text])
    stream = TextStream.of(tmp_path / "a.txt", feature, tmp_path)
    assert stream.ids.dtype == kind
    assert feature.decode(stream.ids) == text


def test_a_file_of_the_user_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("abc")
    feature = Characters.fit(["abc"])
    TextStream.of(tmp_path / "a.txt", feature, tmp_path / "cache")
    (cache,) = (tmp_path / "cache").iterdir()
    whole = cache.read_bytes()
    for content in (b"precious", whole[:-1], whole + b"x", b""):
        cache.write_bytes(content)
        with pytest.raises(OutputExistsError, match="no stream of text that Relembra wrote"):
            TextStream.of(tmp_path / "a.txt", feature, tmp_path / "cache")
        assert cache.read_bytes() == content


@pytest.mark.usefixtures("small_blocks")
def test_a_split_is_between_characters(tmp_path: Path) -> None:
    text = "é🐀" * 50 + "x"
    (tmp_path / "a.txt").write_text(text[:30])
    (tmp_path / "b.txt").write_text(text[30:])
    files = TextFiles.of([tmp_path / "a.txt", tmp_path / "b.txt"])
    for fraction in (0.001, 0.1, 0.3, 0.333, 0.5, 0.9, 0.999):
        first, second = ("".join(part.chunks()) for part in files.split(fraction))
        assert first + second == text
        assert abs(len(first.encode()) - fraction * len(text.encode())) <= 4
    halves = [half for part in files.split(0.7) for half in part.split(0.4)]
    assert "".join("".join(half.chunks()) for half in halves) == text
    assert len({half.digest() for half in halves}) == 4
    with pytest.raises(ConfigError, match=r"the fraction is 1.5"):
        files.split(1.5)


def test_rows_side_by_side_go_on_where_the_last_batch_ended() -> None:
    stream = TextStream(np.arange(100, 130), 30)
    batches = StreamRows(stream, rows=4, steps=3)
    pairs = [batches[i] for i in range(len(batches))]
    ids = torch.cat([ids for ids, _ in pairs], dim=1)
    targets = torch.cat([targets for _, targets in pairs], dim=1)
    assert [ids.shape[1] for ids, _ in pairs] == [3, 3, 1]
    assert torch.equal(ids.flatten(), torch.arange(100, 128))
    assert torch.equal(targets, ids + 1)
    with pytest.raises(IndexError, match="batch 3 of 3"):
        batches[3]
    with pytest.raises(DataError, match="30 ids, too few for 30 rows"):
        StreamRows(stream, rows=30, steps=3)
    with pytest.raises(ConfigError, match="0 rows"):
        StreamRows(stream, rows=0, steps=3)


BAD = {
    "latin.txt": ("a\né\n".encode("latin-1"), "line 2: byte 0xe9 .* is not UTF-8"),
    "cut.txt": ("a\né".encode()[:-1], "line 2: byte 0xc3 .* is not UTF-8"),
    "zip.txt": (b"PK\x03\x04", "a zip archive"),
    "cut.txt.gz": (gzip.compress(b"abc" * 99)[:-9], "the file cannot be read"),
    "empty.txt": (b"", "there is no text"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files(tmp_path: Path, name: str) -> None:
    content, message = BAD[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        TextStream.of(tmp_path / name, Characters.fit(["a"]), tmp_path / "cache")
    assert str(caught.value).startswith(str(tmp_path / name))
    assert not list((tmp_path / "cache").iterdir()) if (tmp_path / "cache").exists() else True
    with pytest.raises(DataError, match="there is no such text file"):
        TextFiles.of(tmp_path / "none.txt")
    with pytest.raises(DataError, match="this is a folder; name the text files in it"):
        TextFiles.of(tmp_path)
    with pytest.raises(DataError, match="there are no text files"):
        TextFiles.of([])


_PEAK = """
import resource, sys
from relembra.data import Characters, TextFiles, TextStream
for path in sys.argv[1:3]:
    files = TextFiles.of(path)
    TextStream.of(files, Characters.fit(files.chunks()), sys.argv[3])
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_text(tmp_path: Path) -> None:
    line = "O rato roeu a roupa do rei de Roma.\n"
    (tmp_path / "small.txt").write_text(line * 90_000)  # 3 MB: more than a block
    (tmp_path / "large.txt").write_text(line * 1_800_000)  # 65 MB
    names = [tmp_path / "small.txt", tmp_path / "large.txt", tmp_path / "cache"]
    found = subprocess.run(
        [sys.executable, "-c", _PEAK, *names], capture_output=True, text=True, check=True
    )
    small, large = map(int, found.stdout.split())
    assert large - small < 20_000  # kilobytes
