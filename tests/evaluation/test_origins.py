"""Rolling origins of many series, and of one for scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV

from relembra import ConfigError, DataError
from relembra.evaluation import RollingOrigin, rolling_origins


def lists(arrays):
    return [array.tolist() for array in arrays]


def test_the_last_origin_leaves_one_horizon():
    assert lists(rolling_origins([10, 13], 3, 2)) == [[4, 7], [7, 10]]


def test_stride_and_least_history():
    assert lists(rolling_origins([10, 6, 5], 3, 3, stride=1, min_history=3)) == [[5, 6, 7], [3], []]


def test_series_shorter_than_the_horizon_have_no_origin():
    assert lists(rolling_origins([0, 2, 3, 4], 3, 2)) == [[], [], [], [1]]


def test_no_series_and_no_origins():
    assert rolling_origins([], 3, 2) == []
    assert lists(rolling_origins([9], 3, 0)) == [[]]


@pytest.mark.parametrize("wrong", [{"horizon": 0}, {"count": -1}, {"stride": 0}])
def test_options_that_make_no_sense_are_named(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        rolling_origins([9], **({"horizon": 2, "count": 1} | wrong))


def test_splits_train_on_the_past_alone():
    splits = RollingOrigin(3, 2, stride=1).split(np.zeros((8, 5)))
    assert [(len(train), test.tolist()) for train, test in splits] == [
        (4, [4, 5]),
        (5, [5, 6]),
        (6, [6, 7]),
    ]


def test_too_few_rows_are_an_error_with_the_number_needed():
    with pytest.raises(DataError, match="at least 7 are needed"):
        list(RollingOrigin(3, 2).split(range(6)))
    assert len(list(RollingOrigin(3, 2).split(range(7)))) == 3


def test_scikit_learn_takes_it_as_cv():
    X = np.arange(20.0)[:, None]  # noqa: N806
    search = GridSearchCV(Ridge(), {"alpha": [0.1, 10.0]}, cv=RollingOrigin(3, 4))
    search.fit(X, 2 * X[:, 0])
    assert search.n_splits_ == 3
    assert search.best_params_ == {"alpha": 0.1}
