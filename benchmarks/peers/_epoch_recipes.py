"""The recipes whose epochs are timed: each calls `fit` of its estimator on its data.

Variants of them have the same networks. The forecasts have no twin: that network is of no shape
that people write in torch.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.quality import (
    atis_slots,
    ewt_upos,
    fsdd,
    gestures,
    jsb_chorales,
    letters,
    machado,
    mnist,
    movie_reviews,
    splice,
    tiny_shakespeare,
    uea,
    what_happens,
)
from relembra.data import read_frames, read_texts
from relembra.tasks import Classifier

STEPS = 20
FONTS = Path("/usr/share/fonts")
SIDE = letters.SIDES["rows"]
MADE_UP = (8000, SIDE, SIDE)  # images, where there are too few fonts
Fit = Callable[[Path], object]


def characters(data: Path) -> object:
    """Tiny Shakespeare."""
    text, validation, _ = tiny_shakespeare.read(data / "language_model" / "tiny_shakespeare")
    return tiny_shakespeare.recipe(0, STEPS).fit(text, validation=validation)


def novels(data: Path) -> object:
    """Machado de Assis."""
    text = machado.read(data / "language_model" / "machado_de_assis")
    first = int(0.8 * len(text))
    validation = text[first : first + 10_000]
    return machado.recipe(0, STEPS).fit(text[:first], validation=validation)


def music(data: Path) -> object:
    """JSB chorales."""
    training, validation, _ = jsb_chorales.read(data / "music_genome_gesture" / "polyphonic_music")
    return jsb_chorales.recipe(0, steps=STEPS).fit(training, validation=validation)


def words(data: Path) -> object:
    """EWT, words beside their letters."""
    part = ewt_upos.read(data / "sequence_labelling" / "ud", "train")
    return ewt_upos.recipe(part, 0, "lstm", 1).fit(*part)


def slots(data: Path) -> object:
    """ATIS, the same with a chain over the tags."""
    part = atis_slots.read(data / "sequence_labelling" / "atis", "train")
    return atis_slots.recipe(part, 0, "lstm", 1).fit(*part)


def signs(data: Path) -> object:
    """Libras: films of gestures whose beginnings and ends are known."""
    train = read_frames(data / "seq_classification" / "uea" / "Libras.npz", part="train")
    labels = train.labels or []
    rows = [train.frames[i] for i in range(len(labels))]
    copies = gestures.COPIES["Libras"]
    made = gestures.films(rows, labels, np.random.default_rng(0), copies=copies)
    return gestures.recipe(0, "lstm", 1).fit(*made[:2], segments=made[2])


def clips(data: Path) -> object:
    """What happens at each frame of a clip; the clips are drawn."""
    part = what_happens.clips("train")
    return what_happens.recipe(part, 0, "lstm", 1).fit(*part)


def reviews(data: Path) -> object:
    """Sentences of film reviews."""
    return Classifier().fit(*movie_reviews.read(data / "text_classification" / "mr_subj"))


def tweets(data: Path) -> object:
    """Portuguese tweets (ToLD-Br)."""
    place = data / "text_classification" / "pt_told_br" / "told_br.tsv.gz"
    found = read_texts(place, text="text", label="toxic")
    return Classifier().fit(found.texts, found.labels)


def genes(data: Path) -> object:
    """Splice junctions in DNA."""
    sequences, labels = splice.read(data / "music_genome_gesture" / "splice")
    count = splice.TRAINING
    return splice.model(0).fit(sequences[:count], labels[:count])


def frames(data: Path) -> object:
    """Epilepsy of the UEA archive: 206 steps of 3 numbers."""
    part = uea.read(data / "seq_classification" / "uea", "Epilepsy", "train")
    # The twin's loss takes labels as they are; smoothing costs nothing.
    return Classifier(label_smoothing=0.0).fit(part.rows, part.labels)


def digits(data: Path) -> object:
    """FSDD: recordings, the official split."""
    every = fsdd.read(data / "ctc" / "fsdd" / "fsdd_recordings.tar.xz")
    [(_, train, _)] = fsdd.parts(every, "official", False)
    model = fsdd.model(train, 0, STEPS)
    return model.fit([one.samples for one in train], [one.digit for one in train])


def _mnist(data: Path, order: str) -> object:
    place = data / "seq_classification" / "mnist"
    names = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")
    return mnist.model(order, 0, 1).fit(*(mnist.read(place / name) for name in names))


def rows(data: Path) -> object:
    """MNIST, row by row."""
    return _mnist(data, "rows")


def pixels(data: Path) -> object:
    """MNIST, pixel by pixel."""
    return _mnist(data, "pixels")


def glyphs(data: Path) -> object:
    """Letters of the system's fonts as rows of pixels, or made-up images where these are few."""
    known = letters.families(FONTS)
    early, late = letters.split(known, False) if known else ([], [])
    if early and late:  # each is drawn once: what is in the copies takes no other time
        images, labels = (np.repeat(x, letters.COPIES, 0) for x in letters.draw(early, 1, 1, SIDE))
    else:
        chance = np.random.default_rng(0)
        images = chance.random(MADE_UP)
        labels = chance.choice(list(letters.LETTERS), len(images))
    return letters.model("rows", 0, STEPS).fit(images, labels)
