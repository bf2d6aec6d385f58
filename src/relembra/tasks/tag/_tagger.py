"""The estimator: a tag for each step."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch

from relembra._errors import ConfigError, DataError
from relembra.data import Encoded, Feature
from relembra.evaluation import Scheme, repair_tags
from relembra.nn import Trunk
from relembra.tasks._sequence import (
    Changes,
    Embedding,
    SavedModel,
    SequenceEstimator,
    in_order,
    settle,
)
from relembra.tasks.tag._fitting import (
    Examples,
    Fitted,
    Recipe,
    fit_network,
    make_network,
    tagging_error,
)
from relembra.tasks.tag._inputs import Segments, checked_segments, fit_feature, rows_of, tags_of
from relembra.tasks.tag._settings import (
    DEFAULT_EMBEDDING,
    DEFAULT_TRAINING,
    DEFAULT_TRUNK,
    training_for,
)
from relembra.tasks.tag._stream import TagStream
from relembra.tasks.tag._tag_set import Tag, TagSet, check_rules
from relembra.tasks.tag._tagged_data import TaggedData, encoded_by
from relembra.training import Subscriber, Training

__all__ = ["Tagger"]

Floats = np.ndarray[Any, np.dtype[np.float64]]


class Tagger(SequenceEstimator):
    """Give each step of a sequence a tag: parts of speech, names, what happens at every moment.

    X is a list of n sequences: lists of tokens, or arrays ``(T_i, K)`` or ``(T_i,)`` of numbers
    (NaN is missing), or one array ``(n, T, K)`` or ``(n, T)``. y has a list of tags for each
    sequence, texts or whole numbers, one for each step. `score` is the F1 of the spans where tags
    are spans (``B-city``, ``I-city``, ``O``), else the share of right tags.

    Parameters
    ----------
    features
        ``auto`` takes tokens as words and their letters, and numbers as frames; or
        ``words+characters``, ``words``, ``frames``; or a feature of `relembra.data`.
    crf
        Whether tags are chosen as a chain, each with regard to its neighbours (`LinearChainCRF`);
        ``auto`` does so where tags are spans. A chain never breaks the rules of the spans.
    scheme
        ``bio`` or ``bioes``: how the network writes spans, which answers need not; None takes what
        the data has.
    repair
        Whether tags that break the rules of their scheme, in training data or in answers without
        a chain, are corrected as conlleval reads them.
    validation
        Share of the sequences that training does not learn from: when the score there no longer
        rises, it stops. 0 trains to the end.
    embedding, trunk, training
        The network, and how it is trained: where `training` is None, as
        `relembra.tasks.tag.training_for` says of so many sequences;
        ``set_params(training__batch_size=4)`` changes one setting and leaves the others to it.

    Attributes
    ----------
    classes_
        The tags, sorted.
    feature_
        The fitted feature.
    recipe_
        The settings that were used.
    fitted_
        The network and the history of its training.

    Examples
    --------
    >>> model = Tagger(validation=0).set_params(trunk__units=16, training__batch_size=4)
    >>> model = model.set_params(training__epochs=40, training__learning_rate=0.01)
    >>> X = [["to", "Rio"], ["from", "Rio"], ["from", "Lima", "to", "Rio"]] * 4
    >>> y = [["O", "B-to"], ["O", "B-from"], ["O", "B-from", "O", "B-to"]] * 4
    >>> model.fit(X, y).predict([["to", "Lima"], ["from", "Lima"]])
    [['O', 'B-to'], ['O', 'B-from']]
    """

    job = "tag"
    decided_by_data: ClassVar[dict[str, type]] = {"training": Training}

    def __init__(
        self,
        features: str | Feature = "auto",
        *,
        crf: bool | Literal["auto"] = "auto",
        scheme: Scheme | None = None,
        repair: bool = False,
        validation: float = 0.1,
        embedding: Embedding = DEFAULT_EMBEDDING,
        trunk: Trunk = DEFAULT_TRUNK,
        training: Training | Changes[Training] | None = None,
    ) -> None:
        self.features = features
        self.crf = crf
        self.scheme = scheme
        self.repair = repair
        self.validation = validation
        self.embedding = embedding
        self.trunk = trunk
        self.training = training

    def fit(
        self,
        X: Any,  # noqa: N803  scikit-learn's name
        y: Any,
        *,
        segments: Segments | None = None,
        held_out: tuple[Any, Any] | None = None,
        directory: str | os.PathLike[str] | None = None,
        resume: bool = False,
        force: bool = False,
        subscribers: Sequence[Subscriber] = (),
    ) -> Self:
        """Train.

        Parameters
        ----------
        X, y
            See the class; or X that `prepared` made ready, and None.
        segments
            For each sequence its known segments as pairs (begin, end), from 0, the end left out. y
            has then a tag for each segment, and steps outside of all are not learned from.
        held_out
            X and y of sequences that tell when to stop, instead of the share `validation`; with
            `segments`, a tag for each step nevertheless.
        directory
            Folder for checkpoints; None keeps none.
        resume, force
            Go on from the checkpoint that is there, or replace it.
        subscribers
            Told about the progress, such as `relembra.training.ProgressBar`.

        Raises
        ------
        DataError
            The data cannot be used, or tags break the rules of their scheme and `repair` is off.
        ConfigError
            A parameter makes no sense.
        OutputExistsError
            The directory holds a checkpoint, and neither `resume` nor `force` is given.
        """
        self._check_parameters()
        data = self._data(X, y, segments, held_out)
        self.feature_, self.tag_set_ = data.feature, data.tag_set
        self.classes_ = np.array(data.tag_set.tags)
        self.recipe_ = self._recipe(data.tag_set, len(data.examples.tags))
        self.fitted_ = fit_network(
            data.feature,
            data.examples,
            data.tag_set,
            self.recipe_,
            held_out=data.held_out,
            directory=directory,
            resume=resume,
            force=force,
            subscribers=subscribers,
        )
        return self

    def prepared(self, rows: Any, truth: Any, folder: Path) -> tuple[Any, Any]:
        """Encode sequences and tags, once for many models: see the base class."""
        self._check_parameters()
        return self._data(rows, truth, None, None), None

    def _data(
        self, X: Any, y: Any, segments: Segments | None, held_out: tuple[Any, Any] | None
    ) -> TaggedData:
        """Encode what `fit` was given; what was encoded already is returned as it is."""
        if isinstance(X, TaggedData):
            X.check(self)
            if not (y is None and segments is None and held_out is None):
                raise ConfigError("X was made ready with its tags; give nothing beside it")
            return X
        rows = rows_of(X)
        feature = fit_feature(self.features, rows)
        encoded = feature.encode(rows)
        tags = tags_of(y, encoded.lengths, segments)
        known = [[tag for tag in row if tag is not None] for row in tags]
        tag_set = TagSet.fit(known, self.scheme)
        chain = self._has_chain(tag_set)
        if segments is not None and chain:
            raise ConfigError(
                "known segments are classified as a whole, without a chain: crf=False"
            )
        examples = self._examples(encoded, tags, tag_set, "y", chain)
        judged = None
        if held_out is not None:
            others = feature.encode(rows_of(held_out[0]))
            theirs = tags_of(held_out[1], others.lengths)
            judged = self._examples(others, theirs, tag_set, "held_out", crf=False)
        made_for = {name: getattr(self, name) for name in ("features", "crf", "scheme", "repair")}
        return TaggedData(made_for, feature, tag_set, examples, judged)

    def _examples(
        self, encoded: Encoded, tags: Any, tag_set: TagSet, name: str, crf: bool
    ) -> Examples:
        """Return sequences to learn from or to judge by; tags are repaired, or refused."""
        scheme = tag_set.scheme
        if scheme is not None and self.repair:
            tags = [repair_tags([str(tag) for tag in row], scheme) for row in tags]
        elif scheme is not None and crf:
            self._refuse_broken(tags, scheme, name)
        return Examples(encoded, tags, tag_set.encode(tags))

    def _refuse_broken(self, tags: Any, scheme: Scheme, name: str) -> None:
        broken = check_rules(tags, scheme)
        if broken is not None:
            row, step = broken
            raise DataError(
                f"row {row + 1} of {name} has {tags[row][step]!r} at step {step + 1}, against the "
                f"rules of {scheme}; correct it, or let repair=True do it"
            )

    def predict(self, X: Any, *, segments: Segments | None = None) -> list[list[Tag]]:  # noqa: N803
        """Return the best tags of each sequence, one for each step.

        Parameters
        ----------
        X
            See the class.
        segments
            As in `fit`: returns one tag for each segment, that with the greatest sum of logarithms
            of its probability over the segment's steps.
        """
        encoded = self._encoded(X)
        if segments is not None:
            logs = self._segment_logs(encoded, segments)
            return [[self.tag_set_.tags[k] for k in row.argmax(1).tolist()] for row in logs]
        best = in_order(encoded, self.fitted_.network.best)
        return [self.tag_set_.decode(row, repair=self.repair) for row in best]

    def predict_proba(
        self,
        X: Any,  # noqa: N803
        *,
        segments: Segments | None = None,
    ) -> list[Floats]:
        """Return the probability of each tag at each step, (T_i, K) for each sequence.

        With a chain these are its marginals, the same in any company within 1e-6. With `segments`,
        (S_i, K): the product over the segment's steps, scaled to sum one.
        """
        encoded = self._encoded(X)
        if segments is None:
            return [row.numpy() for row in self._probabilities(encoded)]
        logs = self._segment_logs(encoded, segments)
        return [np.exp(row - np.logaddexp.reduce(row, axis=1, keepdims=True)) for row in logs]

    def score(self, X: Any, y: Any, *, segments: Segments | None = None) -> float:  # noqa: N803
        """Return the F1 of the spans, or the share of right tags; see the class.

        With `segments`, the share of segments that have the right tag.
        """
        rows = rows_of(X)
        encoded = self._encoded(rows)
        lengths = encoded.lengths
        if segments is not None:
            lengths = np.array([len(row) for row in checked_segments(segments, lengths)])
        truth = tags_of(y, lengths)
        found = self.predict(rows, segments=segments)
        spans = segments is None and self.tag_set_.scheme is not None
        return 1.0 - tagging_error(truth, found, spans=spans)

    def stream(self) -> TagStream:
        """Start a stream: a tag for each step as it comes, the same bits as the whole at once.

        Raises
        ------
        ConfigError
            The trunk reads both ways, or tags are chosen as a chain: both look ahead.

        Examples
        --------
        >>> model = Tagger().set_params(trunk__units=4, trunk__bidirectional=False)
        >>> model = model.set_params(training__epochs=1)
        >>> stream = model.fit([[[0.0], [1.0]]] * 4, [["low", "high"]] * 4).stream()
        >>> [stream.push([value])[0] in ("low", "high") for value in (0.0, 1.0)]
        [True, True]
        """
        self._check_fitted()
        return TagStream(self.feature_, self.fitted_.network, self.tag_set_)

    def _config(self) -> dict[str, Any]:
        return {"tags": self.tag_set_.to_json()}

    def _parameters(self) -> dict[str, Any]:
        return super()._parameters() | {"training": self.recipe_.training}

    def _restore(self, saved: SavedModel) -> None:
        self.tag_set_ = TagSet.from_json(saved.config["tags"])
        self.classes_ = np.array(self.tag_set_.tags)
        self.recipe_ = self._recipe(self.tag_set_, 0)
        network = make_network(saved.feature, self.tag_set_, self.recipe_)
        network.load_state_dict(saved.network)
        self.fitted_ = Fitted(network.eval(), None)

    def settled(self, rows: Any) -> Self:
        """Return a copy, not fitted, with the training that such sequences get."""
        copy = super().settled(rows)
        copy.training = self._training(len(rows))
        return copy

    @property
    def seed(self) -> int:
        """The seed of all random choices."""
        return settle(self.training, DEFAULT_TRAINING).seed

    def _training(self, rows: int) -> Training:
        usual = training_for(rows)
        given = settle(self.training, usual)
        if given.batch_size == usual.batch_size:
            return given
        return settle(self.training, training_for(rows, given.batch_size))

    def _has_chain(self, tag_set: TagSet) -> bool:
        return tag_set.inner_scheme is not None if self.crf == "auto" else bool(self.crf)

    def _recipe(self, tag_set: TagSet, rows: int) -> Recipe:
        training = self._training(rows)
        chain = self._has_chain(tag_set)
        return Recipe(self.trunk, self.embedding, training, chain, self.validation)

    def _check_parameters(self) -> None:
        self.check_settings(embedding=Embedding, trunk=Trunk, training=Training)
        if self.crf not in ("auto", True, False):
            raise ConfigError(f"crf is {self.crf!r}; expected 'auto', True or False")
        if self.scheme not in (None, "bio", "bioes"):
            raise ConfigError(f"scheme is {self.scheme!r}; expected 'bio', 'bioes' or None")

    def _encoded(self, X: Any) -> Encoded:  # noqa: N803
        self._check_fitted()
        return encoded_by(self.feature_, X)

    def _probabilities(self, encoded: Encoded) -> list[torch.Tensor]:
        found = in_order(encoded, self.fitted_.network.probabilities)
        if self.tag_set_.scheme == self.tag_set_.inner_scheme:
            return found
        return [row @ self.tag_set_.merging for row in found]

    def _segment_logs(self, encoded: Encoded, segments: Segments) -> list[Floats]:
        """Return the sum over each segment of the logarithms of the probabilities, (S_i, K)."""
        pairs = checked_segments(segments, encoded.lengths)
        logs = []
        for row, parts in zip(self._probabilities(encoded), pairs, strict=True):
            steps = row.clamp(min=1e-300).log().numpy()
            sums = [steps[begin:end].sum(0) for begin, end in parts]
            logs.append(np.array(sums).reshape(len(parts), steps.shape[1]))
        return logs
