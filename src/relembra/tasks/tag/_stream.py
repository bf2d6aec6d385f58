"""A tag for each step as it comes."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from relembra._errors import ConfigError, DataError
from relembra.data import Feature, Frames
from relembra.nn import RecurrentTrunk
from relembra.tasks.tag._network import TaggingNetwork
from relembra.tasks.tag._tag_set import Tag, TagSet

__all__ = ["TagStream"]

Floats = np.ndarray[Any, np.dtype[np.float64]]


class TagStream:
    """A running sequence; `push` takes its next step. The model's later changes do not reach it.

    Parameters
    ----------
    feature, network, tag_set
        Of a fitted tagger.

    Raises
    ------
    ConfigError
        The trunk reads both ways, or tags are chosen as a chain.
    """

    def __init__(self, feature: Feature, network: TaggingNetwork, tag_set: TagSet) -> None:
        if network.crf is not None:
            raise ConfigError(
                "tags that are chosen as a chain depend on what follows: train with crf=False to "
                "tag a stream"
            )
        trunk = network.trunk
        if trunk.settings.bidirectional:
            raise ConfigError(
                "a trunk that reads both ways cannot tag a stream: train with bidirectional=False"
            )
        self._feature, self._network, self._tags = feature, network.eval(), tag_set
        self._trunk: RecurrentTrunk = trunk
        self._layer = cast(Any, trunk.body)
        self._state = None if trunk.settings.cell == "feedforward" else self._layer.start(1)
        self._seen = network.front.start(1)
        self._gaps = _Gaps(len(feature.mean)) if isinstance(feature, Frames) else None

    @torch.no_grad()
    def push(self, step: str | npt.ArrayLike) -> tuple[Tag, Floats]:
        """Take the next step.

        Parameters
        ----------
        step
            A token, or the numbers (K,) of a frame.

        Returns
        -------
        tag
            The most likely one.
        probabilities
            (K,) of each tag.
        """
        x = self._network.encoder(**self._inputs(step))[:, 0]  # (1, F)
        x, self._seen = self._network.front.step(x, self._seen)
        if self._state is None:
            read = self._trunk(x[:, None])[0][:, 0]
        else:
            read, self._state = self._layer.step(x, self._state)
        scores = self._network.head(read)
        found = torch.softmax(scores.double(), 1) @ self._tags.merging
        tag = self._tags.decode([int(scores.argmax(1))])[0]
        return tag, found[0].numpy()

    def _inputs(self, step: Any) -> dict[str, Tensor]:
        if self._gaps is not None:
            return {"frames": self._gaps.frame(self._feature, step)}  # type: ignore[arg-type]
        if not isinstance(step, str):
            raise DataError(f"the step is {step!r:.40}; expected a token")
        return self._feature.encode([[step]]).batch([0]).values


class _Gaps:
    """What a stream of frames has to remember about values that were missing."""

    def __init__(self, channels: int) -> None:
        self._last = np.zeros(channels)
        self._age = np.zeros(channels)  # steps since a value was seen

    def frame(self, feature: Frames, step: npt.ArrayLike) -> Tensor:
        """Return the frame (1, 1, channels) as `Frames.encode` makes it of whole sequences."""
        raw = np.asarray(step, np.float64).reshape(1, 1, -1)
        frames = feature.encode(raw).batch([0]).values["frames"]
        if not feature.gaps:
            return frames
        values = (raw[0, 0] - feature.mean.numpy()) / feature.scale.numpy()
        missing = np.isnan(values)
        self._age = np.where(missing, self._age + 1, 0)
        self._last = np.where(missing, self._last, values)
        channels = np.concatenate([self._last, missing, np.log1p(self._age)], dtype=np.float32)
        return torch.from_numpy(channels)[None, None]
