"""How many windows are held out, and which steps they take."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from relembra.tasks.forecast._holdout import HoldOut, hold_out

lengths, horizons, mosts = st.integers(0, 3000), st.integers(1, 200), st.integers(1, 8)


@given(lengths, horizons, mosts, st.none() | st.integers(1, 50))
def test_two_horizons_and_a_step_are_left_to_learn_from(longest, horizon, most, count):
    held = hold_out(longest, horizon, most=most, count=count)
    assert held.horizon == horizon
    assert 0 <= held.count <= (most if count is None else count)
    if held.count:
        assert longest - held.steps >= 2 * horizon + 1
        assert 1 <= held.stride <= horizon
    else:
        assert longest < 3 * horizon + 1  # nothing is held out only where nothing fits


@given(lengths, horizons, st.integers(1, 50))
def test_a_count_that_fits_is_kept(longest, horizon, count):
    held = hold_out(longest, horizon, most=5, count=count)
    fits = longest - count * horizon >= 2 * horizon + 1
    assert (held.count == count) == fits


@given(lengths, horizons, mosts)
def test_about_a_fifth_is_held_out_of_a_long_series(longest, horizon, most):
    held = hold_out(longest, horizon, most=most)
    if held.count > 1 and held.stride == horizon:
        assert held.steps <= 0.2 * longest


@given(
    st.builds(HoldOut, st.integers(0, 6), st.integers(1, 9), st.integers(1, 9)),
    st.lists(st.integers(0, 99), min_size=1, max_size=5),
)
def test_origins(held, ends):
    until = np.array(ends)
    origins = held.origins(until)
    assert len(origins) == held.count
    assert (held.before(until) >= 0).all()
    assert (held.before(until) == np.maximum(until - held.steps, 0)).all()
    if held.count:
        assert (origins[0] == until - held.steps).all()
        assert (origins[-1] == until - held.horizon).all()
        assert all((b - a == held.stride).all() for a, b in zip(origins, origins[1:], strict=False))


def test_small_examples():
    assert hold_out(144, 12, most=5) == HoldOut(2, 12, 12)
    assert hold_out(36, 6, most=5) == HoldOut(3, 2, 6)
    assert hold_out(19, 6, most=5) == HoldOut(1, 2, 6)
    assert hold_out(18, 6, most=5) == HoldOut(0, 2, 6)
    assert hold_out(1000, 10, most=5).count == 5
    assert hold_out(1000, 10, most=5, count=30).steps == 300
    assert hold_out(50, 10, most=5, count=30).count == 2
