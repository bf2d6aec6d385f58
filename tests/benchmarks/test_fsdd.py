"""The recipe for spoken digits."""

import numpy as np
import pytest
from benchmarks.quality import fsdd

pytest.importorskip("librosa")
TIME = np.arange(4000) / fsdd.RATE
TONE = np.sin(2 * np.pi * 400 * TIME).astype(np.float32) * np.hanning(4000).astype(np.float32)


def test_copies_of_a_recording_differ_and_come_again():
    copies = [fsdd.varied(TONE, np.random.default_rng(seed)) for seed in range(20)]
    assert all(copy.dtype == np.float32 and np.isfinite(copy).all() for copy in copies)
    assert len({len(copy) for copy in copies}) > 10
    assert all(0.5 * len(TONE) < len(copy) < 2 * len(TONE) for copy in copies)
    np.testing.assert_array_equal(fsdd.varied(TONE, np.random.default_rng(3)), copies[3])


def test_a_copy_is_played_at_another_speed():
    loudest = []
    for seed in range(40):
        copy = fsdd.varied(TONE, np.random.default_rng(seed))
        power = np.abs(np.fft.rfft(copy)) ** 2
        loudest.append(power.argmax() * fsdd.RATE / len(copy))
    low, high = min(loudest), max(loudest)
    assert 320 < low < 360 and 450 < high < 490  # 400 Hz, over or times up to e ** 0.2


@pytest.mark.parametrize("tune", [False, True])
def test_nobody_is_heard_before(tune):
    every = [
        fsdd.Recording("1", name, number, TONE) for name in ("ana", "eva", "rui", "zé")
        for number in range(3)
    ]  # fmt: skip
    found = fsdd.parts(every, "speakers", tune)
    assert len(found) == 4
    for _, train, test in found:
        assert len({one.speaker for one in test}) == 1
        assert len({one.speaker for one in train}) == (2 if tune else 3)
        assert not {one.speaker for one in train} & {one.speaker for one in test}
