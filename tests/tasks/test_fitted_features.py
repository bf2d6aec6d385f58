"""Features that somebody fitted, through the jobs: scikit-learn copies them with the estimator."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from sklearn.base import clone
from tests.data.media import RATE, bar, tone
from tests.tasks.test_classify import ramps, small, texts
from tests.tasks.test_tagger import sentences
from tests.tasks.test_tagger import small as small_tagger

from relembra import ConfigError
from relembra.data import (
    Audio,
    Characters,
    Frames,
    ImageScan,
    ImageSequence,
    Ragged,
    Subwords,
    Symbols,
    WordCharacters,
    Words,
)
from relembra.tasks._sequence import Prepared, networks_of
from relembra.tasks.classify import ClassifyFiles, LabelledRows, run_classify
from relembra.tasks.tag import TagData, TagFiles, run_tag
from relembra.tasks.tune import OneOf, SearchSpace, tune
from relembra.training import Training

pytestmark = pytest.mark.usefixtures("unflushed_studies")

COUNT = 16
TEXTS = texts(COUNT)[0]
FRAMES = ramps(COUNT)[0]
TONES = [tone(1200 + i if i % 2 else 300 + i, 0.1) for i in range(COUNT)]
IMAGES = np.stack([bar(8 if i % 2 else 2, seed=i) for i in range(COUNT)])
CLIPS = np.stack([[bar(2 * t + i % 2, 16, 16, seed=i) for t in range(4)] for i in range(COUNT)])
WORDS, TAGS = sentences(COUNT)

FEATURES = [
    (Audio.fit(TONES, rate=RATE, bands=12), TONES),
    (Characters.fit(TEXTS), TEXTS),
    (Frames.fit(FRAMES), FRAMES),
    (ImageScan.fit(IMAGES, scan="columns"), IMAGES),
    (ImageSequence.fit(CLIPS), CLIPS),
    (Subwords.fit(TEXTS, size=270), TEXTS),
    (Symbols.fit(TEXTS), TEXTS),
    (WordCharacters.fit(TEXTS), TEXTS),
    (Words.fit(TEXTS), TEXTS),
]
TAGGED = [
    (
        Frames.fit(FRAMES),
        Ragged.of(FRAMES),
        [["up", "down", *["up"] * (len(r) - 2)] for r in FRAMES],
    ),
    (ImageSequence.fit(CLIPS), Ragged.of(CLIPS), [["in", "out", "in", "out"]] * COUNT),
    (WordCharacters.fit(WORDS), WORDS, TAGS),
    (Words.fit(WORDS), WORDS, TAGS),
]

EVERY = pytest.mark.parametrize(("feature", "rows"), FEATURES, ids=lambda v: type(v).__name__)


@EVERY
def test_a_classifier_through_the_whole_job(feature, rows, tmp_path) -> None:
    data = LabelledRows(rows, np.arange(COUNT) % 2, ())
    job = run_classify(
        small(features=feature, training__steps=2), data, ClassifyFiles(tmp_path), title="t"
    )
    assert job.files.model.exists() and job.files.report.exists()
    assert job.model.feature_.to_json() == feature.to_json()
    assert any(one.name.startswith("without memory") for one in job.found)


@pytest.mark.parametrize(("feature", "rows", "tags"), TAGGED, ids=lambda v: type(v).__name__)
def test_a_tagger_through_the_whole_job(feature, rows, tags, tmp_path) -> None:
    model = small_tagger(features=feature, training=Training(epochs=1, batch_size=8))
    job = run_tag(model, TagData(rows, tags, ()), TagFiles(tmp_path), title="t")
    assert job.files.model.exists() and job.files.report.exists()
    assert job.model.feature_.to_json() == feature.to_json()


@EVERY
def test_a_classifier_in_a_search(feature, rows) -> None:
    model = small(features=feature, training__steps=2, validation=0.25)
    space = SearchSpace(units=OneOf((4, 5)))
    found = tune(model, rows, np.arange(COUNT) % 2, space=space, trials=2)
    assert len(found.trials) == 2
    assert found.model.features.to_json() == feature.to_json()


def test_a_tagger_in_a_search() -> None:
    for feature, rows, tags in TAGGED[::2]:
        model = small_tagger(features=feature, training=Training(epochs=1), validation=0.25)
        found = tune(model, rows, tags, space=SearchSpace(units=OneOf((4, 5))), trials=2)
        assert len(found.trials) == 2


@EVERY
def test_what_was_made_ready_is_for_copies_and_for_no_other_feature(feature, rows) -> None:
    ready, _ = small(features=feature).prepared(rows, None, None)
    for _, model in networks_of(small(features=feature).settled(rows), compare=True):
        ready.check(clone(model))
    others = [other for other, _ in FEATURES if other is not feature]
    for other in [*others, type(feature).kind, None]:
        with pytest.raises(ConfigError, match="X was made ready for features="):
            ready.check(small(features=other))


def test_features_differ_by_their_tensors_too() -> None:
    one = Frames.fit(FRAMES)
    for other in (
        Frames(one.mean + 1e-9, one.scale, one.gaps),
        Frames(one.mean.float(), one.scale, one.gaps),
        Frames(one.mean, torch.ones(3, dtype=torch.float64), one.gaps),
        Frames(one.mean, one.scale, True),
    ):
        with pytest.raises(ConfigError, match="made ready for features"):
            Prepared({"features": one}).check(small(features=other))
    Prepared({"features": one}).check(small(features=deepcopy(one)))


def test_what_was_made_ready_equals_itself_alone() -> None:
    """Rows and tensors have no truth value to compare by, and a dict no hash."""
    classify = small(features="words")
    first, second = (classify.prepared(TEXTS, None, None)[0] for _ in range(2))
    assert first == first and first != second
    tagger = small_tagger()
    one, two = (tagger.prepared(WORDS, TAGS, None)[0] for _ in range(2))
    assert one == one and one != two and one.examples != two.examples
    assert len({first, second, one, two}) == 4
