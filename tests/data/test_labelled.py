"""Texts and labels from tables of every kind, and where they are bad."""

import gzip
import io
import lzma
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from relembra._errors import DataError
from relembra.data import _csv as csv_files
from relembra.data import open_texts, read_texts

TEXTS = ['bom, "ótimo"', "ruim", "bom\tmesmo", ""]
LABELS = ["1", "0", "1", "0"]
FRAME = pd.DataFrame({"texto": TEXTS, "rotulo": [1, 0, 1, 0], "n": [9, 8, 7, 6]})


def _write(folder: Path, kind: str) -> Path:
    path = folder / f"data.{kind}"
    if kind.startswith("csv"):
        FRAME.to_csv(path, index=False)
    elif kind == "tsv":
        FRAME.to_csv(path, index=False, sep="\t")
    elif kind == "parquet":
        FRAME.to_parquet(path)
    else:
        FRAME.to_json(path, orient="records", lines=True)
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "csv.gz", "csv.xz", "csv.bz2", "parquet", "jsonl"])
def test_every_kind_of_table_gives_the_same(tmp_path: Path, kind: str) -> None:
    data = read_texts(_write(tmp_path, kind))
    assert (list(data.texts), list(data.labels)) == (TEXTS, LABELS)
    assert data.notes[:2] == ("text: 'texto' (guessed)", "label: 'rotulo' (guessed)")
    assert data.notes[-1] == "1 of 4 texts are empty: kept"
    named = read_texts(_write(tmp_path, kind), text="texto", label="n")
    assert list(named.labels) == ["9", "8", "7", "6"]
    assert read_texts(_write(tmp_path, kind), labelled=False).labels is None


def test_frames_in_memory() -> None:
    assert list(read_texts(FRAME).labels) == LABELS
    assert list(read_texts(pa.table({"text": ["a", None], "y": ["p", "q"]})).texts) == ["a", ""]


def test_lone_quotes_are_letters_where_tabs_part_the_cells(tmp_path: Path) -> None:
    path = tmp_path / "tweets.tsv"
    path.write_text('label\ttext\n1\t"a" said he\n0\tb\n1\t"c\n')
    assert list(read_texts(path).texts) == ['"a" said he', "b", '"c']
    path.write_text('label\ttext\n1\t"a ""b"""\n0\tb\n')
    assert list(read_texts(path).texts) == ['a "b"', "b"]


def test_a_first_line_whose_cell_comes_again_is_no_header(tmp_path: Path) -> None:
    path = tmp_path / "splice.tsv"
    path.write_text("n\tCTAG\nei\tCTTG\nn\tAAAA\nei\tACGT\n")
    data = read_texts(path)
    assert list(data.labels) == ["n", "ei", "n", "ei"]
    assert data.texts[0] == "CTAG"


def test_chunks_hold_all_rows(tmp_path: Path) -> None:
    rows = 25_000
    path = tmp_path / "many.jsonl.gz"
    line = '{"text": "x", "label": true}\n'
    path.write_bytes(gzip.compress((line * rows).encode()))
    chunks = list(open_texts(path).chunks())
    assert len(chunks) == 3
    assert sum(len(texts) for texts, _ in chunks) == rows
    assert chunks[0][1] == ["true"] * 10_000


def test_the_line_of_a_missing_label_far_behind(tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    path.write_text('{"text": "x", "label": "a"}\n\n' * 10_500 + '{"text": "x", "label": ""}\n')
    with pytest.raises(DataError, match="line 21001, column 'label': the label is missing"):
        read_texts(path)


def test_reading_that_is_abandoned_stops_soon(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "many.csv"
    path.write_text("text,label\n" + "some text,a\nother text,b\n" * 50_000)
    seen: list[int] = []

    class Counted(io.FileIO):
        def read(self, size: int = -1) -> bytes:
            block = super().read(size)
            seen.append(len(block))
            return block

    table = open_texts(path)
    monkeypatch.setattr(csv_files, "_BLOCK", 4096)
    monkeypatch.setattr(csv_files, "open_bytes", Counted)
    chunks = table.chunks()
    next(chunks)
    chunks.close()
    assert 0 < sum(seen) < path.stat().st_size // 2


BAD = {
    "empty.jsonl": ("\n", "the file is empty; expected one JSON"),
    "json.jsonl": ('{"text": "a", "label": 1}\n{"text": \n', "line 2: this line is no JSON"),
    "list.jsonl": ("\n[1]\n", "line 2: this line is a JSON list; expected an object"),
    "key.jsonl": (
        '{"text": "a", "label": 1}\n\n{"text": "a"}\n',
        "line 3, .* .*lacks the key",
    ),
    "value.jsonl": (
        '{"text": ["a"], "label": 1}\n',
        r"column 'text': \[.a.\] is no text",
    ),
    "null.jsonl": (
        '{"text": "a", "label": null}\n',
        "line 1, column 'label': the label is missing",
    ),
    "label.csv": ("text,label\na,1\nb,\n", "line 3, column 'label': the label is missing"),
    "lone.tsv": ('text\tlabel\n"a\t1\n\nb\t\n', "line 4, column 'label': the label is missing"),
    "wide.csv": ("text,label\na,1\nb,c,2\n", "line 3: this line has 3 cells where 2 were"),
    "latin.csv": ("text,label\na,1\né,2\n".encode("latin-1"), "line 3: byte 0xe9 .* not UTF-8"),
    "latin.jsonl": ('{"text": "é"}\n'.encode("latin-1"), "line 1: byte 0xe9 .* not UTF-8"),
    "none.csv": ("", "the file is empty; expected a header and rows$"),
    "unclear.csv": (
        "text,a,b\nx,1,1\ny,1,1\nz,2,2\nw,2,2\n",
        "name it: the columns are 'text'",
    ),
    "cut.csv.xz": (lzma.compress(b"text,label\na,1\n")[:-9], "the file cannot be read"),
    "cut.jsonl.gz": (gzip.compress(b'{"text": "a"}\n')[:-9], "the file cannot be read"),
    "long.csv": (
        "text,label\n" + "a" * 140_000 + ",1\n",
        "line 2: field larger",
    ),
    "bad.parquet": (b"PAR1", "no readable Parquet file"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files(tmp_path: Path, name: str) -> None:
    content, message = BAD[name]
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=message) as caught:
        read_texts(path)
    assert str(caught.value).startswith(str(path))


def test_other_refusals(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column 'tex'; did you mean 'texto'"):
        read_texts(FRAME, text="tex")
    with pytest.raises(DataError, match="given as text and as label"):
        read_texts(FRAME, text="texto", label="texto")
    with pytest.raises(DataError, match="there is no such file"):
        read_texts(tmp_path / "none.csv")
    with pytest.raises(DataError, match="this is a directory"):
        read_texts(tmp_path)
    pq.write_table(pa.table({"text": [["a"]], "label": ["b"]}), tmp_path / "nested.parquet")
    with pytest.raises(DataError, match="column 'text': list.* values are no text"):
        read_texts(tmp_path / "nested.parquet")
