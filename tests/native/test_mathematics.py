"""exp, logistic and tanh of the core: errors in ulp over the whole range, special values."""

import numpy as np
import pytest

from relembra import _native

EXP, LOGISTIC, TANH = 0, 1, 2
TYPES = [np.float32, np.float64]


def apply(function: int, x: np.ndarray) -> np.ndarray:
    x = np.ascontiguousarray(x)
    y = np.empty_like(x)
    _native.apply(function, x.dtype == np.float64, x.ctypes.data, y.ctypes.data, x.size)
    return y


def samples(dtype, limit: float) -> np.ndarray:
    """Numbers of every magnitude up to the limit, of both signs, and a fine grid."""
    draw = np.random.default_rng(0)
    tiny = float(np.log2(np.finfo(dtype).smallest_normal)) + 1
    magnitudes = 2.0 ** draw.uniform(tiny, np.log2(limit), 200_000)
    grid = np.linspace(-limit, limit, 200_001)
    return np.concatenate([magnitudes, -magnitudes, grid]).astype(dtype)


def ulps(found: np.ndarray, exact: np.ndarray) -> float:
    """The largest error in units of the last place of the exact result, where that is normal."""
    info = np.finfo(found.dtype)
    exact = exact.astype(np.longdouble)
    normal = np.abs(exact) >= float(info.smallest_normal)
    spacing = np.spacing(np.abs(exact[normal]).astype(found.dtype)).astype(np.longdouble)
    return float((np.abs(found[normal] - exact[normal]) / spacing).max())


def exactly(function: int, x: np.ndarray) -> np.ndarray:
    """In long double, 64 bits of mantissa."""
    x = x.astype(np.longdouble)
    if function == EXP:
        return np.exp(x)
    return 1 / (1 + np.exp(-x)) if function == LOGISTIC else np.tanh(x)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    ("function", "limits", "most"),
    [(EXP, (86.9, 707.9), 1.5), (LOGISTIC, (87.0, 708.0), 2.5), (TANH, (20.0, 40.0), 2.5)],
)
def test_error_in_ulp(function, limits, most, dtype):
    x = samples(dtype, limits[TYPES.index(dtype)])
    assert ulps(apply(function, x), exactly(function, x)) <= most


@pytest.mark.parametrize("dtype", TYPES)
def test_special_values(dtype):
    inf, nan = np.inf, np.nan
    x = np.array([nan, inf, -inf, 0.0, -0.0, 1e30, -1e30], dtype)
    np.testing.assert_array_equal(apply(EXP, x), np.array([nan, inf, 0, 1, 1, inf, 0], dtype))
    logistic = apply(LOGISTIC, x)
    np.testing.assert_array_equal(logistic, np.array([nan, 1, 0, 0.5, 0.5, 1, 0], dtype))
    tangent = apply(TANH, x)
    np.testing.assert_array_equal(tangent, np.array([nan, 1, -1, 0, 0, 1, -1], dtype))
    assert np.signbit(tangent[4]) and not np.signbit(tangent[3])


@pytest.mark.parametrize("dtype", TYPES)
def test_denormals(dtype):
    """tanh keeps them; the others are exact there."""
    tiny = np.finfo(dtype).smallest_subnormal
    x = np.array([tiny, -tiny, 5 * tiny], dtype)
    np.testing.assert_array_equal(apply(TANH, x), x)
    np.testing.assert_array_equal(apply(LOGISTIC, x), np.full(3, 0.5, dtype))
    np.testing.assert_array_equal(apply(EXP, x), np.ones(3, dtype))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("function", [EXP, LOGISTIC, TANH])
def test_a_lane_knows_nothing_of_its_neighbours(function, dtype):
    x = np.random.default_rng(1).normal(0, 5, 67).astype(dtype)
    whole = apply(function, x)
    each = np.concatenate([apply(function, x[i : i + 1]) for i in range(x.size)])
    np.testing.assert_array_equal(whole, each)
