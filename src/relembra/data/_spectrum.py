"""From a recording to frames of its log-mel spectrum."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from relembra._errors import ConfigError, DataError, MissingExtraError
from relembra.data._types import Floats32

__all__ = ["Spectrum", "import_audio", "rate_of"]

_LOWEST = 60.0
_LEAST = 1e-10
_DELTA = 5
_STREAMED = 0x7FFFF000  # sizes from here on stand for one that the writer did not know


@dataclass(frozen=True)
class Spectrum:
    """How recordings become frames; see `Audio` for the settings.

    Raises
    ------
    MissingExtraError
        The packages ``librosa`` and ``soundfile`` are not there.
    ConfigError
        The settings make no sense.
    """

    rate: int
    window: float = 0.032
    hop: float = 0.01
    bands: int = 40
    depth: float = 40.0
    deltas: bool = False
    centre: bool = True

    def __post_init__(self) -> None:
        import_audio()
        import librosa

        if min(self.rate, self.width - 1, self.step, self.bands) < 1 or not self.depth > 0:
            raise ConfigError(
                f"rate={self.rate}, window={self.window}, hop={self.hop}, bands={self.bands}, "
                f"depth={self.depth}: expected samples a second, seconds of two or more samples, "
                "seconds of one or more, one band or more, and decibels above 0"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # a band that no frequency falls into
            try:
                librosa.filters.mel(sr=self.rate, n_fft=self.size, n_mels=self.bands, fmin=_LOWEST)
            except (UserWarning, librosa.ParameterError):
                raise ConfigError(
                    f"{self.bands} bands do not fit a window of {self.window} s at {self.rate} "
                    "samples a second; take fewer, or a longer window"
                ) from None

    @property
    def channels(self) -> int:
        """Numbers of a frame."""
        return self.bands * (3 if self.deltas else 1)

    @property
    def width(self) -> int:
        """Samples of a window."""
        return round(self.window * self.rate)

    @property
    def step(self) -> int:
        """Samples from a frame to the next."""
        return round(self.hop * self.rate)

    @property
    def size(self) -> int:
        """Samples of the Fourier transform: the next power of two."""
        return 1 << max(self.width - 1, 1).bit_length()

    def frames(self, recording: Any, place: str) -> Floats32:
        """Return the frames (T, K) of a file or of samples (N,); `place` names it in errors.

        Raises
        ------
        DataError
            It cannot be read, or has no samples.
        """
        import librosa

        path = isinstance(recording, Path)
        samples = _read(recording, place, self.rate) if path else _array(recording, place)
        power = librosa.feature.melspectrogram(
            y=np.pad(samples, (0, max(self.size - len(samples), 0))),
            sr=self.rate,
            n_fft=self.size,
            win_length=self.width,
            hop_length=self.step,
            n_mels=self.bands,
            fmin=_LOWEST,
        )
        silence = max(10 ** (-self.depth / 10) * float(power.max()), _LEAST)
        bands = np.log(np.maximum(power, silence))
        if self.centre:
            bands -= bands.mean(1, keepdims=True)
        if self.deltas:
            changes = [
                librosa.feature.delta(bands, width=_DELTA, order=order, mode="nearest")
                for order in (1, 2)
            ]
            bands = np.concatenate([bands, *changes])
        return np.ascontiguousarray(bands.T, np.float32)


def import_audio() -> None:
    """Raise `MissingExtraError` unless recordings can be read and transformed."""
    try:
        import librosa  # noqa: F401
        import soundfile  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            "recordings need the packages librosa and soundfile: pip install 'relembra[audio]'"
        ) from error


def rate_of(path: Path, place: str) -> int:
    """Return the samples a second of a file.

    Raises
    ------
    DataError
        It cannot be read.
    """
    import_audio()
    import soundfile

    try:
        return int(soundfile.info(path).samplerate)
    except (soundfile.SoundFileError, OSError) as error:
        raise _unreadable(place, error) from None


def _read(path: Path, place: str, rate: int) -> Floats32:
    import librosa
    import soundfile

    try:
        samples, own = soundfile.read(path, dtype="float32", always_2d=True)
        _check_whole(path, place)
    except (soundfile.SoundFileError, OSError) as error:
        raise _unreadable(place, error) from None
    _check(samples, place)
    mono: Floats32 = samples.mean(1)
    return mono if own == rate else librosa.resample(mono, orig_sr=own, target_sr=rate)


def _check_whole(path: Path, place: str) -> None:
    """Refuse a RIFF file (.wav) that ends before its samples do, which libsndfile does not."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if file.read(12)[:4] != b"RIFF":
            return
        while len(head := file.read(8)) == 8:
            length = int.from_bytes(head[4:], "little")
            if head[:4] != b"data":
                file.seek(length + length % 2, os.SEEK_CUR)
                continue
            there = size - file.tell()
            if there < length < _STREAMED:
                raise DataError(
                    f"the recording is cut off: its header promises {length:,} bytes of samples, "
                    f"and {there:,} are there; take it out, or copy it anew",
                    path=place,
                )
            return


def _array(row: npt.ArrayLike, place: str) -> Floats32:
    samples = np.asarray(row)
    if samples.ndim != 1 or samples.dtype.kind not in "iuf":
        raise DataError(
            f"{place} has shape {samples.shape} and type {samples.dtype}; expected the path of a "
            "recording, or its samples (N,)"
        )
    _check(samples, place)
    return samples.astype(np.float32)


def _check(samples: npt.NDArray[Any], place: str) -> None:
    if not samples.size or not np.isfinite(samples).all():
        what = "a sample is no finite number" if samples.size else "there are no samples"
        raise DataError(f"{what}; take the recording out, or make it anew", path=place)


def _unreadable(place: str, error: Exception) -> DataError:
    return DataError(
        f"this is no readable recording: {error}; expected a wav, flac, ogg or mp3 file",
        path=place,
    )
