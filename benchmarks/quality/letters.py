"""Handwritten-like letters from the system's fonts, as rows of pixels and as traced strokes.

    python -m benchmarks.quality.letters --seeds 0 1 2
    python -m benchmarks.quality.letters --form strokes

The small letters of every font that is installed, slanted, turned, stretched and bent at random, as
they stand on a line: a small letter is small, and a tail hangs below. A fifth of the font families,
chosen by the seed 0, is for the test: no font of them is seen in training. Settings were chosen by
`--tune`, which scores on another fifth. Needs the extra `quality`. Of Debian's packages these have
50 families:

    fonts-{averia-sans-gwf,averia-serif-gwf,breip,cabin,cantarell,comfortaa,comic-neue,
    crosextra-caladea,crosextra-carlito,dancingscript,dejavu-core,dejavu-extra,dkg-handwriting,
    ebgaramond,ecolier-court,fanwood,femkeklaver,freefont-ttf,goudybookletter,hack,humor-sans,
    inconsolata,inter,junction,jura,kaushanscript,kristi,lato,leckerli-one,liberation,
    linuxlibertine,lobster,monofur,oldstandard,open-sans,opendyslexic,play,quicksand,rufscript,
    sil-charis,sil-gentium-basic,urw-base35}
"""

from __future__ import annotations

import argparse
import string
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, map_coordinates

from benchmarks.quality._classifying import report
from benchmarks.quality._packages import needed
from benchmarks.quality._scores import Score, json_option, write_scores
from relembra.tasks import Classifier

Image, ImageDraw, ImageFont = map(needed, ("PIL.Image", "PIL.ImageDraw", "PIL.ImageFont"))

LETTERS = string.ascii_lowercase
SIDES = {"rows": 32, "strokes": 40}  # pixels of an image
DRAWN, SLACK = 64, 24
COPIES = 16
Array = np.ndarray[Any, Any]


def reach(font: ImageFont.FreeTypeFont) -> tuple[int, int]:
    """Return where the font's small letters begin and end, from above."""
    boxes = [font.getbbox(letter) for letter in LETTERS]
    return int(min(box[1] for box in boxes)), int(max(box[3] for box in boxes))


def glyph(font: ImageFont.FreeTypeFont, letter: str, line: tuple[int, int] | None = None) -> Array:
    """Return a letter as its ink, from 0 to 1, cut to its edges, or to those of its line."""
    left, top, right, bottom = font.getbbox(letter)
    top, bottom = line or (top, bottom)
    size = (max(int(right - left), 1), max(int(bottom - top), 1))
    image = Image.new("L", size)
    ImageDraw.Draw(image).text((-left, -top), letter, fill=255, font=font)
    return np.asarray(image, np.float64) / 255


def usable(font: ImageFont.FreeTypeFont) -> bool:
    """Tell whether a font has small letters: all of them, all different, lower than capitals."""
    shapes = [glyph(font, letter) for letter in LETTERS]
    codes = {shape.tobytes() for shape in shapes}
    if len(codes) < len(LETTERS) or any(shape.sum() < 20 for shape in shapes):
        return False
    small, capital = (np.mean([len(glyph(font, letter)) for letter in four])
                      for four in ("xzvs", "XZVS"))  # fmt: skip
    return bool(small < 0.92 * capital)


def squared(ink: Array, side: int) -> Array:
    """Return ink in the middle of a square of `side` pixels, with a margin of two."""
    height, width = ink.shape
    scale = (side - 4) / max(height, width)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    small = Image.fromarray((ink * 255).astype(np.uint8)).resize(size, Image.Resampling.BILINEAR)
    image = Image.new("L", (side, side))
    image.paste(small, ((side - size[0]) // 2, (side - size[1]) // 2))
    return np.asarray(image, np.float64) / 255


def families(folder: Path) -> dict[str, list[ImageFont.FreeTypeFont]]:
    """Return the usable fonts by family."""
    found: dict[str, list[ImageFont.FreeTypeFont]] = {}
    paths = [path for path in folder.rglob("*") if path.suffix.lower() in (".ttf", ".otf")]
    for path in sorted(paths):
        try:
            font = ImageFont.truetype(str(path), DRAWN)
            if usable(font):
                found.setdefault(str(font.getname()[0]).split()[0], []).append(font)
        except OSError as error:
            print(f"left out: {path}: {error}")
    return found


def bent(ink: Array, chance: np.random.Generator, side: int) -> Array:
    """Return a letter as another hand would write it."""
    ink = np.pad(ink, SLACK)
    height, width = ink.shape
    turn, slant = chance.uniform(-0.15, 0.15), chance.uniform(-0.25, 0.25)
    stretch = chance.uniform(0.8, 1.25)
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    matrix = matrix @ np.array([[1.0, 0.0], [slant, stretch]])
    middle = np.array([height, width])[:, None, None] / 2
    places = np.indices(ink.shape) - middle
    waves = [gaussian_filter(chance.standard_normal(ink.shape), 8) * 60 for _ in range(2)]
    source = np.einsum("ij,jhw->ihw", matrix, places) + middle + np.stack(waves)
    drawn = map_coordinates(ink, source, order=1)
    columns = np.flatnonzero((drawn > 0.3).any(0))
    if not len(columns):
        return squared(ink, side)
    edge = SLACK // 2  # above and below the line's letters, for what was bent out of it
    return squared(drawn[edge:-edge, columns[0] : columns[-1] + 1], side)


def traced(image: Array) -> Array:
    """Return a letter's strokes (T, 5): where the pen goes, whether it was lifted, where it is.

    The strokes are the skeleton's pixels, walked as straight as they go, from above on.
    """
    skeleton = needed("skimage.morphology").skeletonize(image > 0.35)
    left = set(map(tuple, np.argwhere(skeleton).tolist()))
    if not left:
        left = {tuple(np.unravel_index(image.argmax(), image.shape))}
    path: list[tuple[int, int, int]] = []
    while left:
        place, lifted = min(left, key=lambda p: (_neighbours(p, left), p)), 1
        heading = (1, 0)
        while place is not None:
            left.discard(place)
            path.append((*place, lifted))
            place, heading = _next(place, heading, left)
            lifted = 0
    points, side = np.array(path, np.float64), len(image)
    moves = np.diff(points[:, :2], axis=0, prepend=points[:1, :2])
    where = (points[:, :2] - side / 2) / (side / 4)
    return np.concatenate([moves / 2, points[:, 2:], where], 1).astype(np.float32)


def _neighbours(place: tuple[int, int], left: set[tuple[int, int]]) -> int:
    y, x = place
    return sum((y + a, x + b) in left for a in (-1, 0, 1) for b in (-1, 0, 1) if a or b)


def _next(place: Any, heading: Any, left: set[tuple[int, int]]) -> tuple[Any, Any]:
    """Return the pixel beside that is most straight ahead, and the new heading."""
    steps = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1) if a or b]
    open_ = [s for s in steps if (place[0] + s[0], place[1] + s[1]) in left]
    if not open_:
        return None, heading
    best = max(open_, key=lambda s: (s[0] * heading[0] + s[1] * heading[1]) / np.hypot(*s))
    turned = (0.5 * heading[0] + best[0], 0.5 * heading[1] + best[1])
    return (place[0] + best[0], place[1] + best[1]), turned


def draw(
    fonts: list[ImageFont.FreeTypeFont], copies: int, seed: int, side: int
) -> tuple[Array, Array]:
    """Return images (n, side, side) and their letters."""
    chance = np.random.default_rng(seed)
    images, labels = [], []
    for font in fonts:
        line = reach(font)
        for letter in LETTERS:
            ink = glyph(font, letter, line)
            images += [bent(ink, chance, side) for _ in range(copies)]
            labels += [letter] * copies
    return np.stack(images), np.array(labels)


def split(
    every: dict[str, list[ImageFont.FreeTypeFont]], tune: bool
) -> tuple[list[Any], list[Any]]:
    """Return the fonts to learn from, and those to score on: of other families."""
    names = np.random.default_rng(0).permutation(sorted(every)).tolist()
    count = len(names) // 5
    test, rest = names[:count], names[count:]
    if tune:
        test, rest = rest[:count], rest[count:]
    return [f for n in rest for f in every[n]], [f for n in test for f in every[n]]


def model(form: str, seed: int, steps: int) -> Classifier:
    """Return the classifier."""
    return Classifier("rows" if form == "rows" else "frames").set_params(
        training__seed=seed,
        training__batch_size=128,
        training__steps=steps,
        training__evaluate_every=max(steps // 12, 1),
        training__average=0.998,
        trunk__units=128,
        trunk__dropout=0.3,
        embedding__step_mask=0.1,
        embedding__band_mask=0.15 if form == "rows" else 0.0,
    )


def main() -> None:
    """Print the accuracy of each seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fonts", type=Path, default=Path("/usr/share/fonts"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--form", choices=("rows", "strokes"), default="rows")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--tune", action="store_true", help="score on other families of training")
    json_option(parser)
    args = parser.parse_args()
    if args.form == "strokes":
        needed("skimage.morphology")
    torch.set_num_threads(1)
    every = families(args.fonts)
    early, late = split(every, args.tune)
    if not early or not late:
        parser.error(f"{len(every)} font families in {args.fonts} are too few; install more")
    print(f"{len(every)} families; {len(early)} fonts to learn from, {len(late)} to score on")
    side = SIDES[args.form]
    train, test = draw(early, COPIES, 1, side), draw(late, 2, 2, side)
    shape = (lambda images: images) if args.form == "rows" else (lambda x: list(map(traced, x)))
    rows: list[tuple[str, float, float]] = []
    scores: list[Score] = []
    for seed in args.seeds:
        began = time.process_time()
        fitted = model(args.form, seed, args.steps).fit(shape(train[0]), train[1])
        seconds = time.process_time() - began
        rows.append((f"seed {seed}", float(fitted.score(shape(test[0]), test[1])), seconds))
        print(rows[-1], flush=True)
        cell = fitted.recipe_.trunk.cell
        scores.append({"model": cell, "seed": seed, "accuracy": rows[-1][1]})
    write_scores(args, scores)
    report(f"Letters as {args.form}", rows)


if __name__ == "__main__":
    main()
