"""Bad texts, tags and sequences: one clear line with file and line, and nothing written."""

from __future__ import annotations

import gzip
import io

import numpy as np
import pytest
from tests.cli.test_malformed import NOISE, check

GOOD_TS = "@classLabel true a b\n@data\n" + "1,2:a\n2,1:b\n" * 5
LATIN = "não".encode("latin-1")
ROWS = "text,label\n" + "good film,a\nbad film,b\n" * 6
TOWN = "to\tO\nRio\tB-town\n\n"


def npz(**arrays):
    """Return an .npz file as bytes."""
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def word(number, form="a", upos="X"):
    """Return a line of CoNLL-U."""
    return "\t".join([str(number), form, form, upos, "_", "_", "0", "root", "_", "_"]) + "\n"


# job: {file name: (its content, further words, what the message says after the name)}
CLASSIFY = {
    "empty.csv": ("", [], ": the file is empty"),
    "header.csv": ("text,label\n", [], ", line 1: the file has a header and no rows"),
    "cells.csv": (ROWS + "a,b,c\n", [], ", line 14: this line has 3 cells where 2"),
    "label.csv": (ROWS + "fine,\n", [], ", line 14, column 'label': the label is missing"),
    "latin.csv": (ROWS.encode() + LATIN + b",a\n", [], ", line 14: byte 0xe3 at position 2"),
    "quote.csv": (ROWS + '"open,a\n' + "b,a\n" * 3, [], ", line 14.*quote"),
    "cut.csv.gz": (gzip.compress(ROWS.encode() * 99)[:-30], [], ": the file cannot be read"),
    "noise.parquet": (NOISE, [], ": this is no readable Parquet file"),
    "cut.jsonl": ('{"text": "a", "label": "b"}\n{"text": "a', [], ", line 2: this line is no JSON"),
    "list.jsonl": ('{"text": "a", "label": "b"}\n[1]\n', [], ", line 2: this line is a JSON list"),
    "key.jsonl": ('{"text": "a", "label": "b"}\n{"text": "b"}\n', [], ", line 2, column 'label'"),
    "nested.jsonl": ('{"text": ["a"], "label": "b"}\n', ["--text", "text"], ", line 1, column"),
    "value.ts": (GOOD_TS + "1,x:a\n", [], ", line 13: channel 1: could not convert"),
    "class.ts": (GOOD_TS + "1,2:c\n", [], ", line 13: the label 'c' is none of those named: a, b"),
    "steps.ts": (GOOD_TS + "1,2:1:a\n", [], ", line 13: the channels have 2, 1 steps"),
    "channels.ts": (GOOD_TS + "1,2:1,3:a\n", [], ", line 13: there are 2 channels; 1 came before"),
    "infinite.ts": (GOOD_TS + "1,inf:a\n", [], ", line 13: channel 1: a value is infinite"),
    "headless.ts": ("1,2:a\n", [], ", line 1: '?1,2:a'? comes before @data"),
    "nodata.ts": ("@classLabel true a b\n", [], ": the file has no line @data"),
    "noise.npz": (NOISE, [], ": this is no readable .npz file of numbers"),
    "objects.npz": (npz(X=np.array([[1], "a"], object)), [], ": this is no readable .npz file"),
    "names.npz": (npz(Z=np.zeros(3)), [], ": the file has Z; expected 'X'"),
    "parts.npz": (npz(X_a=np.zeros((3, 2))), [], ": the file has X_a; .*name a part: a"),
    "labels.npz": (npz(X=np.zeros((3, 2)), y=[1, 2]), [], r": y has shape \(2,\); expected \(3,\)"),
    "unlabelled.npz": (npz(X=np.zeros((3, 2))), [], ": the sequences have no labels"),
    "offsets.npz": (npz(values=np.zeros((5, 2)), offsets=[0, 9], y=[1]), [], ": .*offsets"),
}
TAG = {
    "empty.conll": ("", [], ": the file is empty|.*no sentences"),
    "columns.conll": (TOWN + "Rio\n", [], ", line 4: this line has 1 columns where 2"),
    "token.conll": (TOWN + " \tO\n", [], ", line 4: the token is empty"),
    "tag.conll": (TOWN + "Rio\t\n", [], ", line 4: the tag is empty"),
    "rules.conll": (
        TOWN * 3 + "Rio\tI-town\n",
        [],
        ", line 10: token 1 .* against the rules",
    ),
    "which.conll": (TOWN, ["--column", "7"], ", line 1: there is no column 7"),
    "latin.conll": (TOWN.encode() + LATIN + b"\tO\n", [], ", line 4: byte 0xe3"),
    "utf16.conll": (TOWN.encode("utf-16"), [], ": this is UTF-16 text"),
    "cells.conllu": (word(1) + "2\tb\n", [], ", line 2: this line has 2 columns where CoNLL-U"),
    "number.conllu": (word(1) + word(3), [], ", line 2: the id is '3' where 2 was expected"),
    "blank.conllu": (word(1) + word(2, upos="_"), [], ", line 2: the column 'upos' is empty"),
    "form.conllu": (word(1) + word(2, form=""), [], ", line 2: the token is empty"),
    "mood.conllu": (word(1), ["--column", "mood"], ": CoNLL-U has no column 'mood'"),
    "counts.jsonl": ('{"tokens": ["a"], "tags": []}\n', [], ", line 1: there are 1 tokens and 0"),
    "kind.jsonl": ('{"tokens": "a b", "tags": []}\n', [], ", line 1: 'tokens' is 'a b'"),
    "number.jsonl": ('{"tokens": ["a"], "tags": [3]}\n', [], r", line 1: 'tags' is \[3\]"),
    "cut.jsonl": ('{"tokens": ["a"], "ta', [], ", line 1: this line is no JSON"),
    "noise.npz": (NOISE, [], ": this is no readable .npz file of numbers"),
    "tags.npz": (npz(X=np.zeros((3, 2)), y=[1, 2, 3]), [], r": y has shape \(3,\)"),
    "floats.npz": (npz(X=np.zeros((3, 2)), y=np.zeros((3, 2))), [], ": y has type float64"),
    "untagged.npz": (npz(X=np.zeros((3, 2))), [], ": the file has no y"),
}
GENERATE = {
    "empty.txt": ("", [], ": there is no text|.*no text"),
    "latin.txt": (b"fine\n" + LATIN + b"\n", [], ", line 2: byte 0xe3 at position 2"),
    "utf16.txt": ("fine\n".encode("utf-16"), [], ": this is UTF-16 text"),
    "packed.txt": (gzip.compress(b"fine\n"), [], ": this is gzip"),
    "cut.txt.gz": (
        gzip.compress(b"abc" * 9999)[:-20],
        [],
        ": the file cannot be read",
    ),
    "short.txt": ("a", [], ".*"),
}
CASES = [
    (job, name)
    for job, files in (("classify", CLASSIFY), ("tag", TAG), ("generate", GENERATE))
    for name in files
]


@pytest.mark.parametrize(("job", "name"), CASES)
def test_training(job, name, relembra, folder, snapshot):
    content, words, message = {"classify": CLASSIFY, "tag": TAG, "generate": GENERATE}[job][name]
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    before = snapshot()
    done = relembra(
        "train", job, name, *words, "--quiet", "--steps" if job != "tag" else "--epochs", 1
    )
    check(done, rf"{name}{message}")
    assert snapshot().keys() - before.keys() <= {"runs"}
