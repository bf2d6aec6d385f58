"""Grids: names, seasons, numbering, labels and calendar features."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relembra._errors import DataError
from relembra.data import Frequency

DEFAULTS = {
    "Y": ("yearly", (1,), 6),
    "Q": ("quarterly", (4,), 8),
    "M": ("monthly", (12,), 12),
    "W-SUN": ("weekly", (52,), 13),
    "D": ("daily", (7, 365), 14),
    "B": ("business days", (5, 261), 10),
    "h": ("hourly", (24, 168), 48),
    "4h": ("4 hours", (6, 42), 12),
    "15min": ("15 minutes", (96, 672), 96),
    "s": ("every second", (60, 3600), 60),
    "int": ("integer steps", (1,), 12),
}


@pytest.mark.parametrize("text", DEFAULTS)
def test_names_seasons_and_horizons(text: str) -> None:
    frequency = Frequency.parse(text)
    assert (frequency.name, frequency.seasons, frequency.horizon) == DEFAULTS[text]


def test_seasons_that_do_not_fit_the_step_are_left_out() -> None:
    assert Frequency("D", 2).seasons == (1,)
    assert Frequency("h", 5).seasons == (1,)
    assert Frequency("M", 2).seasons == (6,)


@pytest.mark.parametrize("text", ["fortnight", "", "0.5h", "5"])
def test_unknown_frequencies_are_refused(text: str) -> None:
    with pytest.raises(DataError, match="no frequency"):
        Frequency.parse(text)


def test_impossible_frequencies_are_refused() -> None:
    with pytest.raises(DataError, match="no time unit 'x'"):
        Frequency("x")
    with pytest.raises(DataError, match="makes no sense"):
        Frequency("B", 2)


@pytest.mark.parametrize(
    ("frequency", "start", "expected"),
    [
        (Frequency("M", day=31), "2020-01-31", ["2020-01-31", "2020-02-29", "2020-03-31"]),
        (Frequency("M", 3, day=31, phase=2), "2020-03-31", ["2020-03-31", "2020-06-30"]),
        (Frequency("Y", phase=11, day=31), "2019-12-31", ["2019-12-31", "2020-12-31"]),
        (Frequency("B"), "2024-01-05", ["2024-01-05", "2024-01-08", "2024-01-09"]),
        (Frequency("D"), "2020-02-28", ["2020-02-28", "2020-02-29", "2020-03-01"]),
        (Frequency("D"), "1969-12-31", ["1969-12-31", "1970-01-01", "1970-01-02"]),
        (Frequency("M", form="quarter", multiple=3), "2023-10-01", ["2023Q4", "2024Q1", "2024Q2"]),
        (Frequency("M", form="year-month"), "0001-11-01", ["1-11", "1-12", "2-01"]),
        (Frequency("M", form="%m/%Y"), "2023-12-01", ["12/2023", "01/2024", "02/2024"]),
        (Frequency("h"), "2024-01-05T23", ["2024-01-05 23:00", "2024-01-06 00:00"]),
        (
            Frequency("m", 30, form="%Y-%m-%dT%H:%M:%S", zone="Z"),
            "2024-01-05T23:30",
            ["2024-01-05T23:30:00Z", "2024-01-06T00:00:00Z", "2024-01-06T00:30:00Z"],
        ),
    ],
)  # fmt: skip
def test_labels_continue_in_the_form_of_the_input(frequency, start, expected) -> None:
    first = int(frequency.ordinals_of([start])[0])
    assert frequency.labels(np.arange(first, first + len(expected))) == expected


def test_integer_grids_keep_their_step_and_phase() -> None:
    frequency = Frequency("int", 5, phase=2)
    assert frequency.ordinals_of([2, 7, 12]).tolist() == [0, 1, 2]
    assert frequency.labels([3, 4]) == ["17", "22"]
    assert frequency.times(3, 2).tolist() == [17, 22]


def test_times_off_the_grid_are_refused() -> None:
    with pytest.raises(DataError, match="2024-01-06 is not a step of a business days grid"):
        Frequency("B").ordinals_of(["2024-01-05", "2024-01-06"])


grids = st.sampled_from(
    [
        Frequency("Y"),
        Frequency("M", day=31),
        Frequency("M", 3, phase=1, day=15),
        Frequency("W", phase=3 * 86_400_000_000),
        Frequency("D", 2),
        Frequency("B", clock=61_200_000_000),
        Frequency("h", 4, phase=3_600_000_000),
        Frequency("s"),
        Frequency("int", 7, phase=3),
    ]
)


@given(grids, st.integers(-20_000, 20_000))
def test_numbering_inverts_the_times(frequency: Frequency, start: int) -> None:
    ordinals = np.arange(start, start + 40)
    numbered, fits = frequency.ordinals(frequency.moments(ordinals))
    assert fits.all()
    assert np.array_equal(numbered, ordinals)


@given(grids)
def test_json_keeps_everything(frequency: Frequency) -> None:
    assert Frequency.from_json(json.loads(json.dumps(frequency.to_json()))) == frequency


def test_calendar_of_known_days() -> None:
    daily = Frequency("D")
    monday, thursday = daily.calendar(daily.ordinals_of(["2024-01-01", "2024-01-04"]))
    assert monday.tolist() == [0.0, 1.0, 0.0, 1.0]
    angle = 2 * np.pi * 3 / 7
    assert thursday[:2].tolist() == pytest.approx([np.sin(angle), np.cos(angle)])


@pytest.mark.parametrize(
    ("unit", "columns"), [("Y", 0), ("M", 2), ("W", 2), ("D", 4), ("B", 4), ("h", 6), ("int", 0)]
)
def test_calendar_columns_depend_on_the_unit_alone(unit: str, columns: int) -> None:
    features = Frequency(unit).calendar(np.arange(100))
    assert features.shape == (100, columns)
    assert features.dtype == np.float32
    assert np.abs(features).max(initial=0) <= 1


def test_hours_of_a_day_are_told_apart_and_repeat() -> None:
    features = Frequency("h").calendar(np.arange(48))[:, :2]
    assert len(np.unique(features[:24].round(5), axis=0)) == 24
    assert np.array_equal(features[:24], features[24:])
