"""The contract of scikit-learn's estimators."""

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from tests.tasks.small import digest, tiny, wave

from relembra._errors import ConfigError
from relembra.evaluation import RollingOrigin, mase
from relembra.nn import Trunk
from relembra.tasks import Forecaster
from relembra.training import Training

STEPS = 80
X = np.random.default_rng(0).standard_normal((STEPS, 2))


def test_the_constructor_only_stores():
    trunk, training = Trunk(units=3), Training(steps=1)
    model = Forecaster(-5, levels="nonsense", trunk=trunk, training=training)
    assert model.horizon == -5
    assert model.trunk is trunk
    assert model.training is training
    assert model.get_params(deep=False)["levels"] == "nonsense"


def test_get_and_set_params():
    model = Forecaster()
    assert model.get_params()["trunk__units"] == model.trunk.units
    assert "trunk__units" not in model.get_params(deep=False)
    old = model.trunk
    assert model.set_params(trunk__units=7, horizon=3, training__steps=9) is model
    assert (model.trunk.units, model.horizon, model.training.steps) == (7, 3, 9)
    assert old.units != 7  # settings are frozen: a changed copy took its place
    assert Forecaster().trunk.units == old.units


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("horizn", "Forecaster has no parameter 'horizn'; did you mean 'horizon'?"),
        ("trunk__unit", "Trunk has no setting 'unit'; did you mean 'units'?"),
        ("training__step", "Training has no setting 'step'; did you mean 'steps'?"),
        ("columns__targets", "Columns has no setting 'targets'; did you mean 'target'?"),
        ("horizon__x", "horizon is None, which has no setting 'x'"),
        ("zzz", "Forecaster has no parameter 'zzz'; known: columns, context, frequency"),
    ],
)
def test_unknown_names_name_the_nearest(name, message):
    with pytest.raises(ConfigError) as caught:
        Forecaster().set_params(**{name: 1})
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"horizon": 0}, "the horizon must be a whole number of at least 1 step, got 0"),
        ({"horizon": 2.5}, "the horizon must be a whole number of at least 1 step, got 2.5"),
        ({"horizon": "4"}, "the horizon must be a whole number of at least 1 step, got '4'"),
        ({"context": 1}, "the context must be a whole number of at least 2 steps, got 1"),
        ({"seasons": 8}, r"seasons must be a tuple of periods, as \(24, 168\), got 8"),
        ({"seasons": (0,)}, "a season must be a whole number of at least 1 step, got 0"),
        ({"space": "sqrt"}, "unknown space 'sqrt'; known: auto, log, linear"),
        ({"levels": (0.1, 0.9)}, "quantile levels must include the median 0.5"),
        ({"levels": ("a",)}, "quantile levels must be numbers between 0 and 1"),
        ({"trunk": "lstm"}, r"trunk must be Trunk\(...\), got 'lstm'"),
        ({"training": None}, r"training must be Training\(...\), got None"),
    ],
)
def test_parameters_are_checked_in_fit(parameters, message):
    model = tiny().set_params(**parameters)
    with pytest.raises(ConfigError, match=message):
        model.fit(wave())


def test_clone_is_unfitted_and_equal():
    model = tiny(trunk={"dropout": 0.1}).fit(wave())
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "fitted_")
    assert digest(copy.fit(wave())) == digest(model)


def test_fit_returns_self_and_needs_to_come_first(tmp_path):
    model = tiny()
    for call in (model.predict, model.forecast, lambda: model.score(wave())):
        with pytest.raises(NotFittedError, match="not fitted yet; call fit first"):
            call()
    with pytest.raises(NotFittedError):
        model.save(tmp_path / "model.safetensors")
    assert model.fit(wave()) is model


def test_shapes_of_what_predict_returns():
    one = tiny().fit(wave())
    assert one.predict().shape == (4,)
    assert one.predict(wave(seed=1)).shape == (4,)
    assert one.predict(list(wave(seed=1))).shape == (4,)
    assert one.predict(np.stack([wave(seed=s) for s in range(3)])).shape == (3, 4)
    many = tiny().fit(np.stack([wave(seed=s) for s in range(3)]))
    assert many.predict().shape == (3, 4)
    with_covariates = tiny().fit(X, wave(STEPS))
    assert with_covariates.predict(X[:3]).shape == (3,)
    without = tiny().fit(None, wave(STEPS))
    assert np.array_equal(without.predict(np.empty((4, 0))), without.predict())


def test_the_score_is_the_negative_mase():
    y = wave(STEPS)
    model = tiny().fit(X[:76], y[:76])
    expected = -mase(y[76:], model.predict(X[76:]), y[:76], 8)
    assert model.score(X[76:], y[76:]) == pytest.approx(expected)
    plain = tiny().fit(y[:76])
    assert plain.score(y) == pytest.approx(-mase(y[76:], plain.predict(), y[:76], 8))
    both = plain.score(np.stack([y, y[::-1]]))
    each = [plain.score(y), plain.score(y[::-1].copy())]
    assert both == pytest.approx(np.mean(each), rel=1e-5)


def test_the_score_of_a_flat_history_is_undefined():
    model = tiny().fit(wave())
    assert np.isnan(model.score(np.full(64, 5.0)))
    assert not np.isnan(model.score(np.stack([np.full(64, 5.0), wave()])))


def test_cross_validation_over_rolling_origins():
    y, cv = wave(STEPS), RollingOrigin(n_splits=3, horizon=4)
    scores = cross_val_score(tiny(), X, y, cv=cv, error_score="raise")
    assert scores.shape == (3,)
    for score, (train, test) in zip(scores, cv.split(X), strict=True):
        model = tiny().fit(X[train], y[train])
        assert score == model.score(X[test], y[test])


def test_grid_search():
    search = GridSearchCV(
        tiny(),
        {"trunk__units": np.array([2, 3]), "context": [8, 16], "trunk__cell": ["gru"]},
        cv=RollingOrigin(n_splits=2, horizon=4),
        error_score="raise",
    ).fit(X, wave(STEPS))
    assert len(search.cv_results_["params"]) == 4
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    best = search.best_estimator_
    assert (best.trunk.units, best.context) == (
        search.best_params_["trunk__units"],
        search.best_params_["context"],
    )
    assert search.predict(X[:4]).shape == (4,)


def test_joblib_takes_models_to_processes_and_back(tmp_path):
    model = tiny().fit(X, wave(STEPS))
    path = tmp_path / "model.joblib"
    joblib.dump(model, path)
    assert digest(joblib.load(path)) == digest(model)
    jobs = joblib.Parallel(n_jobs=2)(joblib.delayed(model.predict)(X[i : i + 4]) for i in range(2))
    for i, forecast in enumerate(jobs):
        assert np.array_equal(forecast, model.predict(X[i : i + 4]))
