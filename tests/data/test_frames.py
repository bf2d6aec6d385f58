"""Numeric frames: standardised by training data, gaps filled and marked, step by step."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from relembra._errors import DataError
from relembra.data import Frames, Ragged

NAN = float("nan")
CELLS = st.one_of(st.none(), st.integers(-5, 5))


def _plain(row: list[float | None], mean: float, scale: float) -> list[list[float]]:
    """Fill and mark one channel by a plain loop."""
    last, since, result = 0.0, 0, []
    for value in row:
        missing = value is None
        since = since + 1 if missing else 0
        last = last if value is None else (value - mean) / scale
        result.append([last, float(missing), np.log1p(since)])
    return result


@given(st.lists(st.lists(CELLS, max_size=6), min_size=1, max_size=5))
def test_gaps_against_a_plain_loop(rows: list[list[float | None]]) -> None:
    arrays = [np.array([NAN if v is None else v for v in row], np.float64) for row in rows]
    feature = Frames(torch.tensor([1.5]).double(), torch.tensor([2.0]).double(), gaps=True)
    values, lengths = feature.encode(arrays).batch(range(len(rows)))
    assert values["frames"].dtype == torch.float32
    assert lengths.tolist() == [len(row) for row in rows]
    for number, row in enumerate(rows):
        expected = np.array(_plain(row, 1.5, 2.0)).reshape(-1, 3)
        assert np.allclose(values["frames"][number, : len(row)], expected, atol=1e-6)
        assert not values["frames"][number, len(row) :].any()


def test_mean_and_scale_are_those_of_the_values_there_are() -> None:
    rng = np.random.default_rng(0)
    rows = [rng.normal(1e6, 3, (t, 2)) for t in (5, 70_000, 1)]
    rows[1][::7, 1] = NAN
    feature = Frames.fit(rows)
    flat = np.concatenate(rows)
    assert np.allclose(feature.mean, np.nanmean(flat, axis=0), rtol=1e-12)
    assert np.allclose(feature.scale, np.nanstd(flat, axis=0), rtol=1e-9)
    assert feature.gaps
    assert feature.channels == 6


def test_a_channel_that_never_changes_has_the_scale_one() -> None:
    feature = Frames.fit(np.full((3, 4, 1), 0.1))
    assert feature.scale.tolist() == [1.0]
    assert feature.channels == 1
    assert abs(feature.encode(np.full((1, 2), 0.1)).batch([0]).values["frames"]).max() < 1e-9


def test_a_row_is_the_same_in_any_batch_and_from_a_mapped_file(tmp_path) -> None:
    values = np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32)
    values[4, 0] = NAN
    np.save(tmp_path / "values.npy", values)
    mapped = Ragged(np.load(tmp_path / "values.npy", mmap_mode="r"), np.array([0, 4, 9]))
    encoded = Frames.fit(mapped).encode(mapped)
    alone, both = encoded.batch([1]).values["frames"], encoded.batch([0, 1]).values["frames"]
    assert torch.equal(alone[0], both[1, :5])
    assert encoded.lengths.tolist() == [4, 5]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ([[[1.0, 2.0]], [[1.0, 2.0], [NAN, 1.0]]], r"row 2, step 2, channel 1: .* gaps=True"),
        ([[[1.0, 2.0]], [[1.0, np.inf]]], "row 2, step 1, channel 2: the value is infinite"),
        ([[[1.0]]], "the frames have 1 channels; expected 2"),
        ([[["a", "b"]]], "expected numbers"),
        (np.zeros((2, 2, 2, 2)), r"shape \(2, 2, 2, 2\); expected \(n, T, K\)"),
        ([[[1.0, 2.0], [1.0]]], "the sequences are no arrays of numbers"),
    ],
)
def test_bad_frames(raw, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Frames.fit(np.zeros((1, 3, 2))).encode(raw)


def test_nothing_to_measure() -> None:
    with pytest.raises(DataError, match="there are no values"):
        Frames.fit([[NAN, NAN]])
