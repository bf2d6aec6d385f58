"""Sequences of images: a folder of frames, a video, an array."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from relembra._errors import ArtifactError, ConfigError, DataError, MissingExtraError
from relembra._files import JSON
from relembra.data._encoded import Inputs, field
from relembra.data._frames import Frames
from relembra.data._gathering import gather
from relembra.data._media import each_medium, frame_files
from relembra.data._pictures import Pixels, pixels_of, resized
from relembra.data._ragged import Ragged
from relembra.data._types import Ints

__all__ = ["EncodedImages", "ImageSequence"]


@dataclass(frozen=True, eq=False)
class ImageSequence:
    """Sequences of images of one size, their brightness standardised by training data.

    A sequence is a folder of image files, in the order of their names (2 before 10), a video file
    (``relembra[video]``), or an array ``(T, H, W)`` or ``(T, H, W, 3)`` of bytes or of numbers
    from 0 to 1. Make one by :meth:`fit`.

    Parameters
    ----------
    height, width
        To which images are brought.
    every
        Of so many images one is taken.
    colour
        Red, green and blue rather than grey.
    mean, scale
        ``(1,)`` or ``(3,)`` float64: brightness in the training data, from 0 to 255.

    Examples
    --------
    >>> clips = np.zeros((2, 5, 16, 16), np.uint8)
    >>> feature = ImageSequence.fit(clips, height=16, width=16)
    >>> feature.encode(clips).batch([0]).values["images"].shape
    torch.Size([1, 5, 1, 16, 16])
    """

    kind: ClassVar[str] = "image_sequence"

    height: int
    width: int
    every: int
    colour: bool
    mean: Tensor
    scale: Tensor

    @classmethod
    def fit(
        cls,
        clips: Iterable[Any],
        *,
        height: int = 32,
        width: int = 32,
        every: int = 1,
        colour: bool = False,
    ) -> ImageSequence:
        """Measure training sequences.

        Parameters
        ----------
        clips
            Paths or arrays.
        height, width, every, colour
            See the class.

        Returns
        -------
        ImageSequence

        Raises
        ------
        ConfigError
            A setting makes no sense.
        DataError
            A sequence cannot be read or has no images, and is named; or there are none.
        MissingExtraError
            The package that reads images or videos is not there.
        """
        unit = torch.ones(3 if colour else 1, dtype=torch.float64)
        flat = cls(height, width, every, colour, 0 * unit, unit)._images(clips)
        if not len(flat):
            raise DataError("there are no sequences of images; expected at least one")
        values = flat.values.reshape(-1, len(unit))
        frames = Frames.fit(Ragged(values, np.array([0, len(values)], np.int64)))
        return cls(height, width, every, colour, frames.mean, frames.scale)

    def __post_init__(self) -> None:
        if min(self.height, self.width, self.every) < 1:
            raise ConfigError(
                f"height={self.height}, width={self.width}, every={self.every}; expected 1 or more"
            )

    @property
    def colours(self) -> int:
        """Numbers of a pixel: 1 or 3."""
        return len(self.mean)

    def encode(self, clips: Iterable[Any]) -> EncodedImages:
        """Return the images of sequences; on disk where they are more than a gigabyte.

        Raises
        ------
        DataError
            A sequence cannot be read or has no images; it is named.
        MissingExtraError
            The package that reads images or videos is not there.
        """
        return EncodedImages(self, self._images(clips))

    def to_json(self) -> dict[str, JSON]:
        """Return what rebuilds it, as JSON values."""
        return {"kind": self.kind} | {name: getattr(self, name) for name in _KINDS}

    def tensors(self) -> dict[str, Tensor]:
        """Return ``mean`` and ``scale``."""
        return {"mean": self.mean, "scale": self.scale}

    @classmethod
    def from_json(
        cls, values: Mapping[str, object], tensors: Mapping[str, Tensor]
    ) -> ImageSequence:
        """Return what :meth:`to_json` and :meth:`tensors` described.

        Raises
        ------
        ArtifactError
            The description is damaged.
        """
        settings: dict[str, Any] = {n: field(values, n, kind) for n, kind in _KINDS.items()}
        frames = Frames.from_json({"gaps": False}, tensors)
        try:
            return cls(**settings, mean=frames.mean, scale=frames.scale)
        except ConfigError as error:
            raise ArtifactError(f"the model's images are damaged: {error}") from None

    def _images(self, clips: Iterable[Any]) -> Ragged:
        shape = (self.height, self.width, self.colours)
        return gather((self._clip(*row) for row in each_medium(clips)), shape, np.uint8)

    def _clip(self, clip: Any, place: str) -> Pixels:
        images = [
            resized(pixels, self.height, self.width, colour=self.colour)
            for pixels in islice(_pixels(clip, place), 0, None, self.every)
        ]
        if not images:
            raise DataError("there are no images in it; expected one or more", path=place)
        return np.stack(images)


_KINDS: dict[str, Any] = {"height": int, "width": int, "every": int, "colour": bool}


@dataclass(frozen=True, eq=False)
class EncodedImages:
    """Sequences of images that are standardised batch by batch.

    Parameters
    ----------
    feature
        How.
    raw
        ``(T_i, height, width, colours)`` uint8.
    """

    feature: ImageSequence
    raw: Ragged

    @property
    def lengths(self) -> Ints:
        """``(n,)`` int64: the images of each row."""
        return self.raw.lengths

    def batch(self, indices: npt.ArrayLike) -> Inputs:
        """Return some rows as ``"images"`` ``(B, T, colours, height, width)`` float32."""
        rows = self.raw.take(indices)
        mean, scale = self.feature.mean.numpy(), self.feature.scale.numpy()
        values = ((rows.values - mean) / scale).astype(np.float32).transpose(0, 3, 1, 2)
        images, lengths = Ragged(values, rows.offsets).padded(np.arange(len(rows)))
        return Inputs({"images": images}, lengths)


def _pixels(clip: Any, place: str) -> Iterator[Pixels]:
    """Yield the images of a sequence."""
    if isinstance(clip, Path) and not clip.is_dir():
        yield from _video(clip, place)
    elif isinstance(clip, Path):
        for file in frame_files(clip):
            yield pixels_of(file, str(file))
    else:
        for number, image in enumerate(np.asarray(clip), 1):
            yield pixels_of(image, f"{place}, image {number}")


def _video(path: Path, place: str) -> Iterator[Pixels]:
    try:
        import av
    except ImportError as error:
        raise MissingExtraError(
            "videos need the package av: pip install 'relembra[video]'"
        ) from error
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise DataError("there are no images in it; expected a video", path=place)
            for frame in container.decode(video=0):
                yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    except (av.FFmpegError, OSError) as error:
        raise DataError(f"this is no readable video: {error}", path=place) from None
