"""Noise on spectra and other frames: training sees each sequence otherwise every time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from relembra._errors import ConfigError

__all__ = ["FrameNoise", "TempoNoise"]


class FrameNoise(nn.Module):
    """Warp and mask frames in training; leave them alone in inference.

    Sources: Jaitly & Hinton, "Vocal tract length perturbation improves speech recognition" (2013),
    for the warp; Park et al., "SpecAugment" (2019), for the masks.

    Parameters
    ----------
    bands
        K, of which a frame has one or several groups: values, and say their changes.
    warp
        Each sequence's bands are stretched by a factor from 1 - warp to 1 + warp, as those of a
        longer or shorter throat are; for spectra only.
    band_mask, step_mask
        Up to this share of neighbouring bands, and of neighbouring steps, becomes 0.

    Raises
    ------
    ConfigError
        A value is not in [0, 1).

    Examples
    --------
    >>> noise, frames = FrameNoise(8, band_mask=0.5), torch.ones(2, 5, 16)  # two groups of bands
    >>> noise.train()(frames).shape, torch.equal(noise.eval()(frames), frames)
    (torch.Size([2, 5, 16]), True)
    """

    def __init__(
        self, bands: int, *, warp: float = 0.0, band_mask: float = 0.0, step_mask: float = 0.0
    ) -> None:
        super().__init__()
        for name, value in (("warp", warp), ("band_mask", band_mask), ("step_mask", step_mask)):
            if not 0 <= value < 1:
                raise ConfigError(f"{name} is {value!r}; expected a share in [0, 1)")
        self.bands, self.warp = bands, warp
        self.band_mask, self.step_mask = band_mask, step_mask

    def forward(self, frames: Tensor) -> Tensor:
        """Map (B, T, G K) to the same shape."""
        if not self.training:
            return frames
        grouped = frames.unflatten(2, (-1, self.bands))  # (B, T, G, K)
        if self.warp:
            grouped = _warped(grouped, self.warp)
        if self.band_mask:
            grouped = grouped * ~_runs(grouped, self.bands, self.band_mask)[:, None, None, :]
        if self.step_mask:
            grouped = grouped * ~_runs(grouped, frames.shape[1], self.step_mask)[:, :, None, None]
        noisy: Tensor = grouped.flatten(2)
        return noisy


class TempoNoise(nn.Module):
    """Play sequences of frames faster or slower in training; leave them alone in inference.

    Source: Ko et al., "Audio augmentation for speech recognition" (2015), there on samples.

    Parameters
    ----------
    share
        A sequence becomes longer or shorter by a factor from 1 - share to 1 + share.

    Raises
    ------
    ConfigError
        The share is not in [0, 1).

    Examples
    --------
    >>> noise = TempoNoise(0.5).eval()
    >>> frames, lengths = noise(torch.zeros(1, 8, 3), torch.tensor([8]))
    >>> frames.shape, lengths
    (torch.Size([1, 8, 3]), tensor([8]))
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        if not 0 <= share < 1:
            raise ConfigError(f"share is {share!r}; expected a share in [0, 1)")
        self.share = share

    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, T, K) and (B,) to (B, T', K) and (B,)."""
        if not self.training or not frames.numel():
            return frames, lengths
        factors = torch.empty(lengths.shape).uniform_(1 - self.share, 1 + self.share)
        played = (lengths * factors.to(lengths.device)).round().long().clamp_(min=1)
        pace = (lengths - 1).clamp(min=0) / (played - 1).clamp(min=1)  # old steps for a new one
        steps = torch.arange(int(played.max()), device=frames.device)
        places = torch.minimum(steps * pace[:, None], (lengths - 1).clamp(min=0)[:, None])
        return _between(frames, places, 1), played


def _between(frames: Tensor, places: Tensor, axis: int) -> Tensor:
    """Read along an axis at places (B, n) that may lie between two, in proportion."""
    last = frames.shape[axis] - 1
    low = places.floor().clamp_(max=max(last - 1, 0))
    shape = [len(places), *[1] * (frames.ndim - 1)]
    shape[axis] = places.shape[1]
    whole = [*frames.shape]
    whole[axis] = places.shape[1]
    index = low.long().view(shape).expand(whole)
    share = (places - low).view(shape)
    return torch.lerp(
        frames.gather(axis, index), frames.gather(axis, (index + 1).clamp(max=last)), share
    )


def _warped(frames: Tensor, warp: float) -> Tensor:
    """Read band k of each row at k times the row's factor, between two bands in proportion."""
    rows, bands = frames.shape[0], frames.shape[3]
    factors = torch.empty(rows, 1, device=frames.device).uniform_(1 - warp, 1 + warp)
    places = (torch.arange(bands, device=frames.device) * factors).clamp_(max=bands - 1)
    return _between(frames, places, 3)


def _runs(frames: Tensor, length: int, share: float) -> Tensor:
    """Return (B, length): True in one run for each row, of up to this share of the places."""
    draws = torch.rand(2, len(frames), 1, device=frames.device)
    width = (draws[0] * (share * length + 1)).floor()
    begin = (draws[1] * (length - width + 1)).floor()
    places = torch.arange(length, device=frames.device)
    return (places >= begin) & (places < begin + width)
