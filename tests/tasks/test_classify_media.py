"""One label for a recording, an image, a sequence of images."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from tests.data.media import RATE, bar, draw, film, record, tone
from tests.tasks.test_classify import small

from relembra import ConfigError, DataError
from relembra.data import Audio, ImageScan, ImageSequence
from relembra.tasks import Classifier
from relembra.tasks._sequence import DEFAULT_EMBEDDING, make_encoder
from relembra.tasks.classify import build_report, evaluate_all, read_labelled


def recordings(folder, count=16):
    """Write high and low tones into the folders of their labels."""
    for i in range(count):
        label = "high" if i % 2 else "low"
        record(folder / label / f"{i}.wav", tone(1200 + 31 * i if i % 2 else 300 + 7 * i, 0.1))
    return folder


def images(folder, count=16):
    """Write images with a bright row above or below into the folders of their labels."""
    for i in range(count):
        draw(folder / ("below" if i % 2 else "above") / f"{i}.png", bar(8 if i % 2 else 2, seed=i))
    return folder


def clips(folder, count=12):
    """Write clips of a bright row that rises or falls: folders of frames, and a video."""
    for i in range(count):
        places = range(1, 7) if i % 2 else range(6, 0, -1)
        frames = np.stack([bar(2 * place, 16, 16, seed=i) for place in places])
        label = folder / ("falls" if i % 2 else "rises")
        if i == 0:
            film(label / "0.avi", frames)
        for number, frame in enumerate(frames) if i else ():
            draw(label / str(i) / f"{number}.png", frame)
    return folder


def read(make, folder):
    found = read_labelled(make(folder))
    return found.rows, found.labels


@pytest.mark.parametrize(
    ("make", "features", "kind"),
    [
        (recordings, "auto", Audio),
        (images, "auto", ImageScan),
        (images, "columns", ImageScan),
        (images, "pixels", ImageScan),
        (clips, "auto", ImageSequence),
    ],
)
def test_files_are_learned_alike_alone_and_saved(make, features, kind, tmp_path) -> None:
    rows, labels = read(make, tmp_path / "data")
    steps = 8 if features in ("columns", "pixels") else 60
    noise = {"embedding__band_mask": 0.1, "embedding__step_mask": 0.1}
    model = small(features=features, training__steps=steps, **noise).fit(rows, labels)
    assert isinstance(model.feature_, kind)
    if steps == 60:
        assert model.score(rows, labels) > 0.9
    chances = model.predict_proba(rows)
    alone = np.concatenate([model.predict_proba([row]) for row in rows])
    assert np.array_equal(chances, alone)
    model.save(tmp_path / "model.safetensors")
    loaded = Classifier.load(tmp_path / "model.safetensors")
    assert np.array_equal(loaded.predict_proba(rows), chances)


def test_another_process_answers_alike_bit_for_bit(tmp_path) -> None:
    program = (
        "import sys, pathlib, numpy as np\n"
        "from relembra.tasks import Classifier\n"
        "from relembra.tasks.classify import chunks_of\n"
        "for name in sys.argv[1:]:\n"
        "    (rows,) = chunks_of(name + '-data', clips='clips' in name)\n"
        "    np.save(name, Classifier.load(name).predict_proba(rows))"
    )
    expected = {}
    for make in (recordings, images, clips):
        path = tmp_path / make.__name__
        rows, labels = read(make, tmp_path / f"{make.__name__}-data")
        model = small(training__steps=4).fit(rows, labels)
        model.save(path)
        expected[path] = model.predict_proba(rows)
    subprocess.run([sys.executable, "-c", program, *map(str, expected)], check=True)
    for path, chances in expected.items():
        assert np.array_equal(np.load(f"{path}.npy"), chances)


def test_arrays_of_samples_and_of_images(tmp_path) -> None:
    tones = [tone(300 + 900 * (i % 2), 0.1) for i in range(12)]
    y = np.arange(12) % 2
    feature = Audio.fit(tones, rate=RATE, bands=12)
    assert small(features=feature, training__steps=40).fit(tones, y).score(tones, y) > 0.9
    pictures = np.stack([bar(8 if i % 2 else 2, seed=i) for i in range(12)])
    for given in (pictures, list(pictures), pictures / 255, np.stack([pictures] * 3, 3)):
        model = small(features="rows", training__steps=40).fit(given, y)
        assert model.score(given, y) > 0.9
    assert model.feature_.colour


def test_noise_is_a_function_of_the_seed(tmp_path) -> None:
    rows, labels = read(recordings, tmp_path)
    noise = {"embedding__warp": 0.2, "embedding__tempo": 0.3, "training__steps": 6}
    one, same, plain = (
        small(**settings).fit(rows, labels).predict_proba(rows)
        for settings in (noise, noise, {"training__steps": 6})
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one, plain)


def test_the_report_names_the_files_that_are_mistaken(tmp_path) -> None:
    for make, where in ((recordings, " s"), (images, "rows "), (clips, "steps ")):
        data = read_labelled(make(tmp_path / make.__name__))
        model = small(training__steps=30).fit(data.rows, data.labels)
        wrong = type(data)(data.rows, data.labels[::-1].copy(), data.notes)
        found = evaluate_all([("model", model)], wrong.rows, wrong.labels)
        report = build_report("a folder", model, wrong, found, "rows").html()
        worst = wrong.rows[found[0].mistakes(1)[0]]
        assert f"{worst.parent.name}/{worst.name}" in report
        assert where in report.split("The worst mistakes")[-1]
        assert ('<img alt="" src="data:image/png' in report) == (make is images)


def test_what_does_not_fit_is_said(tmp_path) -> None:
    rows, labels = read(images, tmp_path / "data")
    with pytest.raises(ConfigError, match="features='words' does not fit X, which holds paths"):
        small(features="words").fit(rows, labels)
    with pytest.raises(DataError, match=r"odd\.xyz: by its name it is neither"):
        small().fit([tmp_path / "odd.xyz", tmp_path / "even.xyz"] * 4, [0, 1] * 4)
    with pytest.raises(DataError, match="put it into brackets"):
        small().fit(rows[0], labels[:1])
    with pytest.raises(DataError, match="part 'train' was asked for"):
        read_labelled(tmp_path / "data", part="train")
    rows[3].write_bytes(b"no image")
    with pytest.raises(DataError, match=f"{rows[3].name}: this is no readable image"):
        small().fit(rows, labels)
    model = small(trunk__bidirectional=False, training__steps=2).fit(rows[4:], labels[4:])
    with pytest.raises(ConfigError, match="cannot be streamed"):
        model.stream()


def test_encoders_of_images_and_their_sizes() -> None:
    feature = ImageSequence.fit(np.zeros((1, 2, 8, 8), np.uint8), height=8, width=8)
    encoder = make_encoder(feature, DEFAULT_EMBEDDING)
    assert encoder.output_size == DEFAULT_EMBEDDING.size
