"""Images as sequences: rows, columns, patches or pixels in the order of a scan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from relembra._errors import ArtifactError, ConfigError, DataError
from relembra._files import JSON
from relembra.data._encoded import field
from relembra.data._frames import EncodedFrames, Frames
from relembra.data._gathering import gather
from relembra.data._media import each_medium
from relembra.data._pictures import Pixels, pixels_of, resized
from relembra.data._ragged import Ragged

__all__ = ["ImageScan", "Scan"]

Scan = Literal["rows", "columns", "patches"]

_LARGEST = 64


@dataclass(frozen=True, eq=False)
class ImageScan:
    """Images as sequences of their rows, columns or patches, standardised by training data.

    An image is a file, or an array ``(H, W)`` or ``(H, W, 3)`` of bytes or of numbers from 0 to 1.
    Files, and arrays of another size, need the extra ``images``. Make one by :meth:`fit`.

    Parameters
    ----------
    scan
        A step is a row from the top on, a column from the left on, or a square patch, row by row.
    patch
        Pixels of a patch's side; 1 is pixel by pixel.
    height, width
        To which images are brought; where one is 0, it follows from the other and the image.
    colour
        Red, green and blue rather than grey.
    mean, scale
        ``(1,)`` or ``(3,)`` float64: brightness in the training data, from 0 to 255.

    Examples
    --------
    >>> images = np.zeros((2, 4, 6), np.uint8)
    >>> ImageScan.fit(images, scan="columns").encode(images).batch([0]).values["frames"].shape
    torch.Size([1, 6, 4])
    >>> ImageScan.fit(images, scan="patches", patch=2).encode(images).lengths.tolist()
    [6, 6]
    """

    kind: ClassVar[str] = "image_scan"

    scan: Scan
    patch: int
    height: int
    width: int
    colour: bool
    mean: Tensor
    scale: Tensor

    @classmethod
    def fit(
        cls,
        images: Iterable[Any],
        *,
        scan: Scan = "rows",
        patch: int = 1,
        height: int | None = None,
        width: int | None = None,
        colour: bool | None = None,
    ) -> ImageScan:
        """Measure training images.

        Parameters
        ----------
        images
            Paths or arrays.
        scan, patch
            See the class.
        height, width
            Pixels; 0 keeps the aspect of each image. When both are None, the size that all images
            have; where it is more than 64 pixels, or they differ, a row's width (a column's
            height, both for patches) is the median, 64 at most, and rows keep the aspect.
        colour
            Whether any image has colour when None.

        Returns
        -------
        ImageScan

        Raises
        ------
        ConfigError
            A setting makes no sense.
        DataError
            An image cannot be read, and is named; or there are none.
        MissingExtraError
            The package Pillow is needed, and not there.
        """
        rows = list(each_medium(images))
        shapes = np.array([pixels_of(row, place).shape for row, place in rows])
        if not len(shapes):
            raise DataError("there are no images; expected at least one")
        if height is None and width is None:
            height, width = _size(shapes[:, :2], scan, patch)
        if colour is None:
            colour = bool((shapes[:, 2] == 3).any())
        unit = torch.ones(3 if colour else 1, dtype=torch.float64)
        raw = cls(scan, patch, height or 0, width or 0, colour, 0 * unit, unit)._scanned(rows)
        flat = raw.values.reshape(-1, len(unit))
        frames = Frames.fit(Ragged(flat, np.array([0, len(flat)], np.int64)))
        return cls(scan, patch, height or 0, width or 0, colour, frames.mean, frames.scale)

    def __post_init__(self) -> None:
        sizes = (self.height, self.width)
        if self.scan not in get_args(Scan):
            raise ConfigError(f"unknown scan {self.scan!r}; known: {', '.join(get_args(Scan))}")
        if self.patch < 1 or min(sizes) < 0 or not any(sizes):
            raise ConfigError(
                f"patch={self.patch}, height={self.height}, width={self.width}: expected a side of "
                "1 or more, and a height or width of 1 or more; 0 keeps the aspect"
            )
        fixed = {"rows": self.width, "columns": self.height}.get(self.scan, 1)
        if not fixed:
            name = "width" if self.scan == "rows" else "height"
            raise ConfigError(f"{self.scan} need a {name}: all steps are of one length")
        if self.scan == "patches" and any(size % self.patch for size in sizes):
            raise ConfigError(
                f"patches of side {self.patch} do not fill {self.height} × {self.width} pixels; "
                "take multiples of the side"
            )

    @property
    def bands(self) -> int:
        """Numbers of a step, colours included."""
        pixels = {"rows": self.width, "columns": self.height}.get(self.scan, self.patch**2)
        return pixels * len(self.mean)

    @property
    def channels(self) -> int:
        """Numbers of a step, colours included."""
        return self.bands

    def encode(self, images: Iterable[Any]) -> EncodedFrames:
        """Return the steps of images; on disk where they are more than a gigabyte.

        Raises
        ------
        DataError
            An image cannot be read; it is named.
        MissingExtraError
            The package Pillow is needed, and not there.
        """
        times = self.bands // len(self.mean)
        frames = Frames(self.mean.repeat(times), self.scale.repeat(times), gaps=False)
        return EncodedFrames(frames, self._scanned(each_medium(images)))

    def to_json(self) -> dict[str, JSON]:
        """Return what rebuilds it, as JSON values."""
        return {"kind": self.kind} | {name: getattr(self, name) for name in _KINDS}

    def tensors(self) -> dict[str, Tensor]:
        """Return ``mean`` and ``scale``."""
        return {"mean": self.mean, "scale": self.scale}

    @classmethod
    def from_json(cls, values: Mapping[str, object], tensors: Mapping[str, Tensor]) -> ImageScan:
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

    def _scanned(self, rows: Iterable[tuple[Any, str]]) -> Ragged:
        """Return the steps of images as bytes."""
        return gather((self._steps(*row) for row in rows), (self.bands,), np.uint8)

    def _steps(self, image: Any, place: str) -> Pixels:
        pixels = pixels_of(image, place)
        pixels = resized(pixels, *self._target(*pixels.shape[:2]), colour=self.colour)
        if self.scan == "columns":
            pixels = pixels.swapaxes(0, 1)
        if self.scan != "patches":
            return pixels.reshape(len(pixels), -1)
        side, (height, width, colours) = self.patch, pixels.shape
        squares = pixels.reshape(height // side, side, width // side, side, colours)
        return squares.swapaxes(1, 2).reshape(-1, side * side * colours)

    def _target(self, height: int, width: int) -> tuple[int, int]:
        """Return to which size an image is brought."""
        unit = self.patch if self.scan == "patches" else 1
        if not self.height:
            return max(round(height * self.width / width / unit), 1) * unit, self.width
        if not self.width:
            return self.height, max(round(width * self.height / height / unit), 1) * unit
        return self.height, self.width


_KINDS: dict[str, Any] = {"scan": str, "patch": int, "height": int, "width": int, "colour": bool}


def _size(sizes: np.ndarray[Any, Any], scan: Scan, patch: int) -> tuple[int, int]:
    """Return height and width for images of these heights and widths."""
    unit = patch if scan == "patches" else 1
    typical = np.median(sizes, axis=0)
    height, width = (max(round(min(side, _LARGEST) / unit), 1) * unit for side in typical)
    if scan == "patches" or ((sizes == typical).all() and typical.max() <= _LARGEST):
        return height, width
    return (0, width) if scan == "rows" else (height, 0)
