"""Tokens and tags from CoNLL, CoNLL-U and JSON lines, and where they are bad."""

import lzma
from pathlib import Path

import pytest

from relembra._errors import DataError
from relembra.data import read_tagged


def _u(number: str, form: str, upos: str = "NOUN") -> str:
    return "\t".join([number, form, form.lower(), upos, "X1", "_", "0", "root", "_", "_"]) + "\n"


CONLLU = (
    "# text = Vamos ao mar\n"
    + _u("1", "Vamos", "VERB") + _u("2-3", "ao", "_") + _u("2", "a", "ADP") + _u("3", "o", "DET")
    + _u("3.1", "elided", "VERB") + _u("4", "mar") + "\n"
    + _u("1", "_", "PUNCT")
)  # fmt: skip


def test_conllu_leaves_out_what_is_no_word(tmp_path: Path) -> None:
    path = tmp_path / "train.conllu.xz"
    path.write_bytes(lzma.compress(CONLLU.encode()))
    data = read_tagged(path)
    assert data.tokens == [["Vamos", "a", "o", "mar"], ["_"]]
    assert data.tags == [["VERB", "ADP", "DET", "NOUN"], ["PUNCT"]]
    assert data.lines == [2, 9]
    assert data.notes == (
        "1 multiword tokens are left out: their words are there",
        "1 empty nodes are left out: no text stands for them",
    )
    other = read_tagged(path, word="lemma", tag="xpos")
    assert (other.tokens[0][0], other.tags) == ("vamos", [["X1"] * 4, ["X1"]])
    assert read_tagged(path, tagged=False).tags is None


def test_conll_columns(tmp_path: Path) -> None:
    path = tmp_path / "ner.txt"
    path.write_text(
        "\ufeff-DOCSTART- -X- O O\r\n\r\nRio NNP B-NP B-LOC\r\n# NN O O\r\n\r\n\r\nsim UH O O\r\n",
        newline="",
    )
    data = read_tagged(path)
    assert data.tokens == [["Rio", "#"], ["sim"]]
    assert data.tags == [["B-LOC", "O"], ["O"]]
    assert data.lines == [3, 7]
    assert data.notes == ("1 lines -DOCSTART- are left out",)
    assert read_tagged(path, tag=1).tags == [["NNP", "NN"], ["UH"]]
    assert read_tagged(path, word=-4, tag="2").tags == [["B-NP", "O"], ["O"]]


def test_tabs_part_tokens_with_blanks(tmp_path: Path) -> None:
    path = tmp_path / "data.tsv"
    path.write_text("New York\tB\nrocks\tO\n")
    assert read_tagged(path).tokens == [["New York", "rocks"]]
    path.write_text("only\ntokens\n")
    assert read_tagged(path, tagged=False).tokens == [["only", "tokens"]]


def test_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text('{"tokens": ["a", "b"], "tags": ["X", "Y"]}\n\n{"tokens": [], "tags": []}\n')
    data = read_tagged(path)
    assert (data.tokens, data.tags, data.lines) == ([["a", "b"], []], [["X", "Y"], []], [1, 3])
    path.write_text('{"w": ["a"], "t": ["X"]}\n')
    assert read_tagged(path, word="w", tag="t").tags == [["X"]]
    assert read_tagged(path, word="w", tagged=False).tags is None


BAD = {
    "empty.conll": ("\n\n", "the file has no sentences"),
    "short.conll": ("a X\nb\n", "line 2: this line has 1 columns where 2"),
    "one.conll": ("\na\n", "line 2: this line has 1 columns, and the token and its tag"),
    "tag.conll": ("a\tX\nb\t\n", "line 2: the tag is empty"),
    "token.conll": ("a\tX\n\tX\n", "line 2: the token is empty"),
    "latin.conll": ("a X\né X\n".encode("latin-1"), "line 2: byte 0xe9 .* is not UTF-8"),
    "cut.conll.xz": (lzma.compress(b"a X\n")[:-9], "the file cannot be read"),
    "blanks.conllu": ("1 a a X _ _ _ _ _ _\n", "line 1: this line has 1 columns where CoNLL-U"),
    "order.conllu": (_u("1", "a") + _u("3", "b"), "line 2: the id is '3' where 2 was expected"),
    "joined.conllu": (_u("1", "a") + _u("1", "b"), "line 2: the id is '1' where 2 was expected"),
    "id.conllu": (_u("x", "a"), "line 1: the id is 'x' where 1 was"),
    "none.conllu": (_u("1", "a", "_"), "line 1: the column 'upos' is empty"),
    "long.jsonl": ('{"tokens": ["a"], "tags": []}\n', "line 1: there are 1 tokens and 0 tags"),
    "text.jsonl": ('\n{"tokens": "a b", "tags": []}\n', "line 2: 'tokens' is 'a b'; expected a li"),
    "number.jsonl": ('{"tokens": ["a"], "tags": [1]}\n', r"line 1: 'tags' is \[1\]; expected a li"),
    "bad.jsonl": ('{"tokens"\n', "line 1: this line is no JSON"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files(tmp_path: Path, name: str) -> None:
    content, message = BAD[name]
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=message) as caught:
        read_tagged(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.conll", {"tag": 2}, "line 1: there is no column 2: this line has 2"),
        ("a.conll", {"tag": "upos"}, "'upos' is no column; CoNLL columns are numbers"),
        ("a.conllu", {"tag": "pos"}, "CoNLL-U has no column 'pos'; expected one of id, form"),
        ("b.conll", {}, "there is no such file"),
    ],
)
def test_columns_that_are_not_there(tmp_path: Path, name: str, options, message: str) -> None:
    (tmp_path / "a.conll").write_text("a X\n")
    (tmp_path / "a.conllu").write_text(CONLLU)
    with pytest.raises(DataError, match=message):
        read_tagged(tmp_path / name, **options)
