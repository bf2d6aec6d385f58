"""Warps and masks of frames in training."""

from __future__ import annotations

import pytest
import torch

from relembra._errors import ConfigError
from relembra.nn import FrameNoise, TempoNoise


def test_inference_leaves_frames_alone() -> None:
    noise = FrameNoise(4, warp=0.5, band_mask=0.5, step_mask=0.5).eval()
    frames = torch.randn(2, 3, 8)
    assert noise(frames) is frames


def test_masks_are_one_run_of_at_most_the_share_alike_in_all_groups() -> None:
    torch.manual_seed(0)
    frames = torch.ones(500, 20, 2 * 10)
    found = FrameNoise(10, band_mask=0.3, step_mask=0.25)(frames)
    groups = found.unflatten(2, (2, 10))
    assert torch.equal(groups[:, :, 0], groups[:, :, 1])
    bands, steps = groups[:, :, 0].amax(1) == 0, groups[:, :, 0].amax(2) == 0
    for hidden, most in ((bands, 3), (steps, 5)):
        widths = hidden.sum(1)
        assert (int(widths.min()), int(widths.max())) == (0, most)
        runs = (hidden[:, 1:] != hidden[:, :-1]).sum(1)
        assert int(runs.max()) <= 2  # one run has a beginning and an end at most
        assert bool(hidden.any(0).all())  # every place is hidden now and then
    # A cell is hidden by its band or by its step, and by nothing else.
    assert torch.equal(groups[:, :, 0] == 0, bands[:, None] | steps[:, :, None])


def test_a_warp_reads_between_the_bands() -> None:
    torch.manual_seed(0)
    ramp = torch.arange(9.0).expand(200, 4, 9)
    found = FrameNoise(9, warp=0.25)(ramp)
    factors = found[:, 0, 1]  # band 1 of a ramp is the factor
    assert 0.75 <= float(factors.min()) < 0.8 < 1.2 < float(factors.max()) <= 1.25
    expected = (torch.arange(9) * factors[:, None]).clamp(max=8)
    assert torch.allclose(found, expected[:, None].expand(200, 4, 9), atol=1e-5)
    assert torch.allclose(FrameNoise(1, warp=0.3)(ramp[..., :1]), ramp[..., :1])


@pytest.mark.parametrize("setting", ["warp", "band_mask", "step_mask"])
def test_shares_only(setting) -> None:
    with pytest.raises(ConfigError, match=f"{setting} is 1.5; expected a share"):
        FrameNoise(4, **{setting: 1.5})


def test_tempo_stretches_each_sequence_to_its_new_length() -> None:
    torch.manual_seed(0)
    lengths = torch.tensor([9, 5, 1] * 60)
    ramp = torch.arange(9.0)[None, :, None].expand(180, 9, 2).clone()
    ramp[torch.arange(9) >= lengths[:, None]] = 99.0  # padding must not be read
    found, played = TempoNoise(0.4)(ramp, lengths)
    assert found.shape == (180, int(played.max()), 2)
    for row, old, new in zip(found, lengths.tolist(), played.tolist(), strict=True):
        assert round(0.6 * old) <= new <= round(1.4 * old)
        expected = torch.linspace(0, old - 1, new) if new > 1 else torch.zeros(1)
        assert torch.allclose(row[:new, 0], expected, atol=1e-5)
    assert len(set(played[::3].tolist())) > 4
    noise = TempoNoise(0.4).eval()
    assert noise(ramp, lengths) == (ramp, lengths)
    with pytest.raises(ConfigError, match="share is 1"):
        TempoNoise(1)
