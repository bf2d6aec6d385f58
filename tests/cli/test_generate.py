"""`relembra train generate`, `generate`, `chat` and `evaluate` on a tiny text."""

import io
import json

import pytest

TEXT = "the quick queen quits quietly\nand the red fox runs far from the den\n" * 15
TALK = "User: hello\nSystem: good day\nUser: bye\nSystem: see you\n" * 12
QUICK = ("--units", "10", "--steps", "40", "--batch-size", "4", "--learning-rate", "0.02")


@pytest.fixture
def text(folder):
    path = folder / "foxes.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture
def model(relembra, text):
    done = relembra("train", "generate", text, "--length", "16", "--out", "run", *QUICK, "--quiet")
    assert done.code == 0, done.err
    return "run/model.safetensors"


def test_train_writes_model_and_report_and_prints_json(relembra, text, folder):
    done = relembra("train", "generate", text, *QUICK, "--json")
    result = json.loads(done.out)
    assert set(result["metrics"]) == {"lstm", "lstm, dynamic evaluation", "5-gram", "xz -9"}
    ours = result["metrics"]["lstm"]
    assert ours["bits_per_character"] == pytest.approx(ours["nll"] / 0.693147, rel=1e-4)
    assert ours["tokens"] == pytest.approx(len(TEXT) / 10, abs=2)
    assert result["files"]["model"] == "runs/generate-foxes-1/model.safetensors"
    page = (folder / result["files"]["report"]).read_text()
    assert "5-gram" in page and "What it writes, temperature 0.8" in page
    assert result["verdict"][0] in page


def test_nothing_is_overwritten(relembra, text, model):
    again = ("train", "generate", text, "--length", "16", "--out", "run", *QUICK, "--quiet")
    assert relembra(*again).code == 2
    assert relembra(*again, "--resume").code == 0
    assert relembra(*again, "--force").code == 0


def test_generate_streams_and_is_repeatable(relembra, model):
    words = ("generate", model, "--prompt", "the ", "--length", "30", "--seed", "3")
    first = relembra(*words)
    assert first.code == 0 and first.out.startswith("the ") and len(first.out) == 35
    assert relembra(*words).out == first.out
    result = json.loads(relembra(*words, "--json").out)
    assert "the " + result["text"] + "\n" == first.out
    stopped = relembra(*words, "--stop", first.out[10])
    assert stopped.out == first.out[:4] + first.out[4:].split(first.out[10])[0] + "\n"


def test_the_next_letter_table(relembra, model):
    result = json.loads(relembra("generate", model, "--next", "the q", "--json").out)
    assert next(iter(result["next"])) == "u"
    assert "'u'" in relembra("generate", model, "--next", "the q").out


def test_evaluate_scores_beside_the_baselines(relembra, model, text):
    alone = json.loads(relembra("evaluate", model, text, "--json").out)
    assert set(alone["metrics"]) == {"lstm", "lstm, dynamic evaluation"}
    beside = json.loads(relembra("evaluate", model, text, "--train", text, "--json").out)
    assert beside["metrics"]["lstm"] == alone["metrics"]["lstm"]
    assert beside["metrics"]["xz -9"]["bits_per_character"] < 0.5  # it has just seen the text
    assert "5-gram" in relembra("evaluate", model, text, "--train", text).out


def test_chat_takes_turns(relembra, folder, monkeypatch):
    (folder / "talk.txt").write_text(TALK)
    assert relembra("train", "generate", "talk.txt", "--out", "talk", *QUICK, "-q").code == 0
    replies = []
    for _ in range(2):
        monkeypatch.setattr("sys.stdin", io.StringIO("hello\nbye\n\nnever read\n"))
        done = relembra("chat", "talk/model.safetensors", "--json", "--length", "40")
        replies.append(json.loads(done.out)["turns"])
    assert replies[0] == replies[1]
    assert [turn["you"] for turn in replies[0]] == ["hello", "bye"]
    assert all("\n" not in turn["answer"] for turn in replies[0])


def test_what_the_user_did_wrong(relembra, model, text, folder):
    (folder / "bad.txt").write_bytes(b"fine\n\xff\xfe\n")
    bad = relembra("train", "generate", "bad.txt", *QUICK)
    assert bad.code == 2 and "bad.txt" in bad.err and "line 2" in bad.err
    assert relembra("train", "generate", "nowhere.txt").code == 2
    (folder / "tiny.txt").write_text("abc")
    tiny = relembra("train", "generate", "tiny.txt", *QUICK)
    assert tiny.code == 2 and "tiny.txt: tokens to learn from: 1; expected 2 or more" in tiny.err
    assert not list((folder / "runs").glob("generate-tiny-*"))
    assert "known: characters" in relembra("train", "generate", text, "--tokens", "x").err
    assert "User: hello" in relembra("chat", model).err
    assert relembra("generate", text).code == 2
    assert relembra("generate", model, "--top-p", "2").code == 2
    assert not (folder / "runs" / "generate-nowhere-1").exists()
