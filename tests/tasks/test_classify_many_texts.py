"""Tables of very many texts: the same results in little memory, and what is left out is told."""

from __future__ import annotations

import numpy as np
import pytest
from tests.tasks.test_classify import small, texts

from relembra import ConfigError, DataError
from relembra.data import Labels, Ragged, Texts, WordCharacters, Words
from relembra.tasks import Classifier
from relembra.tasks._sequence import hold_out
from relembra.tasks.classify import (
    BagOfWords,
    ClassifyFiles,
    LabelledRows,
    Majority,
    baselines_of,
    evaluate_all,
    run_classify,
)
from relembra.tasks.classify import _baselines as baselines
from relembra.tasks.classify import _evaluation as evaluation
from relembra.tasks.classify import _features as features
from relembra.tasks.classify import _ngram_fitting as ngrams

ROWS, LABELS = texts(80)


def table(rows=ROWS, labels=LABELS, memory=0):
    """Return texts and labels as a table is read."""
    return LabelledRows(Texts.of(rows, memory=memory), Labels.of(labels), ("read for a test",))


def state(model):
    """Return all that a model has learned."""
    return {name: tensor.numpy() for name, tensor in model.fitted_.network.state_dict().items()}


@pytest.mark.parametrize("kind", ["words", "characters", "words+characters", "subwords", "symbols"])
def test_a_model_learns_the_same_from_a_table_as_from_lists(kind) -> None:
    data = table()
    listed = small(features=kind, training__steps=5).fit(ROWS, LABELS)
    stored = small(features=kind, training__steps=5).fit(data.rows, data.labels)
    assert stored.classes_.tolist() == listed.classes_.tolist() == ["neg", "pos"]
    assert stored.class_counts_.tolist() == listed.class_counts_.tolist() == [40, 40]
    assert stored.fitted_.temperature == listed.fitted_.temperature
    expected = state(listed)
    assert all(np.array_equal(array, expected[name]) for name, array in state(stored).items())
    assert np.array_equal(stored.predict_proba(data.rows), listed.predict_proba(ROWS))
    assert np.array_equal(stored.predict(data.rows[5:9]), listed.predict(ROWS[5:9]))
    assert stored.notes_ == listed.notes_ == ()


def test_parts_of_a_table_are_no_copies_and_the_same_rows_as_ever() -> None:
    data = table()
    kept, held = data.split(0.25, seed=3)
    assert kept.rows.raw is held.rows.raw is data.rows.raw
    for part, numbers in zip((kept, held), hold_out(80, 0.25, 3, labels=LABELS), strict=True):
        assert list(part.rows) == [ROWS[i] for i in numbers]
        assert list(part.labels) == [LABELS[i] for i in numbers]
    again, _ = kept.split(0.5, seed=1)
    assert set(again.rows) < set(kept.rows)


def test_held_out_rows_are_those_of_the_first_day() -> None:
    kept, held = hold_out(12, 0.3, 5, labels=list("abacabadabac"))
    assert (kept.tolist(), held.tolist()) == ([1, 2, 3, 6, 7, 8, 9, 10], [0, 4, 5, 11])
    kept, held = hold_out(8, 0.3, 5)
    assert (kept.tolist(), held.tolist()) == ([0, 1, 2, 3, 5, 7], [4, 6])
    for labels in (np.array(list("abacabadabac")), Labels.of([*"abacabadabac", "e"])[:12]):
        assert hold_out(12, 0.3, 5, labels=labels)[1].tolist() == [0, 4, 5, 11]


@pytest.fixture
def few(monkeypatch):
    """Let forty words be very many."""
    for module, name, value in (
        (features, "_MOST_WORDS", 12), (features, "_TAKEN", 6), (features, "_MOST_BYTES", 700),
        (ngrams, "_MOST_STEPS", 100), (ngrams, "_MANY", 150), (ngrams, "_FEW_STEPS", 100),
        (ngrams, "_FEW_WEIGHTS", 30), (baselines, "_MOST_BYTES", 700), (baselines, "_WEIGHTS", 999),
        (baselines, "_CHUNK", 7), (evaluation, "_CELLS", 10),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, value)


def run(folder, data, **options):
    said: list[str] = []
    folder.mkdir(exist_ok=True)
    job = run_classify(
        small(training__steps=8), data, ClassifyFiles(folder), title="test", compare=False,
        say=said.append, **options,
    )  # fmt: skip
    return job, said


def test_what_is_left_out_is_told_everywhere(few, tmp_path) -> None:
    rows, labels = texts(200)
    job, said = run(tmp_path / "run", table(rows, labels))
    words, runs, bag = job.notes
    assert words == "words: the 6 most frequent ones are known, all others are unknown"
    assert runs.startswith("n-grams: learnt from ")
    assert runs.endswith(" of 160 rows, evenly chosen")
    assert bag.startswith("bag of words, logistic regression: learnt from ")
    assert " of 160 rows, chosen at random, with 1,000 weights for each label" in bag
    assert said[-3:] == list(job.notes)
    report = job.files.report.read_text()
    assert all(note in report for note in job.notes)
    loaded = Classifier.load(job.files.model)
    assert (loaded.notes_, loaded.feature_.size) == ((), 8)
    assert np.array_equal(loaded.predict(rows), job.model.predict(rows))


def test_few_texts_are_all_learnt_from(tmp_path) -> None:
    job, said = run(tmp_path / "run", table())
    assert job.notes == ()
    assert said == ["training: lstm", "training: bag of words, logistic regression"]


def test_subwords_are_learnt_from_some_of_the_texts(few) -> None:
    rows, labels = texts(200)
    data = table(rows, labels)
    model = small(features="subwords", training__steps=2, ngrams=0).fit(data.rows, data.labels)
    stride = sum(map(len, rows)) // 700 + 1
    assert model.notes_ == (f"pieces of words: learnt from one text in {stride}",)
    assert model.fit(rows, labels).notes_ == ()  # a list is in memory anyhow


def test_words_that_somebody_chose_are_not_told_to_be_left_out(few) -> None:
    data = table()
    model = small(features=Words.fit(ROWS, size=6), training__steps=2, ngrams=0)
    assert model.fit(data.rows, data.labels).notes_ == ()
    spelled = small(features="words+characters", training__steps=2, ngrams=0)
    assert spelled.fit(data.rows, data.labels).notes_ != ()
    assert isinstance(spelled.feature_, WordCharacters)
    assert len(spelled.feature_.characters.vocabulary) > 8  # letters are all known


def test_a_bag_of_some_rows_has_every_label_and_is_a_function_of_the_seed(few) -> None:
    rows, labels = texts(200)
    rows.append("one of its kind")
    labels.append("rare")
    data = table(rows, labels)
    feature = Words.fit(rows)
    bags = [BagOfWords(feature, data.rows, data.labels, share=0.2, seed=s) for s in (0, 0, 1)]
    assert bags[0].classes_.tolist() == ["neg", "pos", "rare"]
    assert "with 334 weights for each label" in bags[0].notes_[0]
    chances = [bag.predict_proba(rows) for bag in bags]
    assert np.array_equal(chances[0], chances[1])
    assert not np.array_equal(chances[0], chances[2])
    assert chances[0].sum(1) == pytest.approx(1)
    right = bags[0].predict(rows)[:200] == np.array(labels)[:200]
    assert right.mean() > 0.9


@pytest.mark.parametrize("kind", ["words", "characters"])
def test_a_bag_of_all_rows_is_what_scikit_learn_makes(kind) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    feature = features.fit_feature(kind, ROWS)
    found = BagOfWords(feature, ROWS, LABELS, share=0.2, seed=0)
    options = (
        {"analyzer": baselines._words_and_pairs}
        if kind == "words"
        else {"analyzer": "char", "ngram_range": (1, 3), "lowercase": False}
    )
    bag = TfidfVectorizer(**options, sublinear_tf=True)
    kept, held = hold_out(len(ROWS), 0.2, 0, labels=LABELS)
    some, truth = [ROWS[i] for i in kept], np.array(LABELS)
    early = bag.fit_transform(some)
    late = bag.transform([ROWS[i] for i in held])
    scores = [
        LogisticRegression(C=c, max_iter=300).fit(early, truth[kept]).score(late, truth[held])
        for c in (0.3, 1.0, 3.0, 10.0, 30.0)
    ]
    assert found.strength == (0.3, 1.0, 3.0, 10.0, 30.0)[int(np.argmax(scores))]
    model = LogisticRegression(C=found.strength, max_iter=300).fit(bag.fit_transform(ROWS), truth)
    assert np.array_equal(found.predict_proba(ROWS), model.predict_proba(bag.transform(ROWS)))
    assert found.predict(ROWS).tolist() == model.predict(bag.transform(ROWS)).tolist()
    assert found.predict_proba([]).shape == (0, 2)
    assert found.predict([]).tolist() == []


def test_scores_are_the_same_piece_by_piece(monkeypatch) -> None:
    rows, labels = texts(60, seed=4)
    labels[3] = "new"  # training never saw it
    model = small(training__steps=8).fit(ROWS, LABELS)
    models = [("model", model), *baselines_of(model, table())]
    whole = evaluate_all(models, rows, labels)
    monkeypatch.setattr(evaluation, "_CELLS", 10)
    data = table(rows, labels)
    for given, truth in ((rows, labels), (data.rows, data.labels)):
        for one, other in zip(whole, evaluate_all(models, given, truth), strict=True):
            assert one.to_dict() == other.to_dict()
            assert (one.labels, one.mistakes(9)) == (other.labels, other.mistakes(9))
            assert np.array_equal(one.scores.confusion, other.scores.confusion)
            assert one.scores.classes == other.scores.classes
            assert np.array_equal(one.confidence, other.confidence)
    assert whole[0].labels == ["neg", "new", "pos"]
    assert whole[0].scores.classes[1].label == "new"
    chances = model.predict_proba(rows)
    assert np.array_equal(whole[0].confidence, chances.max(1))
    columns = {"neg": 0, "pos": 1}
    own = [
        row[columns[name]] if name in columns else 0.0
        for row, name in zip(chances, labels, strict=True)
    ]
    assert whole[0].log_loss == -np.log(np.maximum(own, 1e-12)).mean()


def test_numbers_as_labels_are_scored_against_the_text_of_a_table() -> None:
    model = small(training__steps=2, ngrams=0).fit(ROWS, [int(label == "pos") for label in LABELS])
    data = table(labels=["1" if label == "pos" else "0" for label in LABELS])
    (found,) = evaluate_all([("model", model)], data.rows, data.labels)
    assert found.labels == ["0", "1"]
    assert found.scores.accuracy == np.mean(
        model.predict(ROWS).astype(str) == np.asarray(data.labels)
    )


def test_the_majority_of_coded_and_of_counted_labels() -> None:
    given = ["b", "c", "a", "c", "b"]
    listed, coded = Majority(given), Majority(Labels.of(given))
    counted = Majority.of_counts(np.array(["a", "b", "c"]), np.array([1, 2, 2]))
    for one in (listed, coded, counted):
        assert one.predict(["x"] * 2).tolist() == ["b", "b"]  # of two the first in order
        assert one.predict_proba(["x"]).tolist() == [[0.2, 0.4, 0.4]]
    assert Majority([3, 1, 1]).predict([0]).dtype == np.int64
    for nothing in ([], Labels.of([])):
        with pytest.raises(DataError, match="there are no labels"):
            Majority(nothing)


def test_rows_are_encoded_once_for_networks_and_scores(tmp_path, monkeypatch) -> None:
    encode, calls = Words.encode, []

    def counted(self, rows):
        calls.append(len(rows))
        return encode(self, rows)

    monkeypatch.setattr(Words, "encode", counted)
    run_classify(
        small(training__steps=2), table(), ClassifyFiles(tmp_path), title="test", share=0.25
    )
    assert [count for count in calls if count > 1] == [60, 20]  # and worst mistakes one by one


def test_a_search_encodes_its_rows_once(tmp_path, monkeypatch) -> None:
    data = table()
    model = small(training__steps=3)
    ready = model.prepared(data.rows, data.labels, tmp_path)
    monkeypatch.setattr(Words, "encode", None)
    fitted = model.fit(*ready)
    monkeypatch.undo()
    expected = state(small(training__steps=3).fit(ROWS, LABELS))
    assert all(np.array_equal(array, expected[name]) for name, array in state(fitted).items())
    assert not list(tmp_path.iterdir())
    with pytest.raises(ConfigError, match="X was made ready for features='auto'"):
        small(features="characters").fit(*ready)
    other = small(training__steps=3).fit(ROWS[:40], LABELS[:40])
    assert np.array_equal(other.predict_proba(ready[0]), other.predict_proba(ROWS))


@pytest.mark.parametrize("rows", [ROWS, np.array(ROWS, dtype=object)])
def test_texts_in_memory_are_prepared_as_well(rows, tmp_path) -> None:
    model = small(training__steps=2).fit(*small().prepared(rows, LABELS, tmp_path))
    assert np.array_equal(
        model.predict(rows), small(training__steps=2).fit(rows, LABELS).predict(rows)
    )


def test_an_array_that_was_prepared_still_tells_its_width(tmp_path) -> None:
    frames = np.random.default_rng(0).standard_normal((20, 5, 3))
    model = small(training__steps=2)
    model.fit(*model.prepared(frames, np.arange(20) % 2, tmp_path))
    assert model.n_features_in_ == 3
    ragged = Ragged.of(list(frames))
    assert np.array_equal(model.predict_proba(frames), model.predict_proba(ragged))


def test_labels_that_do_not_fit_are_refused() -> None:
    data = table()
    with pytest.raises(DataError, match=r"y has shape \(79,\); expected \(80,\)"):
        small().fit(data.rows, data.labels[:79])
    with pytest.raises(DataError, match="y has 1 class; expected two or more"):
        small().fit(data.rows[::2], data.labels[::2])
