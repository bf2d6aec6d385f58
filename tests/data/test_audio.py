"""Recordings as log-mel frames."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from tests.data.media import RATE, record, tone

from relembra._errors import ArtifactError, ConfigError, DataError, MissingExtraError
from relembra.data import Audio, feature_from_json


def all_frames(encoded):
    return encoded.batch(np.arange(len(encoded.lengths))).values["frames"]


def test_frames_are_those_of_the_definition(tmp_path) -> None:
    """One frame in the middle, computed by hand from librosa's filters."""
    import librosa

    samples = tone(440)
    feature = Audio.fit([samples], rate=RATE, bands=20, centre=False)
    found = all_frames(feature.encode([samples]))[0]
    assert found.shape == (1 + len(samples) // 80, 20)
    frame = 10
    piece = samples[frame * 80 - 128 : frame * 80 + 128] * np.hanning(257)[:256]
    power = np.abs(np.fft.rfft(piece)) ** 2
    mel = np.log(librosa.filters.mel(sr=RATE, n_fft=256, n_mels=20, fmin=60.0) @ power)
    standard = (mel - feature.mean.numpy()) / feature.scale.numpy()
    loud = mel > mel.max() - 5  # the rest may be cut to silence
    np.testing.assert_allclose(found[frame].numpy()[loud], standard[loud], atol=1e-3)


def test_training_data_has_mean_zero_and_deviation_one() -> None:
    rows = [tone(300), tone(500, 0.3), tone(900, 0.1)]
    feature = Audio.fit(rows, rate=RATE, bands=10, deltas=True)
    assert (feature.channels, feature.bands) == (30, 10)
    flat = torch.cat([all_frames(feature.encode([row]))[0] for row in rows]).double()
    assert torch.allclose(flat.mean(0), torch.zeros(30, dtype=torch.float64), atol=1e-5)
    assert torch.allclose(flat.std(0, correction=0), torch.ones(30, dtype=torch.float64), atol=1e-4)


def test_loudness_does_not_matter_and_files_equal_arrays(tmp_path) -> None:
    rows = [tone(300), tone(700)]
    feature = Audio.fit(rows, rate=RATE)
    quiet = all_frames(feature.encode([0.125 * row for row in rows]))
    assert torch.allclose(quiet, all_frames(feature.encode(rows)), atol=1e-3)
    path = record(tmp_path / "a.wav", rows[0], subtype="FLOAT")
    from_file = feature.encode([path]).batch([0]).values["frames"]
    assert torch.equal(from_file, feature.encode(rows).batch([0]).values["frames"])


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg"])
def test_formats_channels_and_rates(ending, tmp_path) -> None:
    both = np.stack([tone(440, rate=16000), tone(440, rate=16000)], 1)
    path = record(tmp_path / f"a.{ending}", both, rate=16000)
    assert Audio.fit([path]).spectrum.rate == 16000
    feature = Audio.fit([tone(440)], rate=RATE, bands=20, centre=False)
    frames = (all_frames(feature.encode([row]))[0] for row in (path, tone(440)))
    found, expected = (values * feature.scale + feature.mean for values in frames)
    assert found.shape == expected.shape
    loud = expected.mean(0) > expected.mean() + 1  # the bands of the tone
    assert torch.allclose(found[5:-5, loud], expected[5:-5, loud], atol=0.3)


def test_a_batch_is_what_its_rows_are_alone_and_a_description_rebuilds() -> None:
    rows = [tone(300, 0.1), tone(500, 0.25), tone(800, 0.005)]
    feature = Audio.fit(rows, rate=RATE, deltas=True)
    again = feature_from_json(feature.to_json(), feature.tensors())
    assert again.spectrum == feature.spectrum
    inputs = again.encode(rows).batch([2, 0, 1])
    for place, row in enumerate((2, 0, 1)):
        alone = feature.encode([rows[row]]).batch([0])
        steps = int(alone.lengths)
        assert torch.equal(inputs.values["frames"][place, :steps], alone.values["frames"][0])
        assert int(inputs.lengths[place]) == steps
    assert feature.encode([]).lengths.tolist() == []


def test_files_that_cannot_be_read_are_named(tmp_path) -> None:
    good = record(tmp_path / "good.wav", tone(300))
    broken, empty, missing = (tmp_path / f"{name}.wav" for name in ("broken", "empty", "missing"))
    broken.write_bytes(good.read_bytes()[:20] + b"nonsense")
    record(empty, tone(300)[:0])
    cut = tmp_path / "cut.wav"
    cut.write_bytes(good.read_bytes()[:1000])
    infinite = record(tmp_path / "inf.wav", np.full(9, np.inf), subtype="FLOAT")
    feature = Audio.fit([good])
    for path, message in (
        (broken, "broken.wav: this is no readable recording"),
        (missing, "missing.wav: this is no readable recording"),
        (empty, "empty.wav: there are no samples"),
        (cut, "cut.wav: the recording is cut off: its header promises 3,200 bytes .* and 956 are"),
        (infinite, "inf.wav: a sample is no finite number"),
    ):
        with pytest.raises(DataError, match=message):
            feature.encode([good, path])
    with pytest.raises(DataError, match=r"broken\.wav: this is no readable"):
        Audio.fit([broken])
    with pytest.raises(DataError, match=r"row 1 has shape \(2, 3\)"):
        feature.encode([np.zeros((2, 3))])
    with pytest.raises(DataError, match="put it into brackets"):
        feature.encode(good)


@pytest.mark.parametrize("size", [0, 0x7FFFF000, 0xFFFFFFFF])
def test_the_size_of_a_streamed_recording_is_not_known(tmp_path, size) -> None:
    path = record(tmp_path / "a.wav", tone(300))
    feature, plain = Audio.fit([path]), path.read_bytes()
    whole = all_frames(feature.encode([path]))
    path.write_bytes(plain[:40] + size.to_bytes(4, "little") + plain[44:])
    if size:
        assert torch.equal(all_frames(feature.encode([path])), whole)
    else:
        with pytest.raises(DataError, match="there are no samples"):
            feature.encode([path])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bands": 200}, "200 bands do not fit"),
        ({"bands": 0}, "bands=0"),
        ({"hop": 0.0}, "hop=0.0"),
        ({"depth": -3.0}, "depth=-3.0"),
        ({"rate": None}, "rate of samples in arrays is not known"),
    ],
)
def test_settings_that_make_no_sense(settings, message) -> None:
    with pytest.raises(ConfigError, match=message):
        Audio.fit([tone(300)], **{"rate": RATE, **settings})


def test_a_damaged_description() -> None:
    feature = Audio.fit([tone(300)], rate=RATE)
    with pytest.raises(ArtifactError, match="'hop'"):
        feature_from_json({**feature.to_json(), "hop": "often"}, feature.tensors())
    with pytest.raises(ArtifactError, match="mean or scale"):
        feature_from_json(feature.to_json(), {})


@pytest.mark.parametrize("package", ["librosa", "soundfile"])
def test_the_extra_is_named_where_it_is_missing(package, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'relembra\[audio\]'"):
        Audio.fit([tone(300)], rate=RATE)
