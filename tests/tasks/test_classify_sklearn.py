"""The classifier among scikit-learn's tools."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from tests.tasks.test_classify import ramps, small, texts

from relembra.data import Labels, Texts


def test_cross_validation_of_lists_and_arrays():
    assert cross_val_score(small(), *texts(), cv=2).mean() > 0.7
    rows, y = ramps()
    same = np.stack([row[:4] for row in rows])  # (n, T, K)
    assert cross_val_score(small(), same, y, cv=2).mean() > 0.7
    assert cross_val_score(small(), rows, y, cv=2).mean() > 0.7


def test_a_search_sets_the_parts_of_the_trunk():
    grid = {"trunk__units": [2, np.int64(5)], "training__learning_rate": [0.02]}
    found = GridSearchCV(small(training__steps=5), grid, cv=2, n_jobs=1).fit(*texts(24))
    assert found.best_params_["trunk__units"] in (2, 5)
    assert found.best_estimator_.fitted_.network.trunk.settings.units in (2, 5)


@pytest.mark.parametrize("stratify", [False, True])
def test_labels_of_a_table_are_split_with_its_texts(stratify):
    rows, labels = texts(24)
    table, coded = Texts.of(rows, memory=0), Labels.of(labels)
    parts = train_test_split(table, coded, random_state=0, stratify=coded if stratify else None)
    expected = train_test_split(rows, labels, random_state=0, stratify=labels if stratify else None)
    assert [list(part) for part in parts] == expected
    assert isinstance(parts[3], Labels)
    model = small(training__steps=2).fit(parts[0], parts[2])
    assert model.score(parts[1], parts[3]) == model.score(expected[1], expected[3])


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_search_over_a_table_finds_what_it_finds_over_lists(jobs):
    rows, labels = texts(24)
    grid = {"trunk__units": [2, 5]}
    listed, stored = (
        GridSearchCV(small(training__steps=5), grid, cv=2, n_jobs=n, error_score="raise").fit(*data)
        for data, n in (((rows, labels), 1), ((Texts.of(rows, memory=0), Labels.of(labels)), jobs))
    )
    scores = [search.cv_results_["mean_test_score"].tolist() for search in (listed, stored)]
    assert scores[0] == scores[1]
    assert np.array_equal(listed.predict_proba(rows), stored.predict_proba(rows))


def test_the_end_of_a_pipeline():
    louder = FunctionTransformer(lambda texts: [text.replace("good", "great") for text in texts])
    model = make_pipeline(louder, small()).fit(*texts())
    assert model.predict(["good film"]).tolist() == ["pos"]
    assert model.predict_proba(["good film"]).shape == (1, 2)
