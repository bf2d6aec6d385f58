"""Bad input ends in one DataError that names the place and says what to do."""

import gzip
from pathlib import Path

import pandas as pd
import pytest

from relembra._errors import DataError
from relembra.data import read_panel

GOOD = "".join(f"2024-01-{day:02d},{day}\n" for day in range(1, 31))
DATES = ["2024-01-01", "2024-01-02"]
NO_TIME = pd.to_datetime(["2024-01-01", None])
LATIN = "ds,y,loja\n2024-01-01,1,Sao Paulo\n2024-01-02,1,São Paulo\n".encode("latin-1")

FILES = {
    "empty.csv": ("", r"empty\.csv: the file is empty"),
    "blank.csv": ("\n\n\n", r"blank\.csv: the file is empty"),
    "header.csv": ("ds,y\n", r"line 1: the file has a header and no rows"),
    "one.csv": ("ds,y\n2024-01-01,1\n", r"line 2: there is one row"),
    "text.csv": ("ds,y\n" + GOOD + "2024-01-31,abc\n", r"line 32, column 'y': 'abc' is not a num"),
    "alltext.csv": ("ds,y\n2024-01-01,a\n2024-01-02,b\n", r"line 2, column 'y': 'a' is not a num"),
    "zones.csv": (
        "ds,y\n2024-01-01T00:00-03:00,1\n2024-01-01T01:00-02:00,2\n",
        r"line 3, column 'ds': the times mix several offsets from UTC .*convert them all to UTC",
    ),
    "latin.csv": (
        LATIN,
        r"line 3: byte 0xe3 at position 15 is not UTF-8.*8 latin\.csv > utf8-latin\.csv\)$",
    ),
    "latin.csv.gz": (gzip.compress(LATIN), r"line 3: byte 0xe3 .* save it as UTF-8$"),
    "picture.csv": (
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
        r"byte 0x89 at position 1 is not UTF-8 text; the file is binary or damaged: expected text$",
    ),
    "late.csv": (
        b"ds,y,z\n" + b"2024-01-01,1,a\n" * 90_000 + b"2024-01-02,1,\xe3\n",
        r"line 90002: byte 0xe3",
    ),
    "utf16.csv": (GOOD.encode("utf-16"), r"this is UTF-16 text; save it as UTF-8"),
    "huge.csv": ("ds,y\n" + GOOD + "2024-01-31,1e308\n", r"line 32, column 'y': 1e\+308 is too l"),
    "inf.csv": ("ds,y\n" + GOOD + "2024-01-31,-inf\n", r"line 32, column 'y': -inf is too large"),
    "conflict.csv": ("ds,y\n" + GOOD + "2024-01-03,9\n", r"line 32, .* same time as line 4, but"),
    "ragged.csv": ("ds,y\n" + GOOD + "2024-01-31,1,2\n", r"line 32: this line has 3 cells where 2"),
    "short.csv": ("ds,y\n" + GOOD + "2024-01-31\n", r"line 32: this line has 1 cells where 2"),
    "twice.csv": ("ds,y,y\n2024-01-01,1,2\n", r"line 1, column 'y': the header names this"),
    "date.csv": ("ds,y\n" + GOOD + "2024-02-30,1\n", r"line 32, column 'ds': '2024-02-30' is not"),
    "notime.csv": ("ds,y\n" + GOOD + ",1\n", r"line 32, column 'ds': the time is missing"),
    "missing.csv": (
        "ds,y\n2024-01-01,NA\n2024-01-02,\n",
        r"line 2, column 'y': every value of the target is missing",
    ),
    "noname.csv": (
        "unique_id,ds,y\na,2024-01-01,1\na,2024-01-02,1\n,2024-01-03,1\n",
        r"line 4, column 'unique_id': the name of the series is missing",
    ),
    "wide.csv": (
        "ds,a,b\n2024-01-01,1,2\n2024-01-02,1,2\n",
        r"several columns hold numbers \('a', 'b'\); name the target",
    ),
    "sheet.csv": (b"PK\x03\x04rest", r"a zip archive or a spreadsheet.*save the sheet as CSV"),
    "zero.csv": (b"ds,y\n2024-01-01,\x00\n", r"line 2: byte 0x00 .* the file is binary or damaged"),
    "quote.csv": ('ds,y\n2024-01-01,"3\n' + GOOD, r"line 2, column 'y': .*is a quote left open\?"),
    "broken.parquet": (b"PAR1 nonsense", r"broken\.parquet: this is no readable Parquet file"),
    "plain.csv.gz": (GOOD, r"plain\.csv\.gz: the file cannot be read: Not a gzipped file"),
    "cut.csv.gz": (gzip.compress(GOOD.encode())[:-20], r"cut\.csv\.gz: the file cannot be read"),
}


@pytest.mark.parametrize("name", FILES)
def test_bad_files(tmp_path: Path, name: str) -> None:
    content, message = FILES[name]
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=message) as caught:
        read_panel(path)
    assert str(caught.value).startswith(str(path))


def test_a_directory_and_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="this is a directory"):
        read_panel(tmp_path)
    with pytest.raises(DataError, match="there is no such file"):
        read_panel(tmp_path / "sales.csv")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "slaes"}, "no column 'slaes'; did you mean 'sales'"),
        ({"time": "when"}, "no column 'when'; the columns are 'ds', 'sales'"),
        ({"known": ["promo"]}, "no column 'promo'"),
        ({"time": "ds", "target": "ds"}, "column 'ds': this column is given two parts"),
        ({"target": "ds"}, "line 2, column 'ds': '2024-01-01' is not a number"),
        ({"frequency": "fortnight"}, "'fortnight' is no frequency"),
    ],
)
def test_options_that_do_not_fit(tmp_path: Path, options: dict, message: str) -> None:
    path = tmp_path / "sales.csv"
    path.write_text("ds,sales\n" + GOOD)
    with pytest.raises(DataError, match=message):
        read_panel(path, **options)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([1, 2, 3], "got a list; expected the path of a CSV"),
        (pd.DataFrame(), "there are no columns"),
        (pd.DataFrame({"ds": [], "y": []}), "there are no rows"),
        (pd.DataFrame({"ds": DATES, "y": [1, "x"]}), "column 'y': row 2: 'x' is not a number"),
        (pd.DataFrame({"ds": DATES, "y": [{}, {}]}), "column 'y': row 1: .* are no numbers"),
        (pd.DataFrame({"ds": NO_TIME, "y": [1, 2]}), "row 2: the time is missing"),
    ],
)
def test_bad_frames(source, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_panel(source)
