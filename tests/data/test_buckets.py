"""Every row once an epoch, similar lengths together, padding within its bound."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relembra._errors import ConfigError, DataError
from relembra.data import LengthBuckets


@given(
    st.lists(st.integers(0, 50), min_size=1, max_size=60),
    st.integers(1, 9),
    st.sampled_from([0.0, 0.1, 0.25, 0.6, 1.0]),
    st.integers(0, 3),
)
def test_each_row_once_and_the_bound_is_kept(lengths, batch_size, padding, epoch) -> None:
    buckets = LengthBuckets(lengths, batch_size, seed=5, padding=padding)
    batches = [buckets.indices(epoch, i) for i in range(buckets.batches(epoch))]
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    for batch in batches:
        of_batch = [lengths[i] for i in batch]
        cells = len(of_batch) * max(of_batch)
        assert 1 <= len(batch) <= batch_size
        assert cells - sum(of_batch) <= padding * cells


def test_batches_are_a_pure_function_of_seed_epoch_and_index() -> None:
    lengths = np.random.default_rng(0).integers(1, 40, 200)
    buckets, other = LengthBuckets(lengths, 8, seed=1), LengthBuckets(lengths, 8, seed=1)
    wanted = [(epoch, i) for epoch in (0, 1) for i in range(buckets.batches(epoch))]
    asked = {place: other.indices(*place).tolist() for place in reversed(wanted)}
    assert [buckets.indices(*place).tolist() for place in wanted] == [asked[p] for p in wanted]
    assert buckets.indices(0, 0).tolist() != buckets.indices(1, 0).tolist()
    assert buckets.indices(0, 0).tolist() != LengthBuckets(lengths, 8, 2).indices(0, 0).tolist()


def test_nearly_all_batches_are_full_and_their_order_is_no_order_of_length() -> None:
    lengths = np.random.default_rng(0).integers(1, 60, 4000)
    buckets = LengthBuckets(lengths, 20, seed=0)
    batches = [buckets.indices(0, i) for i in range(buckets.batches(0))]
    assert len(batches) < 1.1 * 200
    longest = [lengths[batch].max() for batch in batches]
    assert abs(np.corrcoef(longest, np.arange(len(longest)))[0, 1]) < 0.3


def test_settings_that_make_no_sense() -> None:
    with pytest.raises(DataError, match="expected one or more rows"):
        LengthBuckets([], 4, 0)
    with pytest.raises(DataError, match="negative"):
        LengthBuckets([3, -1], 4, 0)
    with pytest.raises(ConfigError, match="batch_size is 0"):
        LengthBuckets([3], 0, 0)
    with pytest.raises(ConfigError, match=r"padding is 25; expected a part of 1"):
        LengthBuckets([3], 4, 0, padding=25)
