"""Early classification: a label and its confidence after every step of a stream."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from relembra._errors import ConfigError, DataError
from relembra.data import Audio, Feature, Frames, ImageScan, ImageSequence, Subwords
from relembra.nn import RecurrentLayer
from relembra.tasks.classify._calibration import softmax
from relembra.tasks.classify._network import SequenceNetwork
from relembra.tasks.classify._ngrams import NGramPath

__all__ = ["ClassStream", "StreamAnswer"]

Floats = np.ndarray[Any, np.dtype[np.float64]]


class StreamAnswer(NamedTuple):
    """What is known after some steps.

    Attributes
    ----------
    label, confidence
        The most likely label, and its probability.
    probabilities
        (K,) of all labels, in the order of the classes.
    steps
        How many steps were seen.
    """

    label: Any
    confidence: float
    probabilities: Floats
    steps: int


class ClassStream:
    """A sequence that arrives step by step; see `Classifier.stream`."""

    def __init__(
        self,
        feature: Feature,
        network: SequenceNetwork,
        temperature: float,
        classes: np.ndarray[Any, Any],
    ) -> None:
        kind = network.pooling.kind
        if network.pooling.bidirectional or kind == "attention":
            what = "is bidirectional" if network.pooling.bidirectional else "pools by attention"
            raise ConfigError(
                f"the model {what}: it needs the whole sequence. For streams train with "
                "trunk__bidirectional=False and pooling='last', 'mean' or 'max'"
            )
        if isinstance(feature, Subwords):
            raise ConfigError(
                "pieces of words depend on what follows them, so they cannot be streamed; train "
                "with features='characters', 'words' or 'words+characters'"
            )
        if isinstance(feature, Audio | ImageScan | ImageSequence):
            raise ConfigError(
                "recordings and images are read whole, so they cannot be streamed; train with "
                "features='frames' on frames of your own"
            )
        self._feature, self._network = feature, network.eval()
        self._temperature, self._classes = temperature, classes
        body = network.trunk.body
        self._body = body
        self._state = body.start(1) if isinstance(body, RecurrentLayer) else None
        self._seen = network.front.start(1)
        self._pool = _Running(kind)
        self._runs = None if network.ngrams is None else _RunningNGrams(network.ngrams)
        self._frames = _FrameSteps(feature) if isinstance(feature, Frames) else None

    def push(self, step: str | npt.ArrayLike) -> StreamAnswer:
        """Take what arrived, and say what is known.

        Parameters
        ----------
        step
            A frame (K,), or a number where K is 1; NaN is missing. For texts a piece of text: a
            character, a word, or several, words never cut in two.

        Returns
        -------
        StreamAnswer
            The same, bit for bit, as `Classifier.predict_proba` gives for what was seen so far.

        Raises
        ------
        DataError
            The step is not such as training had, or nothing was seen yet.
        """
        with torch.no_grad():
            values = self._values(step)
            for vector in self._network.encoder(**values)[0]:  # (I,)
                self._pool.add(self._walk(vector[None]))
            if not self._pool.steps:
                raise DataError(f"{step!r} has no steps, and there were none before")
            scores = self._network.head(self._pool.value())
            if self._runs is not None:
                scores = scores + self._runs.push(values["ids"])
        chances: Floats = softmax(scores.double().numpy() / self._temperature)[0]
        best = int(chances.argmax())
        return StreamAnswer(self._classes[best], float(chances[best]), chances, self._pool.steps)

    def _values(self, step: Any) -> dict[str, Tensor]:
        if self._frames is not None:
            return {"frames": self._frames.push(step)}
        return self._feature.encode([step]).batch([0]).values

    def _walk(self, vector: Tensor) -> Tensor:
        vector, self._seen = self._network.front.step(vector, self._seen)
        if self._state is None:
            found: Tensor = self._body(vector[None])[0][0]
            return found
        output, self._state = self._body.step(vector, self._state)  # type: ignore[operator]
        own: Tensor = output.clone()  # a stream may write its next output to the same place
        return own


class _Running:
    """Pooling of what was seen so far, with the bits that `Pooling` has for all at once."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self.steps = 0
        self._held: Tensor | None = None
        self._sum = _RunningSum()

    def add(self, output: Tensor) -> None:
        self.steps += 1
        if self._kind == "mean":
            self._sum.add(output)
        elif self._kind == "max" and self._held is not None:
            self._held = torch.maximum(self._held, output)
        else:
            self._held = output

    def value(self) -> Tensor:
        if self._held is not None:
            return self._held
        return self._sum.value() / torch.tensor([[self.steps]])


class _RunningSum:
    """The sum of what was seen so far, with the bits of `sum_over_steps`."""

    def __init__(self) -> None:
        self._sums: list[tuple[int, Tensor]] = []  # of 2^k steps each, as the tree adds

    def add(self, output: Tensor) -> None:
        count = 1
        while self._sums and self._sums[-1][0] == count:
            output = self._sums.pop()[1] + output
            count *= 2
        self._sums.append((count, output))

    def value(self) -> Tensor:
        total = self._sums[-1][1]
        for _, larger in reversed(self._sums[:-1]):
            total = larger + total
        return total + 0.0


class _RunningNGrams:
    """Scores of the n-grams of what was seen so far."""

    def __init__(self, path: NGramPath) -> None:
        self._path = path
        self._last = torch.zeros(1, 0, dtype=torch.int64)
        self._sum = _RunningSum()

    def push(self, ids: Tensor) -> Tensor:
        """Take symbols (1, T), and return the scores (1, K)."""
        known = self._last.shape[1]
        ids = torch.cat([self._last, ids], 1)
        for step in self._path.steps(ids)[:, known:].unbind(1):
            self._sum.add(step)
        self._last = ids[:, max(0, ids.shape[1] - self._path.longest + 1) :]
        return self._path.finish(self._sum.value())


class _FrameSteps:
    """Standardises frames one by one, as `Frames` does for whole sequences."""

    def __init__(self, feature: Frames) -> None:
        self._feature = feature
        self._last = np.full(len(feature.mean), np.nan)
        self._since = np.zeros(len(feature.mean), np.int64)

    def push(self, frame: npt.ArrayLike) -> Tensor:
        """Return (1, 1, channels)."""
        row = np.asarray(frame, np.float64).reshape(-1)
        # The feature checks one frame; what was missing is then filled from the frames before.
        encoded = self._feature.encode([row[None]]).batch([0]).values["frames"]
        if not self._feature.gaps:
            return encoded
        missing = np.isnan(row)
        standard = (row - self._feature.mean.numpy()) / self._feature.scale.numpy()
        self._since = np.where(missing, self._since + 1, 0)
        self._last = np.where(missing, self._last, standard)
        filled = np.where(np.isnan(self._last), 0.0, self._last)
        parts = [filled, missing, np.log1p(self._since)]
        return torch.from_numpy(np.concatenate(parts, dtype=np.float32))[None, None]
