"""The estimator: one label for each sequence."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin

from relembra._errors import ConfigError, DataError
from relembra.data import Feature
from relembra.nn import PoolingKind, Trunk
from relembra.tasks._sequence import (
    Embedding,
    SettingsEstimator,
    load_sequence_model,
    rebuilding,
    save_sequence_model,
)
from relembra.tasks.classify._calibration import softmax
from relembra.tasks.classify._features import fit_feature, rows_of
from relembra.tasks.classify._fitting import (
    ClassWeight,
    Fitted,
    Recipe,
    class_scores,
    fit_network,
    make_network,
)
from relembra.tasks.classify._saliency import Saliency, explain, pieces_of
from relembra.tasks.classify._settings import DEFAULT_EMBEDDING, DEFAULT_TRAINING, DEFAULT_TRUNK
from relembra.tasks.classify._stream import ClassStream
from relembra.training import Subscriber, Training

__all__ = ["Classifier"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

_JOB = "classify"


class Classifier(ClassifierMixin, SettingsEstimator):  # type: ignore[misc]
    """Give each sequence one label: texts, symbols, numbers, recordings, images, videos.

    X is a list of n texts, or of n arrays ``(T_i, K)`` or ``(T_i,)``, or an array ``(n, T, K)`` or
    ``(n, T)``: NaN is a missing value; or a list of n paths (`pathlib.Path`) of recordings, images,
    videos or folders of images. y holds n labels, numbers or strings. `score` is the accuracy.

    Parameters
    ----------
    features
        ``auto`` takes words of texts, numbers as frames, and of paths what their endings say; or
        ``words``, ``characters``, ``words+characters``, ``subwords`` (needs
        ``relembra[subwords]``), ``symbols`` (an alphabet, of which any other letter is an error),
        ``frames``; ``audio`` (needs ``relembra[audio]``); ``rows``, ``columns`` or ``pixels`` of
        images, files or arrays ``(H, W)`` or ``(H, W, 3)`` (files need ``relembra[images]``);
        ``clips``, sequences of images; or a feature of `relembra.data`, fitted with other settings.
    pooling
        How the steps become one vector: ``last``, ``mean``, ``max`` or ``attention``.
    class_weight
        ``balanced`` makes rare classes count as much as frequent ones.
    validation
        Share of the rows, of each class alike, that training does not learn from: when the error
        there no longer falls, it stops. 0 trains for all steps.
    calibrate
        Whether the probabilities are made to deserve their confidence on the held-out rows.
    embedding, trunk, training
        The network, and how it is trained.

    Attributes
    ----------
    classes_
        The labels, sorted.
    class_counts_
        (K,) rows of each label in the training data.
    feature_
        The fitted feature.
    fitted_
        The network, its temperature and the history of its training.

    Examples
    --------
    >>> texts = ["a good film", "good fun", "a bad film", "bad and dull"] * 5
    >>> model = Classifier().set_params(trunk__units=8, training__steps=30)
    >>> model = model.fit(texts, [1, 1, 0, 0] * 5)
    >>> model.predict(["good", "so bad"])
    array([1, 0])
    """

    def __init__(
        self,
        features: str | Feature = "auto",
        *,
        pooling: PoolingKind = "max",
        class_weight: ClassWeight = None,
        validation: float = 0.1,
        calibrate: bool = True,
        embedding: Embedding = DEFAULT_EMBEDDING,
        trunk: Trunk = DEFAULT_TRUNK,
        training: Training = DEFAULT_TRAINING,
    ) -> None:
        self.features = features
        self.pooling = pooling
        self.class_weight = class_weight
        self.validation = validation
        self.calibrate = calibrate
        self.embedding = embedding
        self.trunk = trunk
        self.training = training

    def fit(
        self,
        X: Any,  # noqa: N803  scikit-learn's name
        y: Any,
        *,
        directory: str | os.PathLike[str] | None = None,
        resume: bool = False,
        force: bool = False,
        subscribers: Sequence[Subscriber] = (),
    ) -> Self:
        """Train.

        Parameters
        ----------
        X, y
            See the class.
        directory
            Folder for checkpoints; None keeps none.
        resume, force
            Go on from the checkpoint that is there, or replace it.
        subscribers
            Told about the progress, such as `relembra.training.ProgressBar`.

        Raises
        ------
        DataError
            The data cannot be used, or has a single label.
        ConfigError
            A parameter makes no sense.
        OutputExistsError
            The directory holds a checkpoint, and neither `resume` nor `force` is given.
        """
        recipe = self._recipe()
        rows = rows_of(X)
        self.classes_, truth = _classes(y, len(rows))
        self.class_counts_ = np.bincount(truth, minlength=len(self.classes_))
        self.feature_ = fit_feature(self.features, rows)
        self.fitted_ = fit_network(
            self.feature_,
            self.feature_.encode(rows),
            truth,
            len(self.classes_),
            recipe,
            directory=directory,
            resume=resume,
            force=force,
            subscribers=subscribers,
        )
        return self

    def predict(self, X: Any) -> np.ndarray[Any, Any]:  # noqa: N803
        """Return the most likely label of each row, (n,)."""
        best = self.decision_function(X).argmax(1)
        labels: np.ndarray[Any, Any] = self.classes_[best]
        return labels

    def predict_proba(self, X: Any) -> Floats:  # noqa: N803
        """Return the calibrated probability of each label, (n, K), in the order of `classes_`."""
        return softmax(self.decision_function(X))

    def decision_function(self, X: Any) -> Floats:  # noqa: N803
        """Return scores (n, K) whose softmax are the probabilities.

        Raises
        ------
        DataError
            The rows are not such as training had.
        """
        self._check_fitted()
        encoded = self.feature_.encode(rows_of(X))
        return class_scores(self.fitted_.network, encoded) / self.fitted_.temperature

    def stream(self) -> ClassStream:
        """Start a sequence that arrives step by step: a label after every step.

        The trunk must read one way only, and pool by ``last``, ``mean`` or ``max``.

        Raises
        ------
        ConfigError
            The model needs the whole sequence.

        Examples
        --------
        >>> import numpy as np
        >>> frames = np.r_[np.zeros((20, 5)), np.ones((20, 5))]
        >>> model = Classifier(pooling="last")
        >>> model = model.set_params(trunk__bidirectional=False, training__steps=40)
        >>> model = model.fit(frames, ["low"] * 20 + ["high"] * 20)
        >>> stream = model.stream()
        >>> [str(stream.push(value).label) for value in (1.0, 1.0)]
        ['high', 'high']
        """
        self._check_fitted()
        fitted = self.fitted_
        return ClassStream(self.feature_, fitted.network, fitted.temperature, self.classes_)

    def saliency(self, x: Any, label: Any = None) -> Saliency:
        """Return how much each step of one row spoke for a label: gradient times input.

        Parameters
        ----------
        x
            One row: a text, or an array.
        label
            One of `classes_`; the predicted one when None.

        Raises
        ------
        DataError
            The row cannot be used, or there is no such label.
        """
        self._check_fitted()
        inputs = self.feature_.encode(rows_of([x])).batch([0])
        chances = self.predict_proba([x])[0]
        known = self.classes_.tolist()
        if label is not None and label not in known:
            raise DataError(f"there is no label {label!r}; the labels are {known}")
        place = int(chances.argmax()) if label is None else known.index(label)
        weights = explain(self.fitted_.network, inputs, place)
        pieces = pieces_of(self.feature_, x)
        return Saliency(self.classes_[place], float(chances[place]), pieces, weights)

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write the model to one safetensors file; `load` brings it back.

        Raises
        ------
        OutputExistsError
            The file exists and `force` is not given.
        """
        self._check_fitted()
        parameters = self.get_params(deep=False)
        if not isinstance(self.features, str):
            parameters["features"] = "auto"  # the feature itself is in the file
        save_sequence_model(
            path,
            job=_JOB,
            parameters=parameters,
            feature=self.feature_,
            network=self.fitted_.network,
            config={
                "classes": self.classes_.tolist(),
                "class_counts": self.class_counts_.tolist(),
                "temperature": self.fitted_.temperature,
            },
            force=force,
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Classifier:
        """Read a model from its file; nothing in it is executed.

        Raises
        ------
        ArtifactError
            The file is missing, damaged, of another version or no classifier.
        """
        saved = load_sequence_model(path, job=_JOB)
        with rebuilding(path):
            model = cls(**saved.parameters)
            model.classes_ = np.array(saved.config["classes"])
            model.class_counts_ = np.array(saved.config["class_counts"])
            model.feature_ = saved.feature
            network = make_network(saved.feature, model._recipe(), len(model.classes_))
            network.load_state_dict(saved.network)
            model.fitted_ = Fitted(network.eval(), float(saved.config["temperature"]), None)
        return model

    def _recipe(self) -> Recipe:
        self.check_settings(embedding=Embedding, trunk=Trunk, training=Training)
        if self.class_weight not in (None, "balanced"):
            raise ConfigError(f"class_weight is {self.class_weight!r}; expected None or 'balanced'")
        return Recipe(
            self.trunk,
            self.embedding,
            self.pooling,
            self.training,
            self.class_weight,
            self.validation,
            self.calibrate,
        )


def _classes(y: Any, rows: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the labels, sorted, and the number of each row's label (n,)."""
    given = np.asarray(y)
    if given.ndim != 1 or len(given) != rows:
        raise DataError(f"y has shape {given.shape}; expected ({rows},), a label for each row of X")
    classes, truth = np.unique(given, return_inverse=True)
    if len(classes) < 2:
        raise DataError(f"y has {len(classes)} distinct labels; expected two or more")
    return classes, truth.reshape(-1).astype(np.int64)
