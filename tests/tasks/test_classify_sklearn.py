"""The classifier among scikit-learn's tools."""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from tests.tasks.test_classify import ramps, small, texts


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


def test_the_end_of_a_pipeline():
    louder = FunctionTransformer(lambda texts: [text.replace("good", "great") for text in texts])
    model = make_pipeline(louder, small()).fit(*texts())
    assert model.predict(["good film"]).tolist() == ["pos"]
    assert model.predict_proba(["good film"]).shape == (1, 2)
