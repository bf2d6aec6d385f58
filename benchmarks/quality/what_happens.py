"""What happens at every frame of a film, where one frame alone does not tell.

    python -m benchmarks.quality.what_happens --seeds 0 1 2

Clips of a ball, 12 x 8 grey pixels a frame: it rises, falls, bounces off the floor, rests on it, is
hidden by a curtain. A still picture shows a ball in the air, or on the floor, but not which of two
things it does. Noise on every pixel. The ball of the test clips moves at speeds that training never
saw. Nothing is downloaded: the clips are drawn from the seed.
"""

from __future__ import annotations

import argparse

import numpy as np

from benchmarks.quality._tagging import Part, arguments, run
from relembra.nn import Trunk
from relembra.tasks import Tagger
from relembra.tasks._sequence import Embedding
from relembra.training import Training

HEIGHT, WIDTH, FRAMES, NOISE = 12, 8, 60, 0.2
TRAINED = (0.5, 0.55, 0.65, 0.7, 0.75, 0.85, 0.9, 0.95, 1.05, 1.1)  # pixels a frame
UNSEEN = (0.6, 0.8, 1.0)
CLIPS = {"train": 600, "dev": 100, "test": 300}


def clip(draw: np.random.Generator, speed: float) -> tuple[np.ndarray, list[str]]:
    """Return frames (FRAMES, HEIGHT * WIDTH) and what happens at each."""
    height, way = draw.uniform(1, HEIGHT - 2), float(draw.choice([-1, 1]))
    place, drift = draw.uniform(1, WIDTH - 2), draw.uniform(-0.05, 0.05)
    curtain = draw.uniform(4, HEIGHT - 4) if draw.random() < 0.7 else np.inf  # its lower edge
    frames, tags, resting = [], [], 0
    for _ in range(FRAMES):
        tag = "rises" if way > 0 else "falls"
        if resting:
            resting, tag = resting - 1, "rests"
        else:
            height += way * speed
            if height <= 0:
                height, way, tag = 0.0, 1.0, "bounces"
                resting = int(draw.integers(3, 8)) if draw.random() < 0.4 else 0
            elif height >= HEIGHT - 1:
                height, way = HEIGHT - 1.0, -1.0
        place = float(np.clip(place + drift, 1, WIDTH - 2))
        if curtain <= height <= curtain + 3:
            tag = "hidden"
        frames.append(picture(height, place, tag == "hidden"))
        tags.append(tag)
    noisy = np.array(frames) + draw.normal(0, NOISE, (FRAMES, HEIGHT * WIDTH))
    return noisy.astype(np.float32), tags


def picture(height: float, place: float, hidden: bool) -> np.ndarray:
    """Return a frame without noise, (HEIGHT * WIDTH,)."""
    rows, columns = np.arange(HEIGHT)[:, None] - height, np.arange(WIDTH)[None] - place
    return (0.0 if hidden else 1.0) * np.exp(-(rows**2 + columns**2) / 2).ravel()


def clips(part: str) -> Part:
    """Return the clips of train, dev or test and their tags; dev has the speeds of training."""
    draw = np.random.default_rng([20, list(CLIPS).index(part)])
    speeds = UNSEEN if part == "test" else TRAINED
    made = [clip(draw, float(draw.choice(speeds))) for _ in range(CLIPS[part])]
    return [frames for frames, _ in made], [tags for _, tags in made]


def recipe(train: Part, seed: int, cell: str, epochs: int) -> Tagger:
    """Return the tagger."""
    bidirectional = cell != "feedforward"
    return Tagger(
        embedding=Embedding(frames=32),
        trunk=Trunk(cell=cell, units=64, bidirectional=bidirectional),
        training=Training(
            epochs=epochs,
            batch_size=16,
            learning_rate=5e-3,
            schedule="cosine",
            warmup=50,
            average=0.99,
            evaluate_every=None,
            patience=None,
            seed=seed,
        ),
    )


def main() -> None:
    """Draw the clips, train, tag those of the test, print the table."""
    options = arguments(argparse.ArgumentParser(description=__doc__), epochs=15)
    parts = [clips(name) for name in CLIPS]
    run("What happens, test clips at unseen speeds", recipe, parts, options, baseline=False)


if __name__ == "__main__":
    main()
