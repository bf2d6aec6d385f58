"""One image, from a file or an array, as pixels of a wanted size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from relembra._errors import DataError, MissingExtraError

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Pixels", "import_images", "pixels_of", "resized"]

Pixels: TypeAlias = npt.NDArray[np.uint8]

_SHAPES = "(height, width), or (height, width, 3) for red, green and blue"


def pixels_of(picture: Any, place: str) -> Pixels:
    """Return the pixels of an image file, or of an array.

    Parameters
    ----------
    picture
        A path; or an array ``(H, W)`` or ``(H, W, 3)``, of bytes or of numbers from 0 to 1.
    place
        Its name in errors.

    Returns
    -------
    numpy.ndarray
        ``(H, W, 1)`` or ``(H, W, 3)`` uint8. What is transparent is white.

    Raises
    ------
    DataError
        It cannot be read, or is no image.
    MissingExtraError
        The package Pillow is not there, and a file is to be read.
    """
    return _read(picture, place) if isinstance(picture, Path) else _array(picture, place)


def resized(pixels: Pixels, height: int, width: int, *, colour: bool) -> Pixels:
    """Return an image of another size, in grey or in colour: ``(height, width, 1 or 3)``.

    Raises
    ------
    MissingExtraError
        The package Pillow is not there, and the image has another size or other colours.
    """
    if pixels.shape == (height, width, 3 if colour else 1):
        return pixels
    library = import_images()
    image = library.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    image = image.convert("RGB" if colour else "L")
    if image.size != (width, height):
        image = image.resize((width, height), library.Resampling.BILINEAR)
    return _bytes(image)


def import_images() -> Any:
    """Return the module `PIL.Image`."""
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError(
            "images need the package Pillow: pip install 'relembra[images]'"
        ) from error
    return Image


def _read(path: Path, place: str) -> Pixels:
    library = import_images()
    # Pillow has an error of its own for each way in which a format may be broken.
    broken = (OSError, SyntaxError, ValueError, EOFError, library.DecompressionBombError)
    try:
        with library.open(path) as image:
            return _bytes(_opaque(image, library))
    except broken as error:
        raise DataError(f"this is no readable image: {error}", path=place) from None


def _opaque(image: Image, library: Any) -> Image:
    """Return an image in grey or in colour, on white where it is transparent."""
    if image.mode.startswith(("I", "F")):  # more than a byte a pixel
        values = np.asarray(image, np.float64)
        top = 65535.0 if values.max(initial=0) > 255 else 255.0
        return library.fromarray((values.clip(0, top) * (255 / top)).astype(np.uint8))  # type: ignore[no-any-return]
    if image.has_transparency_data:
        white = library.new("RGBA", image.size, "white")
        image = library.alpha_composite(white, image.convert("RGBA"))
    grey = image.mode in ("1", "L", "LA")
    return image.convert("L" if grey else "RGB")


def _bytes(image: Image) -> Pixels:
    values = np.asarray(image, np.uint8)
    return values[..., None] if values.ndim == 2 else values


def _array(picture: npt.ArrayLike, place: str) -> Pixels:
    values = np.asarray(picture)
    if values.ndim == 2:
        values = values[..., None]
    if values.ndim != 3 or values.shape[2] not in (1, 3) or not values.size:
        raise DataError(f"{place} has shape {values.shape}; expected an image {_SHAPES}")
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind not in "fb" or not ((values >= 0) & (values <= 1)).all():
        raise DataError(
            f"{place} has type {values.dtype} or values outside of 0 to 1; expected an image of "
            "bytes (uint8), or of numbers from 0 to 1"
        )
    return np.round(values * 255.0).astype(np.uint8)
