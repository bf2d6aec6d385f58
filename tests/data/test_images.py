"""Images and sequences of images."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from PIL import Image
from tests.data.media import bar, draw, film

from relembra._errors import ArtifactError, ConfigError, DataError, MissingExtraError
from relembra.data import ImageScan, ImageSequence, feature_from_json


def steps(feature, image):
    """Return the steps of an image, (T, K), back in bytes."""
    values = feature.encode([image]).batch([0]).values["frames"][0].double()
    times = values.shape[1] // len(feature.mean)
    return (values * feature.scale.repeat(times) + feature.mean.repeat(times)).round().int().numpy()


def test_the_order_of_each_scan() -> None:
    image = np.arange(24, dtype=np.uint8).reshape(4, 6)
    fit = ImageScan.fit
    assert np.array_equal(steps(fit([image]), image), image)
    assert np.array_equal(steps(fit([image], scan="columns"), image), image.T)
    pixels = steps(fit([image], scan="patches", patch=1), image)
    assert pixels[:, 0].tolist() == list(range(24))
    patches = steps(fit([image], scan="patches", patch=2), image)
    assert patches[:2].tolist() == [[0, 1, 6, 7], [2, 3, 8, 9]]
    assert patches[-1].tolist() == [16, 17, 22, 23]


def test_colours_stand_side_by_side_and_have_means_of_their_own() -> None:
    image = np.random.default_rng(0).integers(0, 256, (4, 4, 3)).astype(np.uint8)
    feature = ImageScan.fit([image], scan="patches", patch=2)
    assert feature.mean.tolist() == pytest.approx(image.reshape(-1, 3).mean(0).tolist())
    assert feature.scale.tolist() == pytest.approx(image.reshape(-1, 3).std(0).tolist())
    assert steps(feature, image)[1].tolist() == image[:2, 2:].reshape(-1).tolist()
    grey = ImageScan.fit([image], colour=False)
    assert (grey.channels, steps(grey, image).shape) == (4, (4, 4))


def test_sizes_from_the_data_and_by_wish(tmp_path) -> None:
    wide, high = bar(2, 20, 40), bar(2, 60, 20)
    feature = ImageScan.fit([wide, high, high], width=10, height=0)
    assert feature.encode([wide, high]).lengths.tolist() == [5, 30]
    guessed = ImageScan.fit([wide, high, high], scan="columns")
    assert (guessed.height, guessed.width) == (60, 0)
    assert guessed.encode([wide, high]).lengths.tolist() == [120, 20]
    large = ImageScan.fit([np.zeros((200, 100), np.uint8)] * 2)
    assert (large.height, large.width) == (0, 64)
    patches = ImageScan.fit([wide, high], scan="patches", patch=7)
    assert (patches.height, patches.width) == (42, 28)
    assert patches.encode([wide]).lengths.tolist() == [24]
    both = ImageScan.fit([wide], height=8, width=8)
    assert both.encode([draw(tmp_path / "a.png", wide)]).lengths.tolist() == [8]


def test_files_of_all_kinds_equal_arrays(tmp_path) -> None:
    image = bar(3)
    feature = ImageScan.fit([image])
    expected = steps(feature, image)
    for ending in ("png", "bmp", "tif", "gif", "pgm"):
        path = draw(tmp_path / f"a.{ending}", image)
        assert np.array_equal(steps(feature, path), expected), ending
    assert np.array_equal(steps(feature, image / 255), expected)
    deep = tmp_path / "deep.png"
    Image.fromarray(image.astype(np.uint16) * 257).save(deep)
    assert np.array_equal(steps(feature, deep), expected)
    clear = np.dstack([np.zeros((12, 10, 3), np.uint8), 255 - image])
    opaque = np.asarray(steps(feature, draw(tmp_path / "clear.png", clear)))
    assert np.array_equal(opaque, expected)  # black that lets as much white through


def test_a_batch_is_what_its_rows_are_alone_and_a_description_rebuilds() -> None:
    rows = [bar(k, 8 + k, 10) for k in range(5)]
    feature = ImageScan.fit(rows, width=10)
    again = feature_from_json(feature.to_json(), feature.tensors())
    inputs = again.encode(rows).batch([4, 0])
    for place, row in enumerate((4, 0)):
        alone = feature.encode([rows[row]]).batch([0]).values["frames"][0]
        assert torch.equal(inputs.values["frames"][place, : len(alone)], alone)
    assert inputs.lengths.tolist() == [12, 8]
    assert feature.encode([]).lengths.tolist() == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scan": "spiral"}, "unknown scan 'spiral'; known: rows, columns, patches"),
        ({"height": 8}, "rows need a width"),
        ({"scan": "columns", "width": 8}, "columns need a height"),
        ({"scan": "patches", "patch": 3, "width": 10, "height": 9}, "do not fill 9 × 10"),
        ({"patch": 0}, "patch=0"),
    ],
)
def test_settings_that_make_no_sense(settings, message) -> None:
    with pytest.raises(ConfigError, match=message):
        ImageScan.fit([bar(1)], **settings)


def test_images_that_cannot_be_read_are_named(tmp_path) -> None:
    good = draw(tmp_path / "good.png", bar(1))
    broken, cut = tmp_path / "broken.png", tmp_path / "cut.png"
    broken.write_bytes(b"no image")
    cut.write_bytes(good.read_bytes()[:60])
    feature = ImageScan.fit([good])
    for path in (broken, cut, tmp_path / "missing.png"):
        with pytest.raises(DataError, match=f"{path.name}: this is no readable image"):
            feature.encode([good, path])
    with pytest.raises(DataError, match=r"row 2 has shape \(2, 3, 4\)"):
        feature.encode([bar(1), np.zeros((2, 3, 4), np.uint8)])
    with pytest.raises(DataError, match="values outside of 0 to 1"):
        feature.encode([np.full((3, 3), 7.0)])
    with pytest.raises(DataError, match="there are no images"):
        ImageScan.fit([])
    with pytest.raises(ArtifactError, match="'patch'"):
        feature_from_json({**feature.to_json(), "patch": None}, feature.tensors())
    with pytest.raises(ArtifactError, match="unknown scan"):
        feature_from_json({**feature.to_json(), "scan": "spiral"}, feature.tensors())


def test_a_folder_an_array_and_a_video_are_the_same_clip(tmp_path) -> None:
    clip = np.stack([np.full((16, 16), level, np.uint8) for level in range(0, 240, 20)])
    for number, image in enumerate(clip, 1):
        draw(tmp_path / "clip" / f"frame-{number}.png", image)  # 2 before 10
    (tmp_path / "clip" / "notes.txt").write_text("no image")
    video = film(tmp_path / "clip.avi", clip)
    feature = ImageSequence.fit([clip], height=16, width=16)
    found = feature.encode([clip, tmp_path / "clip", video])
    assert found.lengths.tolist() == [12, 12, 12]
    images = found.batch([0, 1, 2]).values["images"]
    assert images.shape == (3, 12, 1, 16, 16)
    assert torch.equal(images[0], images[1])
    assert torch.allclose(images[0], images[2], atol=0.1)  # a video loses something
    halved = ImageSequence.fit([clip], height=4, width=8, every=2, colour=True)
    assert halved.encode([video]).batch([0]).values["images"].shape == (1, 6, 3, 4, 8)


def test_clips_in_batches_and_rebuilt() -> None:
    chance = np.random.default_rng(0)
    clips = [chance.integers(0, 255, (t, 8, 8)).astype(np.uint8) for t in (3, 5, 1)]
    feature = ImageSequence.fit(clips, height=8, width=8)
    again = feature_from_json(feature.to_json(), feature.tensors())
    inputs = again.encode(clips).batch([1, 2])
    alone = feature.encode([clips[2]]).batch([0]).values["images"]
    assert torch.equal(inputs.values["images"][1, :1], alone[0])
    assert inputs.values["images"][1, 1:].abs().max() == 0
    assert inputs.lengths.tolist() == [5, 1]
    flat = feature.encode(clips).batch([1]).values["images"].double()
    pixels = torch.from_numpy(clips[1]).double()
    assert torch.allclose(flat[0, :, 0], (pixels - feature.mean) / feature.scale, atol=1e-6)


def test_clips_that_cannot_be_read_are_named(tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    for name, message in (("empty", "there are no images"), ("broken.mp4", "no readable video")):
        with pytest.raises(DataError, match=f"{name}: .*{message}"):
            ImageSequence.fit([tmp_path / name])
    draw(tmp_path / "clip" / "1.png", bar(1))
    (tmp_path / "clip" / "2.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"2\.png: this is no readable image"):
        ImageSequence.fit([tmp_path / "clip"])
    with pytest.raises(ConfigError, match="every=0"):
        ImageSequence.fit([], every=0)


def test_extras_are_named_where_they_are_missing(monkeypatch, tmp_path) -> None:
    image = draw(tmp_path / "a.png", bar(1))
    video = film(tmp_path / "a.avi", np.zeros((2, 16, 16), np.uint8))
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "PIL", None)
        with pytest.raises(MissingExtraError, match=r"relembra\[images\]"):
            ImageScan.fit([image])
        ImageScan.fit([bar(1)]).encode([bar(2)])  # arrays of the size that is wanted need nothing
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"relembra\[video\]"):
        ImageSequence.fit([video])
