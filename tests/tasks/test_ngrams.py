"""Runs of symbols, each with a weight, beside the network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.tasks.test_classify import small, texts

from relembra.data import Characters, Frames, Symbols, Words
from relembra.tasks import Classifier
from relembra.tasks.classify._calibration import fit_mixture
from relembra.tasks.classify._ngram_fitting import fit_ngrams, longest_run
from relembra.tasks.classify._ngrams import NGramPath

ROWS = ["a b c", "b a", "c c a b", "a", "", "b c a b c"]
TRUTH = np.array([0, 1, 0, 1, 0, 1])


def fitted(feature, rows=ROWS, truth=TRUTH, longest=2, **options):
    encoded = feature.encode(rows)
    numbers = np.arange(len(rows))
    path = fit_ngrams(feature, encoded, truth, int(truth.max()) + 1, numbers, longest=longest,
                      **options)  # fmt: skip
    return path, encoded


def by_hand(path, ids):
    """Return the scores of one row by looking up each run as a tuple of symbols."""
    known = {(): 0}
    weights = {}
    for length in range(1, path.longest + 1):
        codes = path.get_buffer(f"codes{length}").tolist()
        before = {place: run for run, place in known.items()}
        known = {}
        for place, code in enumerate(codes):
            run = (*before[code // path.symbols], code % path.symbols)
            known[run] = place
            weights[run] = path.get_buffer(f"weights{length}")[place, :-1].double()
    total, count = torch.zeros(len(path.bias), dtype=torch.float64), 0
    for length in range(1, path.longest + 1):
        for begin in range(len(ids) - length + 1):
            run = tuple(ids[begin : begin + length])
            if run in weights:
                total, count = total + weights[run], count + 1
    return path.bias.double() + total / max(count, 1) ** 0.5


@pytest.mark.parametrize(("feature", "longest"), [(Words, 2), (Words, 3), (Characters, 4)])
def test_scores_are_the_sum_of_the_known_runs(feature, longest):
    feature = feature.fit(ROWS)
    path, _ = fitted(feature, longest=longest)
    others = [*ROWS, "c a x b a", "x x", "b b b b"]
    encoded = feature.encode(others)
    inputs = encoded.batch(np.arange(len(others)))
    found = path(inputs.values["ids"], inputs.lengths)
    for row, scores in zip(range(len(others)), found, strict=True):
        ids = inputs.values["ids"][row, : inputs.lengths[row]].tolist()
        assert scores.numpy() == pytest.approx(by_hand(path, ids).numpy(), abs=1e-6)


def test_a_row_has_the_same_bits_in_any_company():
    feature = Words.fit(ROWS)
    path, encoded = fitted(feature)
    inputs = encoded.batch(np.arange(len(ROWS)))
    together = path(inputs.values["ids"], inputs.lengths)
    for row in range(len(ROWS)):
        one = encoded.batch([row])
        assert torch.equal(path(one.values["ids"], one.lengths)[0], together[row])


def test_pairs_decide_where_words_do_not():
    rows, truth = ["x a b", "a b y", "b a x", "y b a"] * 4, np.array([0, 0, 1, 1] * 4)
    feature = Words.fit(rows)
    path, encoded = fitted(feature, rows, truth)
    inputs = encoded.batch(np.arange(len(rows)))
    assert path(inputs.values["ids"], inputs.lengths).argmax(1).tolist() == truth.tolist()
    path, _ = fitted(feature, rows, truth, longest=1)
    scores = path(inputs.values["ids"], inputs.lengths)
    assert torch.allclose(scores[0], scores[2], atol=1e-5)


def test_a_word_leans_to_where_words_spelled_like_it_belong():
    rows = ["jumped", "jumping", "jumper", "walked", "walking", "walker", "jumps", "jumps"]
    truth = np.array([0, 0, 0, 1, 1, 1, 0, 1])
    path, encoded = fitted(Words.fit(rows), rows, truth, longest=1)
    inputs = encoded.batch([6])
    scores = path(inputs.values["ids"], inputs.lengths)[0]
    assert scores[0] - scores[1] > 0.1


def test_tables_are_bounded_and_keep_the_frequent(monkeypatch):
    monkeypatch.setattr("relembra.tasks.classify._ngram_fitting._MOST_WEIGHTS", 4 * 3)
    feature = Words.fit(ROWS)
    path, _ = fitted(feature)
    a, b, c = feature.ids("a b c").tolist()
    assert path.get_buffer("codes1").tolist() == [2, 3, 4]
    pairs = [(a, b), (b, c), (c, a)]  # the others were seen once, and four is the most
    expected = sorted((x - 2) * path.symbols + y for x, y in pairs)
    assert path.get_buffer("codes2").tolist() == expected


def test_rows_are_left_out_of_too_many(monkeypatch):
    monkeypatch.setattr("relembra.tasks.classify._ngram_fitting._MOST_STEPS", 5)
    path, _ = fitted(Words.fit(ROWS))
    assert 0 < len(path.get_buffer("codes2")) < 5


def test_without_symbols_there_is_nothing():
    feature = Words.fit(ROWS)
    assert fit_ngrams(feature, feature.encode(["", ""]), np.array([0, 1]), 2, np.arange(2),
                      longest=2) is None  # fmt: skip
    model = small(training__steps=2).fit(["", ""] * 10, [0, 1] * 10)
    assert model.fitted_.network.ngrams is None


def test_how_long_runs_are():
    features = [
        Words.fit(ROWS),
        Characters.fit(ROWS),
        Symbols.fit(ROWS),
        Frames.fit([[0.0], [1.0]]),
    ]
    assert [longest_run(feature) for feature in features] == [2, 4, 3, 0]


def test_rare_classes_count_alike_when_balanced():
    rows, truth = ["a"] * 9 + ["a b"], np.array([0] * 9 + [1])
    feature = Words.fit(rows)
    inputs = feature.encode(["a"]).batch([0])
    scores = [
        fitted(feature, rows, truth, class_weight=weight)[0](inputs.values["ids"], inputs.lengths)
        for weight in (None, "balanced")
    ]
    assert scores[1][0, 1] - scores[1][0, 0] > scores[0][0, 1] - scores[0][0, 0]


def test_a_mixture_trusts_what_is_right():
    truth = np.arange(400) % 2
    right = np.where(truth[:, None] == np.arange(2), 2.0, 0.0)
    noise = np.random.default_rng(0).standard_normal((400, 2))
    first, second = fit_mixture(noise, right, truth)
    assert first < 0.4 < 1 < second
    first, second = fit_mixture(right, noise, truth)
    assert second < 0.7 < first


@pytest.mark.parametrize("features", ["words", "characters", "words+characters", "symbols"])
def test_it_is_saved_with_the_model(features, tmp_path):
    rows, labels = texts(20)
    model = small(features=features, training__steps=2, ngrams=2).fit(rows, labels)
    assert isinstance(model.fitted_.network.ngrams, NGramPath)
    model.save(tmp_path / "model.safetensors")
    loaded = Classifier.load(tmp_path / "model.safetensors")
    assert np.array_equal(loaded.predict_proba(rows), model.predict_proba(rows))
    plain = small(features=features, training__steps=2, ngrams=0).fit(rows, labels)
    assert plain.fitted_.network.ngrams is None
