"""The tagger: what it learns, and what its answers do not depend on."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone

from relembra import ArtifactError, ConfigError, DataError, OutputExistsError
from relembra._config import replace
from relembra.nn import Trunk
from relembra.tasks import Tagger
from relembra.tasks._sequence import Embedding
from relembra.tasks.tag import DEFAULT_TRAINING, training_for
from relembra.training import Training

SMALL = {
    "embedding": Embedding(size=8, characters=8, character_units=8, unknown_rate=0.3),
    "trunk": Trunk(units=12, bidirectional=True),
    "training": Training(epochs=15, batch_size=8, learning_rate=2e-2, evaluate_every=None),
}


def small(**changes) -> Tagger:
    return Tagger(**{**SMALL, **changes})


def sentences(count: int, seed: int = 0, names=("ana", "rui", "eva", "ivo")):
    """A name behind "to" or "from" is a span, of one or two words; elsewhere it is none."""
    draw = np.random.default_rng(seed)
    words, tags = [], []
    for _ in range(count):
        row, theirs = [], []
        for _ in range(draw.integers(1, 4)):
            way = str(draw.choice(["to", "from", "and"]))
            size = int(draw.integers(1, 3))
            row += [way, *(str(n) for n in draw.choice(names, size))]
            spans = ["O"] * size if way == "and" else [f"B-{way}", f"I-{way}"][:size]
            theirs += ["O", *spans]
        words.append(row)
        tags.append(theirs)
    return words, tags


@pytest.fixture(scope="module")
def fitted() -> Tagger:
    return small().fit(*sentences(120))


def test_spans_are_learned(fitted) -> None:
    X, y = sentences(30, seed=1)
    assert fitted.score(X, y) > 0.95
    assert fitted.fitted_.network.crf is not None
    assert fitted.classes_.tolist() == ["B-from", "B-to", "I-from", "I-to", "O"]


def test_probabilities_are_those_of_the_tags(fitted) -> None:
    X, _ = sentences(5, seed=2)
    chances = fitted.predict_proba(X)
    assert [row.shape for row in chances] == [(len(row), 5) for row in X]
    for row, tags in zip(chances, fitted.predict(X), strict=True):
        np.testing.assert_allclose(row.sum(1), 1.0, atol=1e-6)
        assert np.mean(fitted.classes_[row.argmax(1)] == tags) > 0.8


@pytest.mark.parametrize("crf", [True, False])
def test_a_sentence_is_tagged_alike_in_any_company(crf) -> None:
    X, y = sentences(40)
    model = small(crf=crf, training=Training(epochs=2, batch_size=8, evaluate_every=None)).fit(X, y)
    company, alone = model.predict(X), [model.predict([row])[0] for row in X]
    assert company == alone
    assert model.predict([*X[:7], X[3] * 40])[:7] == company[:7]  # much padding
    for many, one in zip(model.predict_proba(X), (model.predict_proba([r])[0] for r in X)):  # noqa: B905
        if crf:
            np.testing.assert_allclose(many, one, atol=1e-6)
        else:
            np.testing.assert_array_equal(many, one)


def test_a_chain_decides_where_only_neighbours_do() -> None:
    # A and B take turns, and the word "?" says nothing of its place: a step's tag follows from the
    # one before alone, which a network without memory cannot see.
    draw = np.random.default_rng(0)
    X, y = [], []
    for _ in range(80):
        first = int(draw.integers(2))
        y.append(["A" if (t + first) % 2 else "B" for t in range(8)])
        X.append([y[-1][0], *["?"] * 7])
    settings = {"trunk": Trunk(cell="feedforward", units=12), "validation": 0.0}
    assert small(crf=True, **settings).fit(X, y).score(X, y) == 1.0
    assert small(crf=False, **settings).fit(X, y).score(X, y) < 0.7


def test_unseen_words_are_tagged_by_their_letters() -> None:
    draw = np.random.default_rng(0)
    words = ["".join(draw.choice(list("abdfgklmnprst"), 4)) for _ in range(400)]
    tags = [str(tag) for tag in draw.choice(["ADV", "VERB"], 400)]
    words = [word + ("ly" if tag == "ADV" else "ed") for word, tag in zip(words, tags, strict=True)]
    X, y = ([row[i : i + 2] for i in range(0, 400, 2)] for row in (words, tags))
    assert not set(words[:300]) & set(words[300:])
    assert small().fit(X[:150], y[:150]).score(X[150:], y[150:]) > 0.95
    assert small(features="words").fit(X[:150], y[:150]).score(X[150:], y[150:]) < 0.8


def test_broken_spans_are_refused_or_repaired() -> None:
    X, y = sentences(60)
    y[7] = ["O", *("I-to" for _ in y[7][1:])]
    with pytest.raises(DataError, match=r"row 8 of y has 'I-to' at step 2.*repair=True"):
        small().fit(X, y)
    model = small(repair=True, training=Training(epochs=1, evaluate_every=None)).fit(X, y)
    assert "B-to" in model.classes_


def test_bioes_inside_answers_in_the_tags_of_the_data() -> None:
    X, y = sentences(120)
    model = small(scheme="bioes").fit(X, y)
    assert "E-to" in model.tag_set_.inner and "E-to" not in model.classes_
    assert model.score(*sentences(30, seed=1)) > 0.95
    chances = model.predict_proba(X[:3])
    assert chances[0].shape[1] == 5
    np.testing.assert_allclose(chances[0].sum(1), 1.0, atol=1e-6)


def frames(count: int, seed: int = 0, gaps: bool = False):
    """A wave that rises or falls, of unequal length: one frame says nothing of it."""
    draw = np.random.default_rng(seed)
    X, y = [], []
    for _ in range(count):
        moves = np.repeat(draw.choice([-1.0, 1.0], 4), draw.integers(3, 7, 4))
        values = np.cumsum(np.concatenate([[draw.normal()], moves]))[1:, None]
        if gaps:
            values[draw.random(len(values)) < 0.1] = np.nan
        X.append(np.concatenate([values, values**2 / 10], 1))
        y.append(np.where(moves > 0, 1, 0))
    return X, y


CAUSAL = {"trunk": Trunk(cell="gru", units=12), "validation": 0.0}


@pytest.mark.parametrize(("gaps", "convolutions"), [(False, 2), (True, 0), (True, 1)])
def test_a_stream_gives_the_bits_of_the_whole(gaps, convolutions) -> None:
    X, y = frames(40, gaps=gaps)
    model = small(**CAUSAL).set_params(embedding__convolutions=convolutions).fit(X, y)
    assert model.classes_.tolist() == [0, 1]
    whole = model.predict_proba(X[:3])
    for row, chances, tags in zip(X[:3], whole, model.predict(X[:3]), strict=True):
        stream = model.stream()
        found = [stream.push(frame) for frame in row]
        assert [tag for tag, _ in found] == tags
        np.testing.assert_array_equal(np.stack([p for _, p in found]), chances)


def test_few_sequences_are_learned_from_for_more_than_a_few_steps() -> None:
    X, y = sentences(40)
    model = Tagger().settled(X)
    assert model.training == training_for(40) and model.training.steps == 1500
    assert Tagger().settled([[]] * 4000).training == DEFAULT_TRAINING
    changed = Tagger().set_params(training__batch_size=4, training__seed=3)
    assert changed.seed == 3 and changed.settled(X).training == replace(
        training_for(40), batch_size=4, seed=3
    )
    large = Tagger().set_params(training__batch_size=64).settled([[]] * 3200).training
    assert (large.batch_size, large.steps) == (64, 1500)  # passes, not steps, are what counts


def test_the_training_that_was_used_is_in_the_file(tmp_path) -> None:
    X, y = sentences(20)
    few = {"training__steps": 3, "training__evaluate_every": 3, "trunk__units": 4}
    model = Tagger(crf=False).set_params(**few).fit(X, y)
    assert model.recipe_.training == replace(training_for(20), steps=3, evaluate_every=3)
    model.save(tmp_path / "model.safetensors")
    assert Tagger.load(tmp_path / "model.safetensors").training == model.recipe_.training


def test_a_stream_of_words() -> None:
    X, y = sentences(40)
    model = small(crf=False, trunk=Trunk(units=8)).fit(X, y)
    stream = model.stream()
    assert [stream.push(word)[0] for word in X[0]] == model.predict(X[:1])[0]
    with pytest.raises(DataError, match="expected a token"):
        stream.push(3)


def test_streams_are_refused_where_answers_look_ahead(fitted) -> None:
    with pytest.raises(ConfigError, match="chain"):
        fitted.stream()
    X, y = frames(8)
    both = small(training=Training(epochs=1, evaluate_every=None)).fit(X, y)
    with pytest.raises(ConfigError, match="both ways"):
        both.stream()


def test_known_segments_are_classified_as_a_whole() -> None:
    X, y = frames(60)
    segments, labels = [], []
    for tags in y:
        cuts = [0, *(np.flatnonzero(np.diff(tags)) + 1).tolist(), len(tags)]
        segments.append(list(zip(cuts[:-1], cuts[1:], strict=True)))
        labels.append([int(tags[begin]) for begin in cuts[:-1]])
    model = small(validation=0.0).fit(X[:50], labels[:50], segments=segments[:50])
    assert model.predict(X[50:], segments=segments[50:]) == labels[50:]
    assert model.score(X[50:], labels[50:], segments=segments[50:]) == 1.0
    steps = np.log(model.predict_proba(X[50:51])[0])
    begin, end = segments[50][1]
    total = np.exp(steps[begin:end].sum(0))
    found = model.predict_proba(X[50:51], segments=segments[50:51])[0][1]
    np.testing.assert_allclose(found, total / total.sum(), rtol=1e-6)
    with pytest.raises(DataError, match=r"row 1 has a segment from 2 to 2"):
        model.predict(X[:1], segments=[[(2, 2)]])
    with pytest.raises(ConfigError, match="crf=False"):
        small(crf=True).fit(X, labels, segments=segments)


def test_saved_in_another_process_the_bits_are_the_same(tmp_path) -> None:
    X, y = sentences(40)
    model = small(scheme="bioes", training=Training(epochs=2, evaluate_every=None)).fit(X, y)
    model.save(tmp_path / "model.safetensors")
    np.savez(tmp_path / "ours.npz", *model.predict_proba(X[:5]))
    code = f"""
import json, numpy as np
from relembra.tasks import Tagger
model = Tagger.load({str(tmp_path / "model.safetensors")!r})
X = {X[:5]!r}
ours = np.load({str(tmp_path / "ours.npz")!r})
assert all((a == b).all() for a, b in zip(model.predict_proba(X), ours.values()))
print(json.dumps(model.predict(X)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(model.predict(X[:5])).replace("'", '"')
    with pytest.raises(OutputExistsError):
        model.save(tmp_path / "model.safetensors")


def test_a_damaged_file_is_an_artifact_error(tmp_path) -> None:
    X, y = sentences(10)
    model = small(training=Training(epochs=1, evaluate_every=None)).fit(X, y)
    del model.fitted_.network.head.bias
    model.save(tmp_path / "model.safetensors")
    with pytest.raises(ArtifactError, match="do not fit together"):
        Tagger.load(tmp_path / "model.safetensors")


class _Stop(Exception):  # noqa: N818
    pass


def test_killed_and_resumed_the_weights_are_the_same(tmp_path) -> None:
    X, y = sentences(60)
    training = Training(epochs=3, batch_size=8, evaluate_every=None, checkpoint_every=5)
    model = small(training=training, trunk=Trunk(units=8, dropout=0.3, bidirectional=True))
    whole = clone(model).fit(X, y)
    seen = []

    def kill(event) -> None:
        seen.append(event)
        if len([e for e in seen if type(e).__name__ == "StepDone"]) == 13:
            raise _Stop

    with pytest.raises(_Stop):
        clone(model).fit(X, y, directory=tmp_path, subscribers=[kill])
    with pytest.raises(OutputExistsError):
        clone(model).fit(X, y, directory=tmp_path)
    resumed = clone(model).fit(X, y, directory=tmp_path, resume=True)
    ours, theirs = (m.fitted_.network.state_dict() for m in (resumed, whole))
    assert all((ours[name] == theirs[name]).all() for name in theirs)
    with pytest.raises(ArtifactError, match="crf"):
        clone(model).set_params(crf=False).fit(X, y, directory=tmp_path, resume=True)


def test_parameters_follow_scikit_learn() -> None:
    model = small()
    copy = clone(model).set_params(trunk__units=5, crf=False)
    assert copy.trunk.units == 5 and model.trunk.units == 12
    assert "validation" in copy.get_params()
    with pytest.raises(ConfigError, match="did you mean 'scheme'"):
        model.set_params(schema="bio")


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        ("text", [["A"]], "a list of sequences"),
        (["a text"], [["A"]], "expected a list of its tokens"),
        ([["a"]], [["A", "B"]], "row 1 has 1 steps in X and 2 tags in y"),
        ([["a"]], [["A"], ["B"]], "y has 2 rows; expected 1"),
        ([["a"]], ["A"], "row 1 of y is 'A'"),
        ([["a"]], [[0.5]], "row 1 of y has 0.5 at step 1"),
        ([[]], [[]], "no step"),
    ],
)
def test_data_that_does_not_fit_is_named(X, y, message) -> None:  # noqa: N803
    with pytest.raises(DataError, match=message):
        small().fit(X, y)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"crf": "yes"}, "crf is 'yes'"),
        ({"scheme": "iob"}, "scheme is 'iob'"),
        ({"features": "letters"}, "unknown features 'letters'"),
        ({"trunk": 12}, "trunk must be Trunk"),
    ],
)
def test_parameters_that_make_no_sense_are_named(changes, message) -> None:
    with pytest.raises(ConfigError, match=message):
        small(**changes).fit([["a"]], [["A"]])


def test_rows_without_steps_are_answered_with_none(fitted) -> None:
    assert fitted.predict([[], ["to", "ana"], []]) == [[], ["O", "B-to"], []]


def test_steps_with_tags_are_not_moved() -> None:
    with pytest.raises(ConfigError, match="embedding__tempo moves steps"):
        small(embedding=Embedding(tempo=0.2)).fit(*sentences(10))
