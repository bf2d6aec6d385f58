"""Whatever is wrong with the input: one clear line, exit code 2, and nothing written."""

import gzip
import json
import re

import numpy as np
import pyarrow as pa
import pytest
import safetensors.torch
import torch
from pyarrow import parquet
from tests.cli.conftest import rows

HEAD = rows()[0]
GOOD = rows()[1:]
BYTES = "\n".join(rows()).encode()


def lines(*more, head=HEAD, good=GOOD):
    return "\n".join([head, *good, *more]).encode()


def parquet_bytes():
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.table({"month": np.arange(60), "sales": np.arange(60.0)}), sink)
    return sink.getvalue().to_pybytes()


NOISE = np.random.default_rng(0).bytes(4000)
ZONES = ["2024-01-01T00:00-03:00,1", "2024-01-01T01:00-02:00,2", "2024-01-01T02:00-02:00,2"]
OPEN = [f"{i},{i % 9},{i % 4}" for i in range(60)]  # no future for the covariate

# file name: (its bytes, further words of the command, what the message says after the name)
FILES = {
    "empty.csv": (b"", [], ": the file is empty"),
    "header.csv": (b"month,sales\n", [], ", line 1: the file has a header and no rows"),
    "one.csv": (b"month,sales\n1990-01,3\n", [], ", line 2: there is one row"),
    "text.csv": (lines("1995-01,n/a?"), [], ", line 62, column 'sales': 'n/a?' is not a number"),
    "zones.csv": (
        lines(head="time,y", good=ZONES),
        [],
        ", line 3, column 'time': the times mix several offsets from UTC",
    ),
    "latin.csv": (
        lines("1995-01,3,São", head=HEAD + ",c").decode().encode("latin-1"),
        [],
        ", line 62: byte 0xe3 at position",
    ),
    "utf16.csv": (BYTES.decode().encode("utf-16"), [], ": this is UTF-16 text"),
    "huge.csv": (lines("1995-01,1e308"), [], ", line 62, column 'sales': 1e+308 is too large"),
    "infinite.csv": (lines("1995-01,inf"), [], ", line 62, column 'sales': inf is too large"),
    "conflict.csv": (lines("1990-01,7"), [], ", line 62, column 'month': .*same time as line 2"),
    "ragged.csv": (lines("1995-01,1,2"), [], ", line 62: this line has 3 cells where 2"),
    "date.csv": (lines("1995-13,1"), [], ", line 62, column 'month': '1995-13' is not"),
    "notime.csv": (lines(",1"), [], ", line 62, column 'month': the time is missing"),
    "nonumbers.csv": (b"month,sales\n1990-01,\n1990-02,\n", [], ".* target is missing"),
    "wide.csv": (
        lines(head="t,a,b", good=["1,2,3", "2,3,4"]),
        [],
        ".*several columns hold numbers",
    ),
    "grid.csv": (
        lines("1995-01-07,3", good=[f"{g[:7]}-01{g[7:]}" for g in GOOD]),
        ["--frequency", "M"],
        ", line 62, column 'month': this time is not on the monthly grid",
    ),
    "noise.csv": (NOISE, [], ", line 1: byte 0x82 at position 2 is not UTF-8"),
    "noise.parquet": (NOISE, [], ": this is no readable Parquet file"),
    "cut.parquet": (parquet_bytes()[:-40], [], ": this is no readable Parquet file"),
    "noise.csv.gz": (NOISE, [], ": the file cannot be read"),
    "cut.csv.gz": (gzip.compress(BYTES)[:-30], [], ": the file cannot be read"),
    "absent.csv": (
        BYTES,
        ["--target", "sale"],
        ": there is no column 'sale'; did you mean 'sales'",
    ),
    "absent2.csv": (BYTES, ["--known", "price"], ": there is no column 'price'; the columns are"),
    "future.csv": (
        lines(head="t,y,price", good=OPEN),
        ["--known", "price", "--target", "y", "--horizon", "3"],
        ": column 'price': the known covariate has no value at 60; a forecast of 3 steps needs",
    ),
}


def check(outcome, pattern):
    assert outcome.code == 2, outcome.err
    assert outcome.out == ""
    assert outcome.err.endswith("\n")
    assert len(outcome.err.splitlines()) == 1, outcome.err
    assert outcome.err.startswith("error: ")
    assert re.match(pattern, outcome.err.removeprefix("error: ")), outcome.err


@pytest.mark.parametrize("name", FILES)
def test_data(name, forecast, folder, snapshot):
    content, words, message = FILES[name]
    (folder / name).write_bytes(content)
    before = snapshot()
    pattern = re.escape(name) + message.replace("?", r"\?").replace("+", r"\+")
    check(forecast(name, *words), pattern)
    assert snapshot() == before


# words after `relembra forecast sales.csv`: the message
OPTIONS = {
    "--horizon 70": r"sales\.csv: a horizon of 70 steps needs .* 72 steps .* has 60",
    "--horizon 20 --windows 1": r"sales\.csv: a backtest of horizon 20 needs a series .* 61 steps",
    "--horizon -3": r"Invalid value for '--horizon'",
    "--horizon 0": r"Invalid value for '--horizon'",
    "--horizon many": r"Invalid value for '--horizon'",
    "--context 1": r"Invalid value for '--context'",
    "--season 0": r"Invalid value for '--season'",
    "--windows -1": r"Invalid value for '--windows'",
    "--cell lstn": r"unknown cell 'lstn'; known: lstm, gru, rnn, feedforward",
    "--units 0": r"Invalid value for '--units'",
    "--dropout 1.5": r"dropout is a probability in \[0, 1\), got 1.5",
    "--learning-rate -1": r"Training.learning_rate is -1.0; it must be a number above 0",
    "--learning-rate nan": r"Training.learning_rate is nan",
    "--space sqrt": r"unknown space 'sqrt'; known: auto, log, linear",
    "--frequency fortnight": r"'fortnight' is no frequency; expected one like",
    "--time-format %Q": r"sales.csv",
    "--threads 0": r"Invalid value for '--threads'",
    "--resume": r"--resume needs --out",
    "--unit 3": r"No such option: --unit .*--units.* \(see relembra forecast --help\)",
    "--out sales.csv": r"--out names a folder, but sales.csv is a file",
    "--out sales.csv/in": r".*sales.csv/in",
    "more": r"Got unexpected extra argument",
}


@pytest.mark.parametrize("options", OPTIONS)
def test_options(options, relembra, sales, snapshot):
    before = snapshot()
    # Quiet: whatever people are told before the error is not what is tested here.
    check(relembra("forecast", sales, "--quiet", *options.split()), OPTIONS[options])
    assert snapshot() == before


@pytest.mark.parametrize("verb", ["forecast", "predict"])
def test_a_folder_and_a_file_that_is_not_there(verb, forecast, relembra, sales, snapshot):
    forecast(sales, "--windows", "0", "--out", "trained")
    before = snapshot()
    words = [verb, *(["trained/model.safetensors"] if verb == "predict" else [])]
    check(relembra(*words, "."), r"\.: this is a directory")
    check(relembra(*words, "no.csv"), r"no\.csv: there is no such file")
    assert snapshot() == before


def test_a_space_that_the_data_do_not_allow(relembra, folder, snapshot):
    (folder / "down.csv").write_text("t,y\n" + "".join(f"{i},{30 - i}\n" for i in range(60)))
    before = snapshot()
    outcome = relembra("forecast", "down.csv", "--space", "log", "--quiet")
    check(outcome, r"down\.csv: space 'log' needs positive values; the smallest is -29")
    assert snapshot() == before


def test_values_too_far_apart_to_learn_from_leave_no_folder(relembra, folder, snapshot):
    (folder / "apart.csv").write_text("t,y\n1,5\n2,\n60,6\n")
    before = snapshot()
    for out in ([], ["--out", "new"]):
        outcome = relembra("forecast", "apart.csv", "--horizon", "3", "--quiet", *out)
        check(outcome, r"apart\.csv: no window of 3 steps")
        # The folder `runs` may remain, the run may not.
        assert snapshot().keys() - before.keys() <= {"runs"}


def change_head(path, change):
    tensors = safetensors.torch.load_file(path)
    with safetensors.safe_open(path, framework="pt") as opened:
        head = json.loads(opened.metadata()["relembra"])
    change(head)
    path.write_bytes(safetensors.torch.save(tensors, metadata={"relembra": json.dumps(head)}))


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def foreign(path):
    path.write_bytes(safetensors.torch.save({"w": torch.ones(3)}))


MODELS = {
    "truncated": (cut, "is truncated, damaged or no safetensors file"),
    "empty": (lambda path: path.write_bytes(b""), "is truncated, damaged or no safetensors file"),
    "noise": (lambda path: path.write_bytes(NOISE), "is truncated, damaged or no safetensors file"),
    "foreign": (foreign, "is a safetensors file, but Relembra did not write it"),
    "newer": (
        lambda path: change_head(path, lambda head: head.update(format=2)),
        "has format 2, written by Relembra .* Upgrade",
    ),
    "older": (
        lambda path: change_head(path, lambda head: head.update(format=0)),
        "has format 0, written by Relembra .* reads format 1 only",
    ),
    "checkpoint": (
        lambda path: change_head(path, lambda head: head.update(kind="checkpoint")),
        "is a checkpoint file; a model file was expected",
    ),
    "another job": (
        lambda path: change_head(path, lambda head: head["data"].update(job="caption")),
        "is a model for 'caption'; predict knows classify, forecast, tag",
    ),
    "mutilated": (
        lambda path: change_head(path, lambda head: head["data"]["config"].pop("plan")),
        "is a forecast model whose parts do not fit together: 'plan' is missing",
    ),
    "missing": (lambda path: path.unlink(), "does not exist; a model file was expected"),
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The bytes of a model."""
    from tests.tasks.small import tiny, wave

    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    tiny().fit(wave()).save(path)
    return path.read_bytes()


@pytest.mark.parametrize("name", MODELS)
def test_models(name, trained, relembra, sales, folder, snapshot):
    damage, message = MODELS[name]
    path = folder / "model.safetensors"
    path.write_bytes(trained)
    damage(path)
    before = snapshot()
    check(relembra("predict", "model.safetensors", sales), rf"model\.safetensors {message}")
    assert snapshot() == before


def test_data_and_model_the_wrong_way_round(trained, relembra, sales, folder, snapshot):
    (folder / "model.safetensors").write_bytes(trained)
    before = snapshot()
    outcome = relembra("predict", sales, "model.safetensors")
    check(outcome, r"sales\.csv is truncated, damaged or no safetensors file")
    assert snapshot() == before
