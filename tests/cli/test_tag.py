"""`relembra train tag`, and predict and evaluate with what it made."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from relembra.data import read_tagged
from relembra.tasks import Tagger

QUICK = ("--epochs", "2", "--units", "4", "--batch-size", "16", "--learning-rate", "0.02")


def town(i: int) -> str:
    return f"{'to from'.split()[i % 2]}\tO\n{'Rio Lima Roma'.split()[i % 3]}\tB-town\n\n"


@pytest.fixture
def conll(folder):
    path = folder / "towns.conll"
    path.write_text("".join(town(i) for i in range(40)))
    return path


@pytest.fixture
def trained(relembra, conll, folder):
    done = relembra("train", "tag", conll, *QUICK, "--no-compare", "--out", "run", "--json")
    assert done.code == 0, done.err
    return folder / "run" / "model.safetensors", json.loads(done.out)


def test_train_prints_scores_beside_baselines(relembra, conll, folder) -> None:
    done = relembra("train", "tag", conll, *QUICK)
    assert done.code == 0, done.err
    for text in ("Span F1", "most frequent tag", "without memory", "held out at random"):
        assert text in done.out
    page = (folder / "runs" / "tag-towns-1" / "report.html").read_text()
    assert "Tags of towns" in page and "as a chain (CRF)" in page


def test_json_holds_the_metrics(trained) -> None:
    _, found = trained
    assert found["job"] == "tag"
    assert {"accuracy", "span_f1", "span_precision"} <= set(found["metrics"])
    assert found["baselines"][0]["model"] == "most frequent tag"


def test_results_are_kept_and_runs_go_on(relembra, conll, trained) -> None:
    again = relembra("train", "tag", conll, *QUICK, "--no-compare", "--out", "run")
    assert again.code == 2 and "exists" in again.err
    resumed = relembra("train", "tag", conll, *QUICK, "--no-compare", "--out", "run", "--resume")
    assert resumed.code == 0, resumed.err


@pytest.mark.parametrize("ending", ["conll", "jsonl"])
def test_predictions_can_be_read_again(relembra, conll, trained, folder, ending) -> None:
    model, _ = trained
    done = relembra("predict", model, conll, "--output", f"tags.{ending}", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["steps"] == 80
    written = read_tagged(folder / f"tags.{ending}")
    assert written.tokens == read_tagged(conll).tokens
    assert {tag for row in written.tags for tag in row} <= {"O", "B-town"}


def test_predictions_as_csv(relembra, conll, trained, folder) -> None:
    model, _ = trained
    assert relembra("predict", model, conll, "--out", "found").code == 0
    lines = (folder / "found" / "tags.csv").read_text().splitlines()
    assert lines[0] == "sequence,step,token,tag,probability" and len(lines) == 81
    assert relembra("predict", model, conll, "--output", "tags.parquet").code == 0
    table = pq.read_table("tags.parquet")
    assert [",".join(map(str, row.values())) for row in table.to_pylist()] == lines[1:]
    wrong = relembra("predict", model, conll, "--output", "tags.txt")
    assert wrong.code == 2 and "must end in .csv, .jsonl, .parquet, .conll" in wrong.err
    wrong = relembra("predict", model, conll, "--output", "tags.conllu")
    assert wrong.code == 2 and "the data must be CoNLL-U as well" in wrong.err


def test_conllu_is_filled_in_and_all_else_stays(relembra, trained, folder) -> None:
    model, _ = trained
    text = (
        "# text = to Rio\n1\tto\tto\t_\tX\tA=b\t0\troot\t_\t_\n2-3\tRio\t_\t_\t_\t_\t_\t_\t_\t_\n"
    )
    text += (
        "2\tRio\tRio\tPROPN\t_\t_\t1\tobj\t_\tSpaceAfter=No\n2.1\tgone\t_\t_\t_\t_\t_\t_\t_\t_\n\n"
    )
    (folder / "new.conllu").write_text(text * 3)
    for words, column in (((), 3), (("--column", "XPOS"), 4)):
        done = relembra("predict", model, "new.conllu", "--output", "out.conllu", "--force", *words)
        assert done.code == 0, done.err
        before, after = (
            [line.split("\t") for line in (folder / name).read_text().split("\n")]
            for name in ("new.conllu", "out.conllu")
        )
        assert len(before) == len(after)
        for old, new in zip(before, after, strict=True):
            if old[0] in ("1", "2"):
                assert new[column] in ("O", "B-town")
                old[column] = new[column]
            assert old == new
    found = read_tagged(folder / "out.conllu", tag="xpos")
    assert found.tokens == [["to", "Rio"]] * 3
    wrong = relembra("predict", model, "new.conllu", "--output", "x.conllu", "--column", "mood")
    assert wrong.code == 2 and "no column 'mood'" in wrong.err
    assert not (folder / "x.conllu").exists()


def test_tags_are_written_as_they_come(relembra, conll, trained, folder, monkeypatch) -> None:
    model, _ = trained
    whole = relembra("predict", model, conll, "--output", "whole.jsonl")
    held = []
    predict = Tagger.predict

    def spy(self, X, **options):
        held.append(len(X))
        return predict(self, X, **options)

    monkeypatch.setattr(Tagger, "predict", spy)
    monkeypatch.setattr("relembra.tasks.tag._data._CHUNK", 7)
    for name in ("pieces.jsonl", "pieces.csv"):
        assert relembra("predict", model, conll, "--output", name).code == whole.code == 0
    assert held == [7, 7, 7, 7, 7, 5] * 2
    assert (folder / "pieces.jsonl").read_text() == (folder / "whole.jsonl").read_text()
    assert (folder / "pieces.csv").read_text().splitlines()[-1].startswith("40,2,")


def test_a_bad_line_late_in_the_data_leaves_no_file(relembra, trained, folder, monkeypatch) -> None:
    model, _ = trained
    monkeypatch.setattr("relembra.tasks.tag._data._CHUNK", 2)
    (folder / "late.conll").write_text("".join(town(i) for i in range(9)) + "to\n")
    before = sorted(folder.rglob("*"))
    done = relembra("predict", model, "late.conll", "--out", "found")
    assert done.code == 2 and "late.conll, line 28: this line has 1 columns" in done.err
    assert sorted(folder.rglob("*")) == before


def test_evaluate_writes_a_report(relembra, conll, trained, folder) -> None:
    model, _ = trained
    done = relembra("evaluate", model, conll, "--out", "judged", "--json")
    assert done.code == 0, done.err
    assert 0 <= json.loads(done.out)["metrics"]["accuracy"] <= 1
    assert (folder / "judged" / "report.html").exists()
    assert json.loads(done.out)["baselines"] == []
    beside = relembra("evaluate", model, conll, "--train", conll, "--json")
    (baseline,) = json.loads(beside.out)["baselines"]
    assert baseline["model"] == "most frequent tag" and baseline["accuracy"] == 1
    twice = relembra("evaluate", model, conll, "--train", conll, "--train", conll)
    assert twice.code == 2 and "is compared by one file, got 2" in twice.err


def test_a_tag_that_writes_no_span_is_named_by_its_line(relembra, trained, conll, folder) -> None:
    model, _ = trained
    (folder / "bad.conll").write_text("I O\nfly O\n\nto O\nRio from\n\n")
    message = "bad.conll, line 4: token 2 of the sentence that begins here has 'from', which is"
    assert message in relembra("evaluate", model, "bad.conll").err
    assert message in relembra("evaluate", model, conll, "--train", "bad.conll").err
    told = relembra("train", "tag", conll, *QUICK, "--no-compare", "--test", "bad.conll")
    assert message in told.err and "training: " not in told.out


def test_evaluate_says_which_tags_the_model_never_learnt(relembra, trained, folder) -> None:
    model, _ = trained
    (folder / "new.conll").write_text("to O\nRio B-town\nnow B-time\n\n")
    done = relembra("evaluate", model, "new.conll", "--json")
    assert json.loads(done.out)["notes"] == [
        "1 of 3 steps have tags that the model never learnt ('B-time'); they count as mistakes"
    ]
    (folder / "pos.conll").write_text("to ADP\nRio PROPN\n\n")
    done = relembra("evaluate", model, "pos.conll")
    assert done.code == 2
    assert "pos.conll: the model learnt none of these tags: 'ADP', 'PROPN'; it knows" in done.err


def test_frames_with_a_tag_each(relembra, folder) -> None:
    draw = np.random.default_rng(0)
    X = draw.normal(size=(20, 6, 2))
    np.savez(folder / "film.npz", X_train=X, y_train=np.where(X[..., 0] > 0, "up", "down"))
    done = relembra(
        "train", "tag", "film.npz", "--part", "train", *QUICK, "--no-compare", "--out", "run",
        "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "span_f1" not in json.loads(done.out)["metrics"]
    done = relembra("predict", "run/model.safetensors", "film.npz", "--part", "train")
    assert done.code == 0, done.err


def test_columns_of_what_has_none_are_refused(relembra, conll, trained, folder) -> None:
    np.savez(folder / "film.npz", X=np.zeros((4, 6, 2)), y=np.zeros((4, 6), int))
    for option in ("--text", "--column"):
        done = relembra("train", "tag", "film.npz", option, "form", *QUICK)
        assert done.code == 2 and ".npz files have no columns; 'form' was asked for" in done.err
    model, _ = trained
    for words in ((), ("--output", "tags.csv")):
        done = relembra("predict", model, conll, "--column", "xpos", *words)
        assert done.code == 2 and "needs an --output that ends in .conllu" in done.err
    assert not (folder / "runs").exists()


def test_conllu_columns_have_names(relembra, folder) -> None:
    line = "1\tgo\tgo\tVERB\tVB\t_\t0\troot\t_\t_\n2\ton\ton\tADV\tRB\t_\t1\tadvmod\t_\t_\n\n"
    (folder / "a.conllu").write_text(line * 20)
    words = ("train", "tag", "a.conllu", *QUICK, "--no-compare", "--json")
    assert relembra(*words, "--column", "XPOS").code == 0
    done = relembra(*words, "--column", "tense")
    assert done.code == 2 and "no column 'tense'" in done.err


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.conll", "to\tO\nRio\n", "a.conll, line 2: this line has 1 columns where 2"),
        ("a.conll", "to\tO\n\nRio\tI-town\n\nLima\tB-town\n", "a.conll, line 3: token 1"),
        ("a.jsonl", '{"tokens": ["a"], "tags": []}\n', "line 1: there are 1 tokens and 0 tags"),
        ("a.conllu", "1\ta\n", "line 1: this line has 2 columns where CoNLL-U has 10"),
    ],
)
def test_malformed_files_are_named_with_their_line(relembra, folder, name, text, message) -> None:
    (folder / name).write_text(text)
    done = relembra("train", "tag", name, *QUICK)
    assert done.code == 2
    assert message.replace(", line", ":").split(": ")[-1] in done.err
    assert "line" in message and name in done.err
    assert not (folder / "runs").exists()


def test_frames_to_score_on_that_do_not_fit_are_told_before_training(relembra, folder) -> None:
    frames, tags = np.zeros((20, 5, 2)), np.tile([0, 1, 1, 0, 1], (20, 1))
    np.savez("frames.npz", X=frames, y=tags)
    np.savez("wider.npz", X=np.zeros((4, 5, 3)), y=tags[:4])
    frames[3, 2, 1] = np.nan
    np.savez("gaps.npz", X=frames, y=tags)
    np.savez("none.npz", X=np.zeros((4, 0, 2)), y=tags[:4, :0])
    for name, message in (
        ("wider", "wider.npz: the frames have 3 channels; expected 2"),
        ("gaps", "gaps.npz: row 4, step 3, channel 2"),
        ("none", "none.npz: there are no steps to score on"),
    ):
        done = relembra("train", "tag", "frames.npz", "--test", f"{name}.npz", *QUICK)
        assert done.code == 2
        assert message in done.err
        assert "training:" not in done.out
        assert not list(folder.glob("runs/*"))
