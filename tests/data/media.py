"""Tiny recordings, images and videos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

RATE = 8000


def tone(pitch, seconds=0.2, rate=RATE):
    """Return a sine in noise."""
    time = np.arange(int(seconds * rate)) / rate
    noise = np.random.default_rng(int(pitch)).standard_normal(len(time))
    return (0.5 * np.sin(2 * np.pi * pitch * time) + 0.01 * noise).astype(np.float32)


def record(path, samples, rate=RATE, **options):
    """Write a recording, and the folders above it."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, **options)
    return Path(path)


def draw(path, pixels):
    """Write an image, and the folders above it."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)
    return Path(path)


def bar(place, height=12, width=10, seed=0):
    """Return an image with a bright row."""
    pixels = np.random.default_rng(seed).integers(0, 40, (height, width)).astype(np.uint8)
    pixels[place] = 250
    return pixels


def film(path, images):
    """Write a video of images ``(T, H, W)``."""
    import av

    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.height, stream.width = images.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for image in images:
            colours = np.repeat(image[..., None], 3, 2)
            for packet in stream.encode(av.VideoFrame.from_ndarray(colours, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return Path(path)
