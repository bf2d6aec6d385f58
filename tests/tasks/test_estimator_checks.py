"""scikit-learn's own checks of estimators, on what they can be run: numbers in two dimensions.

The others are outside of them: a tagger's y has a tag for each step, a language model has no y, a
forecaster's rows are points in time. `test_in_searches.py` has what holds for all.
"""

from __future__ import annotations

from sklearn.utils.estimator_checks import check_estimator

from relembra.tasks import Classifier

OTHER_LENGTHS = "a row of X (n, T) is a sequence, and one of another length is as good"
EXCEPTIONS = {
    "check_n_features_in_after_fitting": OTHER_LENGTHS,
    "check_classifiers_train": f"{OTHER_LENGTHS}: all but its last assertion holds",
    "check_dtype_object": "an object that is no number is a DataError, which is a ValueError; the "
    "check wants a TypeError",
}  # docs/how-to.md says the same


def test_the_contract_of_scikit_learn():
    model = Classifier().set_params(
        trunk__units=8, training__steps=60, training__warmup=5, training__learning_rate=0.03,
        training__average=0.9,
    )  # fmt: skip
    found = check_estimator(model, expected_failed_checks=EXCEPTIONS, on_skip=None, on_fail=None)
    wrong = {one["check_name"]: one["exception"] for one in found if one["status"] == "failed"}
    assert wrong == {}
    failed = {one["check_name"] for one in found if one["status"] == "xfail"}
    assert failed == set(EXCEPTIONS)  # an exception that is none any more has to go
    assert len(found) > 40
