"""Training, scores and the next token."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from tests.tasks.generate.small import TEXT, music, tiny, weights

from relembra._errors import ArtifactError, ConfigError, DataError, OutputExistsError
from relembra.artifact import save_model
from relembra.data import TextStream
from relembra.tasks.generate import Dynamic, LanguageModel
from relembra.tasks.generate._batches import LanguageObjective, TextBatches
from relembra.tasks.generate._fitting import make_network
from relembra.tasks.generate._heads import cutoffs
from relembra.tasks.generate._scoring import Row, row_nats, stream_rows


@pytest.fixture(scope="module")
def model():
    return tiny(training={"steps": 250, "evaluate_every": 50}).fit(TEXT)


def stream(count=61, symbols=9, seed=0):
    ids = np.random.default_rng(seed).integers(2, symbols, count)
    return TextStream(ids, count)


# --- training ---------------------------------------------------------------------------


def test_after_q_comes_u(model):
    table = model.next_table("the q")
    assert next(iter(table)) == "u"
    assert table["u"] > 0.5
    assert list(table.values()) == sorted(table.values(), reverse=True)
    assert math.fsum(table.values()) == pytest.approx(1.0, abs=1e-3)  # padding has the rest
    assert list(model.next_table("the q", most=1)) == ["u"]


def test_training_beats_chance_on_what_it_never_saw(model):
    assert model.history_.best.validation < 0.7 * math.log(model.feature_.size)


def test_segments_that_cover_all_are_full_backpropagation():
    model = tiny()
    network = make_network(9, model.language, model.trunk, "tokens", 0)
    objective = LanguageObjective(network, model.language)
    text = stream()
    whole = TextBatches(text, 2, 30, 0).batch(0, 0)
    loss, _ = objective.loss(whole, None)
    loss.backward()
    full = {name: p.grad.clone() for name, p in network.named_parameters()}
    by_hand = torch.from_numpy(np.stack([text.ids[:31], text.ids[30:61]]))
    network.zero_grad()
    walked = network(by_hand[:, :-1])
    network.nats(walked, by_hand[:, 1:]).mean().backward()
    assert all(torch.equal(full[name], p.grad) for name, p in network.named_parameters())


def test_a_carried_state_sees_the_text_in_one_piece():
    model = tiny()
    network = make_network(9, model.language, model.trunk, "tokens", 0)
    objective = LanguageObjective(network, model.language)
    short, state, total = TextBatches(stream(), 2, 10, 0), None, 0.0
    for index in range(short.batches(0)):
        loss, state = objective.loss(short.batch(0, index), state)
        total += float(loss.detach()) * 10
    whole, _ = objective.loss(TextBatches(stream(), 2, 30, 0).batch(0, 0), None)
    assert total / 30 == pytest.approx(float(whole.detach()), rel=1e-6)


def test_every_pass_but_the_first_begins_elsewhere():
    source = TextBatches(stream(200), 2, 10, 3)
    first = [source.batch(epoch, 0).inputs[0].tolist() for epoch in range(5)]
    assert first[0] == stream(200).ids[:10].tolist()
    assert len({tuple(ids) for ids in first}) > 2
    again = TextBatches(stream(200), 2, 10, 3)
    assert [again.batch(epoch, 0).inputs[0].tolist() for epoch in range(5)] == first


@pytest.mark.parametrize(
    "settings",
    [
        {"trunk": {"dropout": 0.3, "locked_dropout": True, "weight_drop": 0.3, "layers": 2}},
        {"language": {"tied": False, "embedding_dropout": 0.2, "embedding": 5}},
        {"language": {"activation_penalty": 2.0, "temporal_penalty": 1.0, "embedding": 12}},
        {"language": {"adaptive": True}, "tokens": "words"},
        {"cell": "feedforward", "tokens": "words", "lower": True, "size": 8},
        {"cell": "gru", "tokens": "subwords", "size": 300, "training": {"average": 0.9}},
    ],
    ids=lambda s: " ".join(s),
)
def test_every_option_trains_scores_and_writes(settings):
    model = tiny(**settings).fit(TEXT)
    chance = math.log(model.network_.symbols)
    assert 0 < -model.score(TEXT) < chance
    assert "".join(model.generate("the ", 5, seed=1))


def test_penalties_are_in_the_loss():
    plain = tiny()
    network = make_network(9, plain.language, plain.trunk, "tokens", 0)
    batch = TextBatches(stream(), 2, 30, 0).batch(0, 0)
    walked = network(batch.inputs)
    change = walked.raw[:, 1:] - walked.raw[:, :-1]
    extra = 2 * walked.output.square().mean() + 3 * change.square().mean()
    heavy = tiny(language={"activation_penalty": 2.0, "temporal_penalty": 3.0})
    got = LanguageObjective(network, heavy.language).loss(batch, None)[0]
    without = LanguageObjective(network, plain.language).loss(batch, None)[0]
    assert float((got - without).detach()) == pytest.approx(float(extra.detach()), rel=1e-4)


def test_tied_weights_are_the_embedding():
    network = tiny().fit(TEXT).network_
    assert network.head.weight is network.embedding.weight
    assert tiny(language={"tied": False}).fit(TEXT).network_.head.weight is not (
        network.embedding.weight
    )


def test_cutoffs_rise_and_leave_a_tail():
    for symbols in (3, 25, 10_000):
        found = cutoffs(symbols, 512)
        assert found == sorted(set(found))
        assert 0 < found[0] and found[-1] < symbols


@pytest.mark.parametrize("layers", [1, 2])
def test_killed_and_resumed_the_same_bits(tmp_path, layers):
    settings = {"steps": 9, "checkpoint_every": 2, "average": 0.9, "evaluate_every": 4}
    options = {"training": settings, "trunk": {"dropout": 0.2, "layers": layers}}
    whole = tiny(**options).fit(TEXT)

    class KilledError(Exception):
        pass

    def kill(event):
        if getattr(event, "step", 0) == 5 and type(event).__name__ == "StepDone":
            raise KilledError

    with pytest.raises(KilledError):
        tiny(**options).fit(TEXT, directory=tmp_path, subscribers=[kill])
    with pytest.raises(OutputExistsError):
        tiny(**options).fit(TEXT, directory=tmp_path)
    with pytest.raises(ArtifactError, match="data"):
        tiny(**options).fit(TEXT + "more", directory=tmp_path, resume=True)
    resumed = tiny(**options).fit(TEXT, directory=tmp_path, resume=True)
    assert all(torch.equal(t, weights(resumed)[name]) for name, t in weights(whole).items())
    validated = [row.validation for row in whole.history_]
    assert [row.validation for row in resumed.history_] == validated


def test_files_and_texts_are_the_same_to_it(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    of_text, of_file = tiny().fit(TEXT), tiny().fit(path, directory=tmp_path / "run")
    assert all(torch.equal(t, weights(of_file)[name]) for name, t in weights(of_text).items())
    assert of_file.score(path) == of_text.score(TEXT)
    assert of_file.sample_ == of_text.sample_


# --- scores -----------------------------------------------------------------------------


def test_one_by_one_is_the_same_as_together(model):
    texts = ["the den", "", "quits quietly and far from it", "x?!", TEXT[:700]]
    together = model.log_likelihood(texts)
    assert np.array_equal(together, [model.log_likelihood([text])[0] for text in texts])
    assert together[1] == 0.0


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_streaming_is_the_same_as_reading_at_once(cell):
    model = tiny(cell=cell, trunk={"layers": 2}).fit(TEXT)
    text = TEXT[:300]
    reader, total = model.reader(), 0.0
    for token in model.feature_.ids(text).tolist():
        total += reader.log_probabilities()[token]
        reader.read(torch.tensor([token]))
    assert total == pytest.approx(model.log_likelihood([text])[0], rel=1e-12)


def test_scores_agree_with_each_other(model):
    scores = model.evaluate(TEXT)
    assert scores.tokens == scores.characters == len(TEXT)
    assert scores.nats == pytest.approx(-model.log_likelihood([TEXT])[0], rel=1e-9)
    assert model.score(TEXT) == -scores.per_token
    assert model.perplexity(TEXT) == pytest.approx(math.exp(scores.per_token))
    assert model.bits_per_character(TEXT) == pytest.approx(scores.per_token / math.log(2))


def test_rows_side_by_side_count_every_token_once(model):
    ids = np.asarray(model.feature_.ids(TEXT * 2))
    rows = stream_rows(ids, model.start_, 4)
    assert [row.counted for row in rows] == [0, *[row.end for row in rows[:-1]]]
    assert rows[-1].end == len(ids) and len(rows) == 4
    one = row_nats(model.network_, [Row.of(ids, model.start_)])[0]
    assert row_nats(model.network_, rows).sum() == pytest.approx(one, rel=1e-3)


def test_dynamic_evaluation_learns_and_leaves_the_model_alone(model):
    before = weights(model)
    repetitive = "zebra zoo " * 60
    still, moving = (model.evaluate(repetitive, dynamic=d) for d in (None, Dynamic(rate=3e-3)))
    assert moving.per_token < 0.8 * still.per_token
    assert all(torch.equal(t, weights(model)[name]) for name, t in before.items())
    none = model.evaluate(repetitive, dynamic=Dynamic(rate=0.0, decay=0.0))
    assert none.per_token == pytest.approx(still.per_token, rel=1e-5)


# --- writing ----------------------------------------------------------------------------


def test_the_same_seed_writes_the_same_in_a_new_process(model, tmp_path):
    path = tmp_path / "model.safetensors"
    model.save(path)
    text = "".join(model.generate("the ", 60, temperature=0.9, top_p=0.95, seed=7))
    program = (
        "import sys; from relembra.tasks.generate import LanguageModel\n"
        f"model = LanguageModel.load({str(path)!r})\n"
        "sys.stdout.write(''.join("
        "model.generate('the ', 60, temperature=0.9, top_p=0.95, seed=7)))\n"
        f"sys.stdout.write('|' + repr(model.score({TEXT!r})))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == f"{text}|{model.score(TEXT)!r}", done.stderr
    assert text != "".join(model.generate("the ", 60, temperature=0.9, top_p=0.95, seed=8))


def test_temperature_zero_takes_the_likeliest(model):
    text, expected = "".join(model.generate("the q", 10, temperature=0)), ""
    for _ in range(10):
        table = model.next_table("the q" + expected)
        expected += next(name for name in table if name != "\N{REPLACEMENT CHARACTER}")
    assert text == expected
    cold = model.generate("the q", 10, temperature=1e-6, seed=3)
    assert "".join(cold) == text


def test_writing_ends_before_a_stop(model):
    text = "".join(model.generate("the ", 200, seed=1))
    assert "\n" in text
    assert "".join(model.generate("the ", 200, seed=1, stop="\n")) == text.split("\n")[0]
    stop = text[20:26]
    assert "".join(model.generate("the ", 200, seed=1, stop=["\0", stop])) == text.split(stop)[0]


def test_a_great_penalty_forbids_what_was_just_written(model):
    text = "".join(model.generate("", 15, temperature=0, repetition_penalty=1e6))
    assert len(set(text)) == 15


@pytest.mark.parametrize("tokens", ["words", "subwords"])
def test_pieces_make_the_text_of_the_tokens(tokens):
    options = {"size": 280} if tokens == "subwords" else {}
    model = tiny(tokens, **options).fit("ação e reação, não! \N{RAT} «sim»\n" * 40)
    written = list(model.generate("ação", 90, temperature=1.5, seed=2))
    assert len("".join(written)) > 20
    again = "".join(model.generate("ação", 90, temperature=1.5, seed=2))
    assert "".join(written) == again


@given(st.text("ab\N{RAT}é", max_size=60), st.integers(0, 3))
def test_streamed_pieces_are_the_whole_decoded(text, cut):
    from relembra.data import Subwords
    from relembra.tasks.generate._generating import pieces

    feature = Subwords.fit(["abab é \N{RAT}"] * 3, size=260)
    ids = feature.ids(text).tolist() if text else []
    before, after = ids[:cut], ids[cut:]
    streamed = "".join(pieces(feature, before, after))
    whole, start = feature.decode(ids), feature.decode(before)
    if not start.endswith("\N{REPLACEMENT CHARACTER}"):
        assert start + streamed == whole


# --- frames -----------------------------------------------------------------------------


def test_frames_are_learnt_and_written():
    scales = music(30)
    settings = {"steps": 150, "evaluate_every": 50, "batch_size": 8}
    model = tiny(outputs="frames", units=24, training=settings).fit(scales)
    assert model.evaluate(music(5, seed=1)).per_token < 1.0
    written = np.stack(list(model.generate_frames(scales[0][:6], 4, temperature=0)))
    assert np.array_equal(written, scales[0][6:10])
    texts = model.log_likelihood(scales[:3])
    assert np.array_equal(texts[1:2], model.log_likelihood(scales[1:2]))


def test_a_frame_costs_the_sum_over_its_keys():
    scales = music(3)
    model = tiny(outputs="frames", training={"steps": 1}).fit(scales)
    x = torch.from_numpy(scales[0])
    with torch.no_grad():
        walked = model.network_(x[None, :-1])
        chances = torch.sigmoid(model.network_.head.output(walked.output))[0].double()
    bernoulli = torch.where(x[1:] > 0, chances, 1 - chances).log().sum()
    assert model.log_likelihood(scales[:1])[0] == pytest.approx(float(bernoulli), rel=1e-5)


def test_transposed_sequences_keep_their_shape():
    from relembra.tasks.generate._batches import FrameBatches

    low = np.zeros((5, 12), np.float32)
    low[np.arange(5), [3, 4, 5, 4, 3]] = 1
    source = FrameBatches([low] * 8, 8, seed=0, transpose=2)
    moved = source.batch(0, 0).inputs
    starts = moved[:, 0].argmax(-1).tolist()
    assert set(starts) <= {1, 2, 3, 4, 5} and len(set(starts)) > 1
    assert all(torch.equal(row[1].roll(-1), row[0]) for row in moved)


# --- files and errors -------------------------------------------------------------------


def test_the_file_holds_everything(model, tmp_path):
    path = tmp_path / "model.safetensors"
    model.save(path)
    loaded = LanguageModel.load(path)
    assert loaded.get_params() == model.get_params()
    assert loaded.next_table("the q") == model.next_table("the q")
    assert loaded.history_.to_dict() == model.history_.to_dict()
    with pytest.raises(OutputExistsError):
        model.save(path)
    frames = tiny(outputs="frames", training={"steps": 1}).fit(music())
    frames.save(path, force=True)
    again = LanguageModel.load(path).log_likelihood(music())
    assert np.array_equal(again, frames.log_likelihood(music()))


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(path, job="generate", config={"parameters": {}}, tensors={})
    with pytest.raises(ArtifactError, match="do not fit together"):
        LanguageModel.load(path)
    with pytest.raises(ArtifactError, match="does not exist"):
        LanguageModel.load(tmp_path / "nothing.safetensors")


def test_scikit_learn_can_copy_and_change_it():
    model = clone(tiny()).set_params(trunk__units=7, language__tied=False, length=5)
    assert (model.trunk.units, model.language.tied, model.length) == (7, False, 5)
    with pytest.raises(ConfigError, match="did you mean 'trunk'"):
        model.set_params(trunks=1)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: tiny().fit(""), "there is no text"),
        (lambda: tiny().fit(3), "expected a text"),
        (lambda: tiny().fit([Path("nowhere.txt")]), "no such text file"),
        (lambda: tiny(outputs="frames").fit(TEXT), "list of arrays"),
        (lambda: tiny(outputs="frames").fit([np.full((4, 3), 0.5)]), "other numbers than 0 and 1"),
        (lambda: tiny(outputs="frames").fit([np.zeros((1, 3))]), "2 frames or more"),
        (lambda: tiny(outputs="frames").fit([np.zeros((4, 3)), np.ones((4, 2))]), "2 keys"),
    ],
)
def test_data_that_cannot_be_used(act, message):
    with pytest.raises(DataError, match=message):
        act()


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda m: tiny("letters").fit(TEXT), "known: characters, words, subwords"),
        (lambda m: tiny(lower=True).fit(TEXT), "lower=True is for words"),
        (lambda m: tiny(outputs="notes").fit(TEXT), "known: tokens, frames"),
        (lambda m: tiny(length=0).fit(TEXT), "length is 0"),
        (lambda m: tiny(held_out=1.0).fit(TEXT), "held_out is 1.0"),
        (lambda m: tiny(trunk={"bidirectional": True}).fit(TEXT), "what it should predict"),
        (lambda m: m.generate("a", temperature=-1), "temperature is -1"),
        (lambda m: m.generate("a", top_p=0), "top_p is 0"),
        (lambda m: m.generate("a", top_k=0), "top_k is 0"),
        (lambda m: m.generate("a", repetition_penalty=0), "repetition_penalty is 0"),
        (lambda m: m.generate("a", stop=["", "b"]), "a stop is empty"),
        (lambda m: m.generate_frames([[1.0]]), "take generate"),
        (lambda m: Dynamic(decay=1.0), "decay"),
    ],
)
def test_settings_that_make_no_sense(model, act, message):
    with pytest.raises(ConfigError, match=message):
        act(model)
