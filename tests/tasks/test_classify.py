"""One label for a whole sequence."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from relembra import ArtifactError, ConfigError, DataError, OutputExistsError
from relembra.data import Ragged, Symbols
from relembra.tasks import Classifier
from relembra.tasks.classify._calibration import fit_temperature, softmax

GOOD, BAD = ("good", "great", "fun"), ("bad", "dull", "poor")


def texts(count=60, seed=0):
    """Return texts, one word of which decides, and their labels."""
    chance = np.random.default_rng(seed)
    fillers = np.array(["the", "film", "is", "quite", "a", "story", "with", "songs"])
    rows, labels = [], []
    for i in range(count):
        words = list(chance.choice(fillers, chance.integers(2, 9)))
        words.insert(chance.integers(len(words)), str(chance.choice(BAD if i % 2 else GOOD)))
        rows.append(" ".join(words))
        labels.append("neg" if i % 2 else "pos")
    return rows, labels


def ramps(count=48, seed=0, gaps=False):
    """Return rising and falling sequences of unequal length with two channels, and labels."""
    chance = np.random.default_rng(seed)
    rows = []
    for i in range(count):
        steps = np.arange(chance.integers(4, 12)) / 5.0
        frames = np.stack([steps * (1 if i % 2 else -1), np.ones_like(steps)], 1)
        frames += 0.2 * chance.standard_normal(frames.shape)
        if gaps:
            frames[chance.random(frames.shape) < 0.3] = np.nan
        rows.append(frames)
    return rows, np.arange(count) % 2


def small(**parameters):
    """Return a classifier that trains in a moment."""
    quick = {
        "training__steps": 30, "training__evaluate_every": 10, "training__batch_size": 16,
        "training__learning_rate": 0.02, "training__warmup": 0, "training__average": 0.5,
        "trunk__units": 6, "trunk__dropout": 0.1, "embedding__size": 8,
        "embedding__feature_dropout": 0.1, "embedding__characters": 4,
        "embedding__character_units": 3,
    }  # fmt: skip
    return Classifier().set_params(**{**quick, **parameters})


def test_words_that_decide_are_learned():
    model = small(training__steps=60).fit(*texts())
    assert model.score(*texts(seed=1)) > 0.9
    assert model.classes_.tolist() == ["neg", "pos"]
    chances = model.predict_proba(["good film", ""])
    assert chances.shape == (2, 2)
    assert chances.sum(1) == pytest.approx(1)
    assert chances[0, 1] > 0.5


@pytest.mark.parametrize("features", ["characters", "words+characters", "subwords", "symbols"])
@pytest.mark.parametrize("pooling", ["last", "attention"])
def test_every_feature_of_text(features, pooling, tmp_path):
    model = small(features=features, pooling=pooling, training__steps=4).fit(*texts(20))
    model.save(tmp_path / "model.safetensors")
    loaded = Classifier.load(tmp_path / "model.safetensors")
    rows = texts(20)[0]
    assert np.array_equal(loaded.predict_proba(rows), model.predict_proba(rows))


@pytest.mark.parametrize("gaps", [False, True])
def test_frames_of_unequal_length_with_and_without_gaps(gaps):
    model = small(training__steps=80).fit(*ramps(gaps=gaps))
    assert model.score(*ramps(seed=1, gaps=gaps)) > 0.85
    assert model.predict(ramps()[0]).dtype == np.int64


def test_arrays_of_all_shapes_mean_the_same():
    rows, y = ramps()
    same = np.stack([row[:4, 0] for row in rows])  # (n, T)
    expected = small(training__steps=4).fit(same, y).predict_proba(same)
    for other in (same[..., None], list(same), Ragged.of(list(same)), same.tolist()):
        model = small(training__steps=4).fit(other, y)
        assert np.array_equal(model.predict_proba(other), expected)


def test_a_row_has_the_same_answer_in_any_company():
    rows = texts(40)[0]
    model = small(training__steps=5, training__average=0.0).fit(*texts(40))
    together = model.predict_proba(rows)
    alone = np.concatenate([model.predict_proba([row]) for row in rows])
    assert np.array_equal(together, alone)
    assert np.array_equal(model.predict_proba(rows[::-1])[::-1], together)


@pytest.mark.parametrize("convolutions", [0, 2])
def test_frames_have_the_same_answer_in_any_company(convolutions):
    rows, y = ramps(gaps=True)
    model = small(training__steps=5, pooling="mean", embedding__convolutions=convolutions)
    model.fit(rows, y)
    alone = np.concatenate([model.predict_proba([row]) for row in rows])
    assert np.array_equal(model.predict_proba(rows), alone)


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
@pytest.mark.parametrize(("cell", "convolutions"), [("lstm", 0), ("gru", 2), ("feedforward", 0)])
def test_a_stream_says_at_every_step_what_the_batch_says_of_the_prefix(pooling, cell, convolutions):
    rows, y = ramps(20, gaps=True)
    model = small(training__steps=4, pooling=pooling, trunk__bidirectional=False, trunk__cell=cell)
    model.set_params(embedding__convolutions=convolutions, embedding__window=3).fit(rows, y)
    row = np.concatenate([np.full((1, 2), np.nan), rows[3], rows[4]])
    stream = model.stream()
    for steps, frame in enumerate(row, 1):
        answer = stream.push(frame)
        expected = model.predict_proba([row[:steps]])[0]
        assert np.array_equal(answer.probabilities, expected)
        assert answer.label == model.classes_[expected.argmax()]
        assert (answer.confidence, answer.steps) == (expected.max(), steps)


@pytest.mark.parametrize("features", ["words", "characters", "words+characters"])
def test_a_stream_of_text(features):
    model = small(training__steps=4, features=features, trunk__bidirectional=False).fit(*texts(20))
    pieces = ["the", "great ", "film", " is", "unseenword"]
    text = "".join(pieces) if features == "characters" else " ".join(p.strip() for p in pieces)
    stream = model.stream()
    for piece in pieces:
        answer = stream.push(piece)
    assert np.array_equal(answer.probabilities, model.predict_proba([text])[0])
    with pytest.raises(DataError, match="has no steps"):
        model.stream().push("")


def test_streams_need_a_model_that_reads_one_way():
    model = small(training__steps=2).fit(*texts(20))
    with pytest.raises(ConfigError, match="is bidirectional: it needs the whole sequence"):
        model.stream()
    model = small(training__steps=2, trunk__bidirectional=False, pooling="attention")
    with pytest.raises(ConfigError, match="pools by attention"):
        model.fit(*texts(20)).stream()


def test_saliency_finds_the_word_that_decides():
    model = small(training__steps=80).fit(*texts())
    found = model.saliency("the film is great with songs")
    assert found.label == "pos"
    assert found.pieces == ["the", "film", "is", "great", "with", "songs"]
    assert found.pieces[int(found.weights.argmax())] == "great"
    against = model.saliency("the film is great with songs", "neg")
    assert against.weights[3] < 0
    assert against.probability == pytest.approx(1 - found.probability)
    assert len(model.saliency("").weights) == 0
    with pytest.raises(DataError, match="there is no label 'meh'"):
        model.saliency("good", "meh")


def test_saliency_is_the_change_of_the_score():
    """Of a linear network, gradient times input adds up to the score."""
    rows, y = ramps()
    model = small(trunk__cell="feedforward", training__steps=5, pooling="mean",
                  trunk__bidirectional=False).fit(rows, y)  # fmt: skip
    found = model.saliency(rows[0])
    assert found.pieces is None
    assert found.weights.shape == (len(rows[0]),)
    network = model.fitted_.network
    inputs = model.feature_.encode([rows[0]]).batch([0])
    place = model.classes_.tolist().index(found.label)

    def centred(frames):
        scores = network.scores(frames, inputs.lengths)[0].double()
        return float((scores[place] - scores.mean()).detach())

    frames, little = inputs.values["frames"], 1e-2
    shrunk = frames.clone()
    shrunk[:, 2] *= 1 - little
    change = (centred(frames) - centred(shrunk)) / little
    assert found.weights[2] == pytest.approx(change, rel=0.05, abs=1e-4)


def test_saved_and_loaded_elsewhere_bit_for_bit(tmp_path):
    rows = texts(20)[0]
    model = small(training__steps=5, class_weight="balanced").fit(*texts(20))
    path = tmp_path / "model.safetensors"
    model.save(path)
    with pytest.raises(OutputExistsError):
        model.save(path)
    code = (
        "import sys, numpy as np; from relembra.tasks import Classifier\n"
        "np.save(sys.argv[2], Classifier.load(sys.argv[1]).predict_proba(sys.argv[3:]))"
    )
    found = tmp_path / "found.npy"
    subprocess.run([sys.executable, "-c", code, path, found, *rows], check=True)
    assert np.array_equal(np.load(found), model.predict_proba(rows))
    loaded = Classifier.load(path)
    assert (loaded.trunk, loaded.training) == (model.recipe_.trunk, model.recipe_.training)
    assert loaded.recipe_ == model.recipe_


@pytest.mark.parametrize("labels", [[1, 2], [1.0, 2.0], [True, False], ["a", "b"]])
def test_labels_come_back_as_they_were(labels, tmp_path):
    rows = texts(20)[0]
    model = small(training__steps=1).fit(rows, np.array(labels)[np.arange(20) % 2])
    model.save(tmp_path / "model")
    loaded = Classifier.load(tmp_path / "model")
    assert loaded.classes_.dtype == model.classes_.dtype
    assert set(loaded.predict(rows).tolist()) <= set(labels)


def test_a_killed_run_goes_on_to_the_same_bits(tmp_path):
    class Stop:
        def __call__(self, event):
            if getattr(event, "step", 0) == 13:
                raise KeyboardInterrupt

    whole = small().fit(*texts())
    part = small(training__checkpoint_every=5)
    with pytest.raises(KeyboardInterrupt):
        part.fit(*texts(), directory=tmp_path, subscribers=[Stop()])
    part.fit(*texts(), directory=tmp_path, resume=True)
    rows = texts(seed=1)[0]
    assert np.array_equal(part.predict_proba(rows), whole.predict_proba(rows))
    with pytest.raises(ArtifactError, match="data"):
        small().fit(*texts(seed=3), directory=tmp_path, resume=True)
    with pytest.raises(OutputExistsError):
        small().fit(*texts(), directory=tmp_path)


def test_class_weights_help_the_rare_class():
    rows, y = ramps(60)
    rare = np.flatnonzero((y == 0) | (np.arange(60) % 10 == 1))
    some = [rows[i] + 1.5 * np.random.default_rng(i).standard_normal(rows[i].shape) for i in rare]
    slow = {"training__steps": 40, "calibrate": False, "embedding__convolutions": 0}
    plain = small(**slow).fit(some, y[rare])
    balanced = small(**slow, class_weight="balanced")
    balanced.fit(some, y[rare])
    assert balanced.predict_proba(rows)[:, 1].mean() > plain.predict_proba(rows)[:, 1].mean() + 0.1


def test_a_network_of_smoothed_labels_is_never_quite_sure():
    rows, y = ramps(40)
    slow = {"training__steps": 200, "validation": 0.0, "embedding__convolutions": 0}
    plain = small(**slow, label_smoothing=0.0).fit(rows, y)
    smooth = small(**slow, label_smoothing=0.2).fit(rows, y)
    assert plain.score(rows, y) == smooth.score(rows, y) == 1.0
    # The most likely probability for two labels is 1 - 0.2 / 2.
    assert plain.predict_proba(rows).max(1).mean() > 0.97
    assert 0.85 < smooth.predict_proba(rows).max(1).mean() < 0.95


def test_few_rows_of_numbers_smooth_their_labels():
    rows, y = ramps(20)
    assert small().fit(rows, y).recipe_.label_smoothing == 0.1
    assert small(label_smoothing=0).fit(rows, y).recipe_.label_smoothing == 0.0
    assert small().fit(*texts()).recipe_.label_smoothing == 0.0


def test_temperature_makes_held_out_labels_most_likely():
    chance = np.random.default_rng(0)
    deserved = chance.standard_normal((4000, 3))
    truth = np.array([chance.choice(3, p=p) for p in softmax(deserved)])
    assert fit_temperature(5 * deserved, truth) == pytest.approx(5, rel=0.1)
    assert fit_temperature(deserved / 4, truth) == pytest.approx(0.25, rel=0.1)
    assert fit_temperature(np.empty((0, 3)), np.empty(0, np.int64)) == 1.0
    model = small(training__steps=5, ngrams=0)
    assert model.fit(*texts()).fitted_.temperature != 1.0
    assert model.set_params(calibrate=False).fit(*texts()).fitted_.temperature == 1.0
    assert model.set_params(calibrate=True, validation=0).fit(*texts()).fitted_.temperature == 1.0


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"features": "letters"}, "unknown features 'letters'; known: auto, words"),
        ({"features": "frames"}, "features='frames' does not fit X, which holds texts"),
        ({"pooling": "sum"}, "unknown pooling 'sum'"),
        ({"class_weight": "fair"}, "class_weight is 'fair'"),
        ({"label_smoothing": 1.0}, r"label_smoothing is 1.0; expected a share in \[0, 1\)"),
        ({"label_smoothing": "some"}, "label_smoothing is 'some'"),
        ({"label_smoothing": True}, "label_smoothing is True"),
        ({"validation": 1.0}, "share to hold out is 1.0"),
        ({"trunk": "lstm"}, "trunk must be Trunk"),
        ({"embedding": 3}, r"embedding must be Embedding\(...\) or None"),
        ({"ngrams": -1}, "ngrams is -1; expected 'auto', or a whole number of 0 or more"),
        ({"ngrams": "two"}, "ngrams is 'two'"),
    ],
)
def test_parameters_are_checked_in_fit(parameters, message):
    with pytest.raises(ConfigError, match=message):
        small().set_params(**parameters).fit(*texts(8))


@pytest.mark.parametrize("features", ["symbols", "words"])
def test_features_of_texts_do_not_fit_numbers(features):
    for rows in ([1.0, 2.0, 3.0], np.zeros((3, 4)), [np.zeros(2)] * 3):
        with pytest.raises(ConfigError, match=f"features='{features}' does not fit X, .* numbers"):
            small(features=features).fit(rows, [0, 1, 0])


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        ("one text", ["a"], "got one text or path; expected a list"),
        (["a", "b"], ["x"], r"y has shape \(1,\); expected \(2,\)"),
        (["a", "b"], [0.5, 1.0], "Unknown label type: continuous"),
        (["a", "b"], ["x", "x"], "y has 1 class; expected two or more"),
        (["a", "b"], ["x", None], "row 2 of y is None; expected a label for each row"),
        (["a", "b"], [None, "x"], "row 1 of y is None; expected a label for each row"),
        (["a", "b"], np.array(["x", np.nan], object), "row 2 of y is nan; expected"),
        (["a", "b"], np.array([1, "x"], object), "row 2 of y is 'x'; expected a label for each"),
        (["a", 3], ["x", "y"], "row 2 is int"),
        (["ab", None, "c"], ["x", "y", "x"], "row 2 is NoneType"),
        (np.zeros((2, 3)) + [np.inf, 0, 0], [0, 1], "infinite"),
        ([np.zeros((3, 2)), np.zeros((3, 1))], [0, 1], "row 2 has shape"),
        (np.zeros(4), [0, 1, 0, 1], "shape"),
    ],
)
def test_data_that_cannot_be_used_is_named(X, y, message):  # noqa: N803
    with pytest.raises(DataError, match=message):
        small(training__steps=1).fit(X, y)


def test_a_row_that_is_no_sequence_of_letters_is_named():
    for features in ("symbols", Symbols("abc")):
        for row in (None, 3):
            with pytest.raises(DataError, match=f"row 2 is a {type(row).__name__}; expected a tex"):
                small(features=features).fit(["ab", row, "c"], [0, 1, 0])


def test_new_data_must_be_like_the_training_data():
    model = small(training__steps=1).fit(*ramps())
    with pytest.raises(DataError, match="3 channels; expected 2"):
        model.predict([np.zeros((4, 3))])
    with pytest.raises(DataError, match="missing"):
        model.predict([np.full((4, 2), np.nan)])
    symbols = small(features=Symbols("ACGT"), training__steps=1).fit(["ACG", "GT"] * 4, [0, 1] * 4)
    with pytest.raises(DataError, match="'X' is not in the alphabet"):
        symbols.predict(["AXT"])
    with pytest.raises(NotFittedError):
        small().predict(["a"])


def test_nothing_to_predict_is_nothing():
    model = small(training__steps=1).fit(*texts(20))
    assert model.predict_proba([]).shape == (0, 2)
    assert model.predict([]).shape == (0,)


def test_clones_are_unfitted_and_equal():
    model = small().fit(*texts(20))
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "fitted_")


def test_the_same_seed_is_the_same_model_and_the_callers_stream_is_left_alone():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first = small(training__steps=5).fit(*texts(20)).predict_proba(["good film"])
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(6)
    assert np.array_equal(
        first, small(training__steps=5).fit(*texts(20)).predict_proba(["good film"])
    )
    other = small(training__steps=5, training__seed=1).fit(*texts(20)).predict_proba(["good film"])
    assert not np.array_equal(first, other)


def test_a_foreign_file_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"nothing")
    with pytest.raises(ArtifactError):
        Classifier.load(path)
