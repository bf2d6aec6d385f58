"""`relembra train classify`, and what `predict` and `evaluate` do with its model."""

from __future__ import annotations

import csv
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.tasks.test_classify import ramps, texts

from relembra.tasks import Classifier

QUICK = ("--steps", "40", "--units", "6", "--batch-size", "16", "--learning-rate", "0.02")


@pytest.fixture
def reviews(folder):
    """A table of texts and labels."""
    rows, labels = texts(80)
    lines = ["label,text", *(f"{b},{a}" for a, b in zip(rows, labels, strict=True))]
    (folder / "reviews.csv").write_text("\n".join(lines) + "\n")
    return "reviews.csv"


@pytest.fixture
def gestures(folder):
    """Numeric sequences in two sets."""
    parts = {}
    for name, seed in (("train", 0), ("test", 1)):
        rows, y = ramps(40, seed)
        parts[f"values_{name}"] = np.concatenate(rows)
        parts[f"offsets_{name}"] = np.cumsum([0, *map(len, rows)])
        parts[f"y_{name}"] = y
    np.savez(folder / "gestures.npz", **parts)
    return "gestures.npz"


@pytest.fixture
def train(relembra):
    """Run `relembra train classify` with a network that trains in a moment."""
    return lambda *words: relembra("train", "classify", *words, *QUICK)


def test_a_table_becomes_a_model_and_a_report(train, relembra, reviews, folder):
    outcome = train(reviews, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    found = json.loads(outcome.out)
    assert found["metrics"]["n"] == 16
    assert found["metrics"]["accuracy"] > 0.8
    assert [b["model"] for b in found["baselines"]] == [
        "without memory + n-grams", "bag of words, logistic regression", "most frequent class",
    ]  # fmt: skip
    assert found["baselines"][2]["accuracy"] == 0.5
    assert np.sum(found["confusion"]["counts"]) == 16
    report = (folder / found["files"]["report"]).read_text()
    for section in ("Label by label", "What is taken for what", "The worst mistakes"):
        assert section in report
    assert Classifier.load(found["files"]["model"]).classes_.tolist() == ["neg", "pos"]
    again = relembra("train", "classify", reviews, *QUICK, "--out", "runs/classify-reviews-1")
    assert again.code == 2
    assert "model.safetensors exists; choose another folder, or say --force" in again.err


def test_people_read_a_table_and_sentences(train, reviews):
    outcome = train(reviews, "--no-compare")
    assert outcome.code == 0
    for text in ("label: 'label' (guessed)", "Macro F1",
                 "of the answers of lstm + n-grams are right",
                 "model: runs/classify-reviews-1/model.safetensors"):  # fmt: skip
        assert text in outcome.out
    assert "without memory" not in outcome.out


def test_sets_of_an_npz_file_and_the_options_of_the_model(train, gestures):
    outcome = train(
        gestures, "--part", "train", "--test-part", "test", "--cell", "gru", "--one-way",
        "--balanced", "--pooling", "mean", "--no-compare", "--json", "--seed", "3",
    )  # fmt: skip
    found = json.loads(outcome.out)
    assert found["metrics"]["n"] == 40
    assert "Measured on 40 rows of a test set of their own" in found["verdict"][-1]
    assert found["metrics"]["accuracy"] > 0.8
    model = Classifier.load(found["files"]["model"])
    assert (model.trunk.cell, model.trunk.bidirectional, model.pooling) == ("gru", False, "mean")
    assert (model.class_weight, model.training.seed) == ("balanced", 3)


def test_predictions_in_every_form(train, relembra, reviews, folder):
    train(reviews, "--out", "trained", "--no-compare")
    rows = texts(9, seed=5)[0]
    (folder / "new.csv").write_text("\n".join(["text", *rows]) + "\n")
    model = Classifier.load("trained/model.safetensors")
    chances = model.predict_proba(rows)
    outcome = relembra("predict", "trained/model.safetensors", "new.csv", "--json")
    found = json.loads(outcome.out)
    assert (found["job"], found["rows"]) == ("classify", 9)
    with open(found["files"]["labels"], newline="") as file:
        table = list(csv.DictReader(file))
    assert list(table[0]) == ["row", "label", "confidence", "p_neg", "p_pos"]
    assert np.array_equal([float(row["p_pos"]) for row in table], chances[:, 1])
    for name in ("new.jsonl", "new.parquet"):
        assert (
            relembra("predict", "trained/model.safetensors", "new.csv", "--output", name).code == 0
        )
    lines = [json.loads(line) for line in (folder / "new.jsonl").read_text().splitlines()]
    assert [line["label"] for line in lines] == model.predict(rows).tolist()
    assert pq.read_table("new.parquet").column("confidence").to_pylist() == chances.max(1).tolist()
    again = relembra("predict", "trained/model.safetensors", "new.csv", "--output", "new.jsonl")
    assert (again.code, again.err) == (
        2, "error: new.jsonl exists; choose another name, or say --force\n",
    )  # fmt: skip
    wrong = relembra("predict", "trained/model.safetensors", "new.csv", "--output", "new.xls")
    assert "must end in .csv, .jsonl, .parquet" in wrong.err


def test_evaluation_on_other_data(train, relembra, reviews, folder):
    train(reviews, "--out", "trained", "--no-compare")
    rows, labels = texts(30, seed=7)
    labels[0] = "meh"  # training never saw it
    lines = ["text,label", *(f"{a},{b}" for a, b in zip(rows, labels, strict=True))]
    (folder / "later.csv").write_text("\n".join(lines) + "\n")
    outcome = relembra("evaluate", "trained/model.safetensors", "later.csv", "--json")
    found = json.loads(outcome.out)
    model = Classifier.load("trained/model.safetensors")
    assert found["metrics"]["accuracy"] == pytest.approx(model.score(rows, labels))
    assert found["confusion"]["labels"] == ["meh", "neg", "pos"]
    assert found["notes"] == [
        "1 of 30 rows have labels that the model never learnt ('meh'); they count as mistakes"
    ]
    assert [one["model"] for one in found["baselines"]] == ["most frequent class"]
    beside = relembra("evaluate", "trained/model.safetensors", "later.csv", "--train", reviews,
                      "--json")  # fmt: skip
    bag, majority = json.loads(beside.out)["baselines"]
    assert bag["model"] == "bag of words, logistic regression" and bag["accuracy"] > 0.8
    assert majority == found["baselines"][0]
    assert (folder / found["files"]["report"]).is_file()
    (folder / "stars.csv").write_text("text,stars\ngood,5\nbad,1\ngood,5\nbad,1\n")
    strange = relembra("evaluate", "trained/model.safetensors", "stars.csv")
    assert (strange.code, strange.err) == (
        2, "error: stars.csv: the model learnt none of these labels: '1', '5'; it knows 'neg', "
        "'pos'. Name the column that has them\n",
    )  # fmt: skip
    assert relembra("evaluate", "trained/model.safetensors", "later.csv", "--out", "x").code == 0
    again = relembra("evaluate", "trained/model.safetensors", "later.csv", "--out", "x")
    assert again.code == 2


def test_a_run_that_was_stopped_goes_on_to_the_same_model(train, reviews, folder, monkeypatch):
    train(reviews, "--out", "whole", "--no-compare")

    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("relembra.tasks.classify._job.evaluate_all", interrupted)
    outcome = train(reviews, "--out", "part", "--no-compare", "--quiet")
    assert (outcome.code, outcome.err) == (
        130, "interrupted; to go on, add: --resume --out part\n",
    )  # fmt: skip
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    assert train(reviews, "--out", "part", "--no-compare", "--resume").code == 0
    whole, part = (Classifier.load(f"{name}/model.safetensors") for name in ("whole", "part"))
    rows = texts(20, seed=2)[0]
    assert np.array_equal(whole.predict_proba(rows), part.predict_proba(rows))


@pytest.mark.parametrize(
    ("words", "content", "message"),
    [
        (["bad.csv"], "text,label\na,x\nb\n", "bad.csv, line 3"),
        (["bad.csv"], "text,label\na,x\nb,\n", "bad.csv, line 3, column 'label'"),
        (["bad.csv", "--label", "lable"], "text,label\na,x\n", "did you mean 'label'?"),
        (["bad.csv"], "text,label\na,x\nb,x\n", "rows are too few"),
        (
            ["bad.csv"],
            "text,label\na,x\nb,y\nc,z\n",
            "bad.csv, column 'label': there are as many labels as rows, 3; expected labels that",
        ),
        (
            ["bad.csv", "--test-share", "0"],
            "text,label\n" + "a,x\nb,y\n" * 9,
            "the share to score on is 0.0; expected a number above 0 and below 1",
        ),
        (["bad.csv"], "text,label\n" + "a,x\n" * 20, "y has 1 class; expected two or more"),
        (["bad.ts"], "@data\n1,2:oops\n", "bad.ts, line"),
        (["none.csv"], "", "there is no such file"),
        (["bad.csv", "--resume"], "text,label\n", "--resume needs --out"),
        (["bad.csv", "--features", "runes"], "text,label\n" + "a,x\nb,y\n" * 9, "unknown features"),
    ],
)
def test_what_cannot_be_used_is_named_and_leaves_nothing(train, folder, words, content, message):
    (folder / words[0].replace("none", "other")).write_text(content)
    outcome = train(*words)
    assert outcome.code == 2
    assert message in outcome.err
    assert outcome.err.startswith("error: ")
    assert not list(folder.glob("runs/*/*"))


def test_what_is_left_out_of_many_texts_is_told(train, relembra, reviews, folder, monkeypatch):
    monkeypatch.setattr("relembra.tasks.classify._baselines._MOST_BYTES", 500)
    monkeypatch.setattr("relembra.tasks.classify._ngram_fitting._MOST_STEPS", 100)
    outcome = train(reviews, "--no-compare", "--out", "few")
    assert outcome.code == 0
    notes = [line for line in outcome.out.splitlines() if "learnt from" in line]
    assert [note.partition(":")[0] for note in notes] == [
        "n-grams", "bag of words, logistic regression",
    ]  # fmt: skip
    found = json.loads(train(reviews, "--no-compare", "--out", "again", "--json").out)
    assert found["notes"] == notes
    model = "few/model.safetensors"
    beside = relembra("evaluate", model, reviews, "--train", reviews, "--json", "--out", "scored")
    (note,) = json.loads(beside.out)["notes"]
    assert note.startswith("bag of words, logistic regression: learnt from ")
    assert note in (folder / "scored" / "report.html").read_text()


def test_rows_to_score_on_that_do_not_fit_are_told_before_training(train, folder):
    with open("dna.tsv", "w") as file:
        file.writelines(f"{'ACGT' * (i % 3 + 1)}\t{i % 2}\n" for i in range(40))
    (folder / "other.tsv").write_text("text\tlabel\nACGT\t0\nACXT\t1\n")
    np.savez("frames.npz", X=np.zeros((20, 5, 2)), y=np.arange(20) % 2)
    np.savez("others.npz", X=np.zeros((4, 5, 3)), y=np.arange(4) % 2)
    np.savez("none.npz", X=np.zeros((0, 5, 2)), y=np.zeros(0, int))
    for words, message in (
        (["dna.tsv", "--features", "symbols", "--test", "other.tsv"],
         "other.tsv: sequence 2, position 3: 'X' is not in the alphabet"),
        (["frames.npz", "--test", "others.npz"],
         "others.npz: the frames have 3 channels; expected 2"),
        (["frames.npz", "--test", "none.npz"], "none.npz: there are no rows to score on"),
    ):  # fmt: skip
        outcome = train(*words)
        assert outcome.code == 2
        assert message in outcome.err
        assert "training:" not in outcome.out
        assert not list(folder.glob("runs/*"))


def test_what_is_wrong_with_the_training_file_is_not_blamed_on_another(train, relembra, folder):
    (folder / "blank.csv").write_text("text,label\n" + "  ,0\n  ,1\n" * 20)
    (folder / "good.csv").write_text("text,label\n" + "good,0\nbad,1\n" * 20)
    (folder / "other.csv").write_text("text,label\nGOOD,0\nBÄD,1\n")
    outcome = train("blank.csv", "--test", "good.csv")
    assert outcome.code == 2 and "blank.csv: " in outcome.err
    outcome = train("other.csv", "--features", "symbols", "--test", "good.csv")
    assert "good.csv: sequence 1, position 1: 'g' is not in the alphabet" in outcome.err
    model = folder / "run" / "model.safetensors"
    assert train("good.csv", "--no-compare", "--out", "run").code == 0
    outcome = relembra("evaluate", model, "good.csv", "--train", "blank.csv")
    assert outcome.code == 2 and "blank.csv: a bag of words cannot be made" in outcome.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["reviews.csv", "--part", "train"], "reviews.csv: part 'train' was asked for; only .npz"),
        (["gestures.npz", "--part", "train", "--label", "y"], "label 'y' was asked for; files of"),
        (["gestures.npz", "--part", "train", "--text", "X"], "text 'X' was asked for; files of"),
        (["moves.ts", "--text", "X"], "moves.ts: text 'X' was asked for; files of numeric"),
        (["towns.conll"], "towns.conll: CoNLL files have a tag for each token"),
    ],
)
def test_options_that_mean_nothing_to_the_data_are_refused(
    train, reviews, gestures, folder, words, message
):
    outcome = train(*words)
    assert outcome.code == 2
    assert message in outcome.err
    assert not list(folder.glob("runs/*"))


def test_predict_says_what_it_reads_and_refuses_what_means_nothing(
    train, relembra, reviews, folder
):
    train(reviews, "--out", "trained", "--no-compare")
    model = "trained/model.safetensors"
    (folder / "new.csv").write_text("number,review\n1,good film\n2,bad film\n")
    outcome = relembra("predict", model, "new.csv", "--output", "labels.csv")
    assert outcome.code == 0
    assert "text: 'review' (guessed)" in outcome.out
    for words, message in (
        (["new.csv", "--column", "sentiment"], "--column means nothing to a model for 'classify'"),
        (["new.csv", "--label", "sentiment"], "--column means nothing to a model for 'classify'"),
        (["new.csv", "--output", "x.csv", "--out", "x"], "give one of them"),
        (["new.csv", "--part", "test"], "new.csv: part 'test' was asked for; only .npz"),
        (["towns.conll"], "towns.conll: CoNLL files have a tag for each token"),
    ):
        outcome = relembra("predict", model, *words)
        assert outcome.code == 2
        assert message in outcome.err
        assert not (folder / "x").exists() and not list(folder.glob("runs/*"))


def test_models_are_sent_to_their_job(relembra, folder):
    from relembra.artifact import save_model

    save_model(folder / "odd", job="knit", config={}, tensors={})
    for verb in ("predict", "evaluate"):
        outcome = relembra(verb, "odd", "data.csv")
        assert outcome.code == 2
        assert f"odd is a model for 'knit'; {verb} knows classify" in outcome.err
