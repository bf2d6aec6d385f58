"""Sizes chosen from the frequency and the lengths."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relembra._errors import ConfigError, DataError
from relembra.data import Panel
from relembra.tasks.forecast._plan import Plan, make_plan

FREQUENCIES = ["Y", "Q", "M", "W", "D", "B", "h", "15min", "s", "int"]


def plan_for(frequency, *lengths, **options):
    series = {str(i): np.arange(n) + 1.0 for i, n in enumerate(lengths)}
    panel = Panel.from_series(series, frequency)
    choices = {"horizon": None, "context": None, "seasons": None, "space": "auto"} | options
    return make_plan(panel, panel.observed_lengths, **choices)


@given(
    frequency=st.sampled_from(FREQUENCIES),
    length=st.integers(3, 5000),
    horizon=st.none() | st.integers(1, 300),
    context=st.none() | st.integers(2, 600),
)
def test_any_frequency_and_length(frequency, length, horizon, context):
    if horizon is not None and length < horizon + 2:
        with pytest.raises(DataError, match=f"a horizon of {horizon} steps needs a series of at"):
            plan_for(frequency, length, horizon=horizon)
        return
    plan = plan_for(frequency, length, horizon=horizon, context=context)
    assert plan.horizon == (horizon or plan.horizon)
    assert 1 <= plan.horizon <= length - 2
    assert plan.context % plan.patch == 0
    assert plan.season == plan.seasons[0]
    assert all(1 <= m <= plan.context for m in plan.seasons)
    if context is not None:
        assert context <= plan.context < context + plan.patch
    else:
        assert 2 <= plan.context <= 512 + plan.patch
        assert plan.context <= max(length - plan.horizon, 2) + plan.patch  # windows are left
    assert Plan.from_json(plan.to_json()) == plan


@pytest.mark.parametrize(
    ("frequency", "length", "expected"),
    [
        ("M", 144, Plan(72, 12, (12,), 12, "auto")),
        ("h", 2000, Plan(336, 48, (24, 168), 24, "auto")),
        ("D", 3650, Plan(98, 14, (7,), 7, "auto")),
        ("int", 100, Plan(24, 12, (1,), 1, "auto")),
        ("Y", 30, Plan(12, 5, (1,), 1, "auto")),
    ],
)
def test_usual_series(frequency, length, expected):
    assert plan_for(frequency, length) == expected


def test_the_longest_series_decides():
    assert plan_for("M", 144, 8, 3) == plan_for("M", 144)


def test_seasons_longer_than_the_context_are_left_out():
    assert plan_for("int", 100, seasons=(7, 30, 90), context=40).seasons == (7, 30)
    assert plan_for("int", 100, seasons=(90,), context=40).seasons == (1,)


def test_a_long_season_is_not_read_as_one_patch():
    assert plan_for("int", 2000, seasons=(100,)).patch == 1


@pytest.mark.parametrize("options", [{"horizon": 0}, {"context": 1}, {"seasons": (4, 0)}])
def test_sizes_out_of_range(options):
    with pytest.raises(ConfigError, match="must be a whole number of at least"):
        plan_for("int", 100, **options)
