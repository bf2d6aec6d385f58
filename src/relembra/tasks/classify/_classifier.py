"""The estimator: one label for each sequence."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import Tags

from relembra._errors import ConfigError, DataError
from relembra.data import Feature
from relembra.nn import PoolingKind, Trunk
from relembra.tasks._sequence import (
    Changes,
    Embedding,
    SavedModel,
    SequenceEstimator,
    settle,
)
from relembra.tasks.classify._calibration import softmax
from relembra.tasks.classify._encoded_rows import EncodedRows
from relembra.tasks.classify._features import equally_long, kind_of, left_out, rows_of
from relembra.tasks.classify._fitting import (
    Fitted,
    Recipe,
    class_scores,
    fit_network,
    make_network,
)
from relembra.tasks.classify._saliency import Saliency, explain, pieces_of
from relembra.tasks.classify._settings import DEFAULT_TRAINING, defaults_for
from relembra.tasks.classify._stream import ClassStream
from relembra.tasks.classify._targets import ClassWeight, classes_of, weights_by_class
from relembra.training import Subscriber, Training

__all__ = ["Classifier"]

Floats = np.ndarray[Any, np.dtype[np.float64]]


class Classifier(ClassifierMixin, SequenceEstimator):  # type: ignore[misc]
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
    ngrams
        Beside the network, straight to the scores: runs of so many symbols at most, each with a
        weight for each class that logistic regression finds. ``auto`` takes 2 for words and pieces
        of words, 4 for characters, 3 for other symbols; 0 for numbers, which have none, and for
        symbols whose rows are equally long: where they stand then tells more than how often.
    class_weight
        ``balanced`` makes rare classes count as much as frequent ones; or a weight by label, 1
        for labels without one.
    label_smoothing
        Share of a row's label, in [0, 1), that training divides among all labels, so that the
        network is never quite sure (Szegedy et al., "Rethinking the Inception architecture for
        computer vision", 2016, section 7).
    validation
        Share of the rows, of each class alike, that training does not learn from: when the error
        there no longer falls, it stops. 0 trains for all steps.
    calibrate
        Whether the probabilities are made to deserve their confidence on the held-out rows.
    embedding, trunk, training
        The network, and how it is trained.

    Where `pooling`, `label_smoothing`, `validation`, `embedding`, `trunk` or `training` is None, it
    follows from the kind and number of the rows, as `relembra.tasks.classify.defaults_for` says;
    ``set_params(trunk__units=64)`` changes one setting and leaves the others to it.

    Attributes
    ----------
    classes_
        The labels, sorted.
    class_counts_
        (K,) rows of each label in the training data.
    n_features_in_
        The last dimension of X where it is an array of numbers; there for no other X.
    feature_
        The fitted feature.
    recipe_
        The settings that were used.
    fitted_
        The network, its temperature and the history of its training.
    notes_
        What was left out of very many texts, as sentences for people.

    Examples
    --------
    >>> texts = ["a good film", "good fun", "a bad film", "bad and dull"] * 5
    >>> model = Classifier().set_params(trunk__units=8, training__steps=30)
    >>> model = model.fit(texts, [1, 1, 0, 0] * 5)
    >>> model.predict(["good", "so bad"])
    array([1, 0])
    """

    job = "classify"
    decided_by_data: ClassVar[dict[str, type]] = {
        "embedding": Embedding,
        "trunk": Trunk,
        "training": Training,
    }

    def __init__(
        self,
        features: str | Feature = "auto",
        *,
        pooling: PoolingKind | None = None,
        ngrams: int | Literal["auto"] = "auto",
        class_weight: ClassWeight = None,
        label_smoothing: float | None = None,
        validation: float | None = None,
        calibrate: bool = True,
        embedding: Embedding | Changes[Embedding] | None = None,
        trunk: Trunk | Changes[Trunk] | None = None,
        training: Training | Changes[Training] | None = None,
    ) -> None:
        self.features = features
        self.pooling = pooling
        self.ngrams = ngrams
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
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
            See the class; or what `prepared` made ready.
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
        given = X if isinstance(X, EncodedRows) else rows_of(X)
        self.classes_, truth = classes_of(y, len(given))
        recipe = self.recipe_for(given, self.classes_)
        rows = given.rows if isinstance(given, EncodedRows) else given
        if isinstance(rows, np.ndarray):
            self.n_features_in_ = _width(rows)
        self.class_counts_ = np.bincount(truth, minlength=len(self.classes_))
        data = self._encoded(given)
        self.feature_ = data.feature
        self.recipe_ = recipe
        self.fitted_ = fit_network(
            data.feature,
            data.encoded,
            truth,
            len(self.classes_),
            recipe,
            directory=directory,
            resume=resume,
            force=force,
            subscribers=subscribers,
        )
        own = left_out(data.feature, rows) if isinstance(self.features, str) else []
        self.notes_ = (*own, *self.fitted_.notes)
        return self

    def prepared(self, rows: Any, truth: Any, folder: Path) -> tuple[Any, Any]:
        """Encode rows, once for many models: see the base class."""
        return self._encoded(rows), truth

    def _encoded(self, rows: Any) -> EncodedRows:
        """Encode what `fit` was given; what was encoded already is returned as it is."""
        if not isinstance(rows, EncodedRows):
            return EncodedRows.fit(self.features, rows)
        rows.check(self)
        return rows

    def predict(self, X: Any) -> np.ndarray[Any, Any]:  # noqa: N803
        """Return the most likely label of each row, (n,)."""
        best = self._scores(X).argmax(1)
        labels: np.ndarray[Any, Any] = self.classes_[best]
        return labels

    def predict_proba(self, X: Any) -> Floats:  # noqa: N803
        """Return the calibrated probability of each label, (n, K), in the order of `classes_`."""
        return softmax(self._scores(X))

    def decision_function(self, X: Any) -> Floats:  # noqa: N803
        """Return scores (n, K) whose softmax are the probabilities.

        Of two classes, as scikit-learn has it, the second's less the first's, (n,).

        Raises
        ------
        DataError
            The rows are not such as training had.
        """
        scores = self._scores(X)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def _scores(self, X: Any) -> Floats:  # noqa: N803
        self._check_fitted()
        ready = isinstance(X, EncodedRows)
        if ready and X.feature is self.feature_:
            encoded = X.encoded
        else:
            encoded = self.feature_.encode(X.rows if ready else rows_of(X))
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

    def recipe_for(self, rows: Any, classes: Any = ()) -> Recipe:
        """Return the settings that `fit` uses for such rows: those given, the others by the data.

        Parameters
        ----------
        rows
            As X of `fit`.
        classes
            The labels, sorted, where `class_weight` has some of them.

        Raises
        ------
        ConfigError
            A parameter makes no sense.
        """
        self.check_settings(embedding=Embedding, trunk=Trunk, training=Training)
        if not isinstance(self.class_weight, dict) and self.class_weight not in (None, "balanced"):
            raise ConfigError(
                f"class_weight is {self.class_weight!r}; expected 'balanced', a weight for each "
                "label, or None"
            )
        smoothing = self.label_smoothing
        number = isinstance(smoothing, int | float) and not isinstance(smoothing, bool)
        if smoothing is not None and not (number and 0 <= smoothing < 1):
            raise ConfigError(f"label_smoothing is {smoothing!r}; expected a share in [0, 1)")
        whole = isinstance(self.ngrams, int) and not isinstance(self.ngrams, bool)
        if self.ngrams != "auto" and not (whole and self.ngrams >= 0):
            raise ConfigError(
                f"ngrams is {self.ngrams!r}; expected 'auto', or a whole number of 0 or more"
            )
        raw = rows.rows if isinstance(rows, EncodedRows) else rows
        kind = kind_of(self.features, raw)
        aligned = kind == "alphabet" and equally_long(raw)
        usual = defaults_for(len(rows), kind, aligned=aligned)
        trunk, embedding = settle(self.trunk, usual.trunk), usual.embedding
        if trunk.cell == "feedforward":
            embedding = embedding.without_order()
        return Recipe(
            trunk=trunk,
            embedding=settle(self.embedding, embedding),
            pooling=usual.pooling if self.pooling is None else self.pooling,
            training=settle(self.training, usual.training),
            ngrams=0 if aligned and self.ngrams == "auto" else self.ngrams,
            class_weight=weights_by_class(self.class_weight, np.asarray(classes)),
            label_smoothing=usual.label_smoothing if smoothing is None else float(smoothing),
            validation=usual.validation if self.validation is None else self.validation,
            calibrate=self.calibrate,
        )

    def settled(self, rows: Any) -> Self:
        """Return a copy, not fitted, with what `recipe_for` would take for such rows."""
        recipe, copy = self.recipe_for(rows), super().settled(rows)
        for name in (*self.decided_by_data, "pooling", "label_smoothing", "validation"):
            setattr(copy, name, getattr(recipe, name))
        return copy

    def named(self, name: str) -> str:
        """Return the name that scores bear: it tells whether n-grams stand beside the network."""
        return name if self.fitted_.network.ngrams is None else f"{name} + n-grams"

    @property
    def seed(self) -> int:
        """The seed of all random choices."""
        return settle(self.training, DEFAULT_TRAINING).seed

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True  # missing values are marked
        return tags

    def _parameters(self) -> dict[str, Any]:
        own = {"class_weight": self.class_weight}
        return super()._parameters() | dataclasses.asdict(self.recipe_) | own

    def _config(self) -> dict[str, Any]:
        return {
            "classes": self.classes_.tolist(),
            "class_counts": self.class_counts_.tolist(),
            "temperature": self.fitted_.temperature,
        }

    def _restore(self, saved: SavedModel) -> None:
        self.classes_ = np.array(saved.config["classes"])
        self.class_counts_ = np.array(saved.config["class_counts"])
        self.notes_ = ()
        if isinstance(self.class_weight, dict):  # JSON has made text of the labels
            named = {str(label): label for label in self.classes_.tolist()}
            self.class_weight = {named[n]: weight for n, weight in self.class_weight.items()}
        self.recipe_ = self.recipe_for([], self.classes_)
        network = make_network(saved.feature, self.recipe_, len(self.classes_))
        network.add_ngrams(saved.network, saved.feature)
        network.load_state_dict(saved.network)
        self.fitted_ = Fitted(network.eval(), float(saved.config["temperature"]), None)


def _width(rows: np.ndarray[Any, Any]) -> int:
    if not rows.shape[-1]:
        raise DataError(
            f"X has 0 feature(s) (shape={rows.shape}) while a minimum of 1 is required."
        )
    width: int = rows.shape[-1]
    return width
