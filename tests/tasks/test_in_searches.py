"""Every estimator in scikit-learn's pipelines, cross validation and searches.

The classifier has more of them in `test_classify_sklearn.py`, the forecaster in `test_sklearn.py`.
"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from tests.tasks import small as forecasting
from tests.tasks.generate.small import tiny as language_model
from tests.tasks.test_classify import small as classifier
from tests.tasks.test_classify import texts
from tests.tasks.test_tagger import sentences
from tests.tasks.test_tagger import small as tagger

from relembra._config import replace

LINES = ["the quick queen quits quietly\n" * 20, "the red fox runs far from the den\n" * 20] * 2


def cases():
    X, y = texts(24)
    yield "classifier", classifier(training__steps=5), X, y, 2
    words, tags = sentences(12)
    quick = tagger()
    quick.training = replace(quick.training, epochs=1)
    yield "tagger", quick, words, tags, 2
    yield "language model", language_model(training={"steps": 3}), LINES, None, 2
    drivers = np.random.default_rng(0).standard_normal((80, 2))
    yield "forecaster", forecasting.tiny(), drivers, drivers.sum(1), TimeSeriesSplit(2, test_size=4)


CASES = pytest.mark.parametrize(
    ("estimator", "X", "y", "cv"), [pytest.param(*case[1:], id=case[0]) for case in cases()]
)


@CASES
def test_cross_validation_at_the_end_of_a_pipeline(estimator, X, y, cv):  # noqa: N803
    model = Pipeline([("same", FunctionTransformer()), ("model", estimator)])
    scores = cross_val_score(model, X, y, cv=cv, error_score="raise")
    assert scores.shape == (2,)
    assert np.isfinite(scores).all()
    assert np.array_equal(scores, cross_val_score(estimator, X, y, cv=cv, error_score="raise"))


@CASES
def test_a_search_finds_the_best_of_two_sizes(estimator, X, y, cv):  # noqa: N803
    model = Pipeline([("same", FunctionTransformer()), ("model", estimator)])
    search = GridSearchCV(model, {"model__trunk__units": [2, 5]}, cv=cv, error_score="raise")
    search.fit(X, y)
    best = search.best_params_["model__trunk__units"]
    assert best == [2, 5][int(np.argmax(search.cv_results_["mean_test_score"]))]
    found = search.best_estimator_["model"]
    assert getattr(found, "recipe_", found).trunk.units == best
