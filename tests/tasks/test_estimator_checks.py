"""scikit-learn's own checks of estimators, on what they can be run: numbers in two dimensions."""

from __future__ import annotations

from sklearn.utils.estimator_checks import parametrize_with_checks

from relembra.tasks import Classifier

# Each with the reason why it cannot hold; docs/reference.md says the same.
EXCEPTIONS: dict[str, str] = {}


def quick():
    """Return a classifier that learns small data in a moment."""
    model = Classifier().set_params(trunk__units=8, training__steps=60, training__warmup=5)
    return model.set_params(training__learning_rate=0.03, training__average=0.9)


@parametrize_with_checks([quick()], expected_failed_checks=lambda estimator: EXCEPTIONS)
def test_the_contract_of_scikit_learn(estimator, check):
    check(estimator)
