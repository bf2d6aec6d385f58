"""Recordings as frames of their spectrum, standardised."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from relembra._errors import ConfigError, DataError
from relembra._files import JSON
from relembra.data._encoded import field
from relembra.data._frames import EncodedFrames, Frames
from relembra.data._gathering import gather
from relembra.data._media import each_medium
from relembra.data._ragged import Ragged
from relembra.data._spectrum import Spectrum, rate_of

__all__ = ["Audio"]

_HIGHEST = 16000


@dataclass(frozen=True, eq=False)
class Audio:
    """Recordings as frames of their log-mel spectrum, standardised by training data.

    A recording is a wav, flac, ogg or mp3 file, whose channels are averaged, or an array ``(N,)``
    of samples. Needs the extra ``audio``. Make one by :meth:`fit`.

    Parameters
    ----------
    spectrum
        The settings of :meth:`fit`.
    mean, scale
        ``(K,)`` float64, of the training data.

    Examples
    --------
    >>> time = np.arange(8000) / 8000
    >>> feature = Audio.fit([np.sin(2 * np.pi * 440 * time)], rate=8000, bands=20)
    >>> feature.encode([np.sin(2 * np.pi * 880 * time)]).batch([0]).values["frames"].shape
    torch.Size([1, 101, 20])
    """

    kind: ClassVar[str] = "audio"

    spectrum: Spectrum
    mean: Tensor
    scale: Tensor

    @classmethod
    def fit(
        cls,
        recordings: Iterable[Any],
        *,
        rate: int | None = None,
        window: float = 0.032,
        hop: float = 0.01,
        bands: int = 40,
        depth: float = 40.0,
        deltas: bool = False,
        centre: bool = True,
    ) -> Audio:
        """Measure training recordings.

        Parameters
        ----------
        recordings
            Paths, or arrays ``(N,)`` of samples at ``rate``.
        rate
            Samples a second, to which files of another rate are brought; when None that of the
            first file, but 16000 at most.
        window, hop
            Seconds that a frame sees, and from a frame to the next.
        bands
            Mel bands, from 60 Hz to half the rate.
        depth
            Decibels under the loudest of a recording at which silence begins: the noise of the
            room tells nothing.
        deltas
            Whether the first and second differences over 5 frames stand beside the bands.
        centre
            Whether the mean over the recording is taken from each band: what microphone, room and
            voice add to all of it (Atal 1974).

        Returns
        -------
        Audio

        Raises
        ------
        MissingExtraError
            The packages ``librosa`` and ``soundfile`` are not there.
        ConfigError
            A setting makes no sense.
        DataError
            A recording cannot be read, and is named; or there are none.
        """
        rows = list(each_medium(recordings))
        if not rows:
            raise DataError("there are no recordings; expected at least one")
        if rate is None:
            first, place = rows[0]
            if not isinstance(first, Path):
                raise ConfigError("the rate of samples in arrays is not known; say rate=16000")
            rate = min(rate_of(first, place), _HIGHEST)
        spectrum = Spectrum(rate, window, hop, bands, depth, deltas, centre)
        frames = Frames.fit(_frames(spectrum, rows))
        return cls(spectrum, frames.mean, frames.scale)

    @property
    def bands(self) -> int:
        """Mel bands."""
        return self.spectrum.bands

    @property
    def channels(self) -> int:
        """Channels of a frame: the bands, three times with deltas."""
        return self.spectrum.channels

    def encode(self, recordings: Iterable[Any]) -> EncodedFrames:
        """Return the frames of recordings; on disk where they are more than a gigabyte.

        Raises
        ------
        DataError
            A recording cannot be read; it is named.
        """
        raw = _frames(self.spectrum, each_medium(recordings))
        return Frames(self.mean, self.scale, gaps=False).encode(raw)

    def to_json(self) -> dict[str, JSON]:
        """Return what rebuilds it, as JSON values."""
        return {"kind": self.kind, **dataclasses.asdict(self.spectrum)}

    def tensors(self) -> dict[str, Tensor]:
        """Return ``mean`` and ``scale``."""
        return {"mean": self.mean, "scale": self.scale}

    @classmethod
    def from_json(cls, values: Mapping[str, object], tensors: Mapping[str, Tensor]) -> Audio:
        """Return what :meth:`to_json` and :meth:`tensors` described.

        Raises
        ------
        ArtifactError
            The description is damaged.
        MissingExtraError
            The packages ``librosa`` and ``soundfile`` are not there.
        """
        spectrum = Spectrum(
            field(values, "rate", int),
            field(values, "window", float),
            field(values, "hop", float),
            field(values, "bands", int),
            field(values, "depth", float),
            field(values, "deltas", bool),
            field(values, "centre", bool),
        )
        frames = Frames.from_json({"gaps": False}, tensors)
        return cls(spectrum, frames.mean, frames.scale)


def _frames(spectrum: Spectrum, rows: Iterable[tuple[Any, str]]) -> Ragged:
    frames = (spectrum.frames(row, place) for row, place in rows)
    return gather(frames, (spectrum.channels,), np.float32)
