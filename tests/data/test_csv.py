"""Text files: separators, headers, decimal marks, quotes and encodings."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from relembra._errors import DataError
from relembra.data import read_panel
from relembra.data._csv import open_csv

DAYS = [f"2024-01-{day:02d}" for day in range(1, 31)]


def write(path: Path, text: str | bytes, name: str = "sales.csv") -> Path:
    file = path / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def rows(separator: str = ",", value=str) -> str:
    return "".join(f"{day}{separator}{value(i)}\n" for i, day in enumerate(DAYS))


@pytest.mark.parametrize(("separator", "name"), [(";", "semicolon"), ("\t", "tab"), ("|", "bar")])
def test_separators_are_found_and_reported(tmp_path: Path, separator: str, name: str) -> None:
    panel, report = read_panel(write(tmp_path, f"ds{separator}y\n" + rows(separator)))
    assert panel.target.tolist() == list(range(30))
    assert f"columns separated by {name}" in report.notes


def test_decimal_commas_are_found_and_reported(tmp_path: Path) -> None:
    text = "data;vendas\n" + rows(";", lambda i: f"1.{100 + i},5")
    panel, report = read_panel(write(tmp_path, text))
    assert panel.target.tolist() == [1100.5 + i for i in range(30)]
    assert "decimal commas: 1,5 is one and a half" in report.notes


def test_quoted_decimal_commas(tmp_path: Path) -> None:
    panel, _ = read_panel(write(tmp_path, "ds,y\n" + rows(",", lambda i: f'"{i},25"')))
    assert panel.target[:2].tolist() == [0.25, 1.25]


def test_grouped_thousands(tmp_path: Path) -> None:
    text = "ds,y\n" + rows(",", lambda i: f'"{i + 1},250.5"')
    panel, report = read_panel(write(tmp_path, text))
    assert panel.target[:2].tolist() == [1250.5, 2250.5]
    assert "commas in numbers group thousands: 1,234 is 1234" in report.notes


def test_a_file_without_header(tmp_path: Path) -> None:
    panel, report = read_panel(write(tmp_path, rows()))
    assert (panel.target_name, len(panel.target)) == ("column_2", 30)
    assert report.notes == ("no header: the columns are called column_1, column_2...",)


def test_a_wide_file_without_header_or_time(tmp_path: Path) -> None:
    path = write(tmp_path, "".join(f"{i}.5,{i * 2}.25\n" for i in range(20)))
    panel, report = read_panel(path, target=["column_1", "column_2"])
    assert panel.ids == ["column_1", "column_2"]
    assert panel.target_of(1).tolist() == [i * 2 + 0.25 for i in range(20)]
    assert any("rows are taken to be in order" in note for note in report.notes)


def test_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    text = b"\xef\xbb\xbf" + ("ds,y\n" + rows()).replace("\n", "\r\n").encode()
    panel, report = read_panel(write(tmp_path, text))
    assert (len(panel.target), report.columns["time"]) == (30, ["ds"])


@pytest.mark.parametrize("name", ["sales.csv.gz", "sales.tsv.gz"])
def test_gzip(tmp_path: Path, name: str) -> None:
    panel, _ = read_panel(write(tmp_path, gzip.compress(("ds,y\n" + rows()).encode()), name))
    assert len(panel.target) == 30


def test_missing_targets_in_all_their_spellings(tmp_path: Path) -> None:
    words = ["", "NA", "n/a", "NaN", "null", "None", "?", "-", " ", "#N/A"]
    text = "ds,y\n" + rows(",", lambda i: words[i] if i < len(words) else f" {i} ")
    panel, report = read_panel(write(tmp_path, text))
    assert np.isnan(panel.target[:10]).all()
    assert panel.target[10:].tolist() == list(range(10, 30))
    assert report.missing == 10
    assert any("10 targets are missing (empty, NA, NaN, null" in line for line in report.lines())


def test_a_series_may_be_called_na(tmp_path: Path) -> None:
    text = "country,ds,y\n" + "".join(f"{c},{day},1\n" for c in ("NA", "DE") for day in DAYS)
    assert read_panel(write(tmp_path, text))[0].ids == ["DE", "NA"]


@pytest.mark.parametrize(
    ("before", "line"),
    [
        ("", 4),
        ("\n\n", 6),
        ('2023-12-30,1,"two\nlines"\n', 6),
        ('2023-12-30,1,"a ""quoted"" word"\n\n\n', 7),
    ],
)
def test_lines_are_counted_as_an_editor_does(tmp_path: Path, before: str, line: int) -> None:
    text = f"ds,y,note\n{before}2023-12-31,1,a\n2024-01-01,2,b\n2024-01-02,many,c\n"
    with pytest.raises(DataError) as caught:
        read_panel(write(tmp_path, text), target="y", series=())
    assert (caught.value.line, caught.value.column) == (line, "y")
    assert f"sales.csv, line {line}, column 'y': 'many' is not a number" in str(caught.value)


def test_lines_without_header_and_with_blank_beginning(tmp_path: Path) -> None:
    text = "\n\n" + rows() + "2024-01-31,x\n"
    with pytest.raises(DataError) as caught:
        read_panel(write(tmp_path, text))
    assert caught.value.line == 33


def test_only_used_columns_are_read(tmp_path: Path) -> None:
    path = write(tmp_path, "ds,y,other\n" + "".join(f"{day},1,{i}\n" for i, day in enumerate(DAYS)))
    read = open_csv(path).read([], [], ["y"])
    assert list(read.numbers) == ["y"]
    assert read.keys == {}


def test_quoted_line_ends_far_down_the_file(tmp_path: Path) -> None:
    plain = "".join(f"2024-01-01,{'x' * 40},1\n" for _ in range(40_000))
    path = write(tmp_path, f'ds,note,y\n{plain}2024-01-02,"a\nb",2\n')
    panel, report = read_panel(path, target="y", series=())
    assert (panel.target.tolist(), report.duplicates) == ([1.0, 2.0], 39_999)
