"""The frequency is found from the times alone."""

from pathlib import Path

import pandas as pd
import pytest

from relembra._errors import DataError
from relembra.data import read_panel


def read(times, **options):
    return read_panel(pd.DataFrame({"ds": times, "y": range(len(times))}), **options)[0]


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("YS", "yearly"), ("YE", "yearly"), ("QS", "quarterly"), ("QE", "quarterly"),
        ("MS", "monthly"), ("ME", "monthly"), ("BME", "monthly"), ("BMS", "monthly"),
        ("2MS", "2 months"), ("W-MON", "weekly"), ("W-SUN", "weekly"), ("2W", "2 weeks"),
        ("D", "daily"), ("B", "business days"), ("h", "hourly"), ("4h", "4 hours"),
        ("15min", "15 minutes"), ("min", "every minute"), ("s", "every second"),
        ("100ms", "100 milliseconds"),
    ],
)  # fmt: skip
def test_every_usual_frequency_is_seen(code: str, name: str) -> None:
    panel = read(pd.date_range("2020-01-31 00:00", periods=60, freq=code))
    assert panel.frequency.name == name
    assert panel.lengths.tolist() == [60]


@pytest.mark.parametrize("code", ["ME", "W-TUE", "D", "B", "h", "15min"])
def test_gaps_do_not_hide_the_frequency(code: str) -> None:
    times = pd.date_range("2020-01-01", periods=100, freq=code)
    kept = times.delete([3, 4, 5, 30, 77])
    panel = read(kept)
    assert panel.frequency == read(times).frequency
    assert panel.lengths.tolist() == [100]
    assert pd.isna(panel.target).nonzero()[0].tolist() == [3, 4, 5, 30, 77]


def test_times_of_day_are_kept() -> None:
    panel = read(pd.date_range("2024-01-01 16:30", periods=30, freq="B"))
    assert panel.labels(0, 4, 2) == ["2024-01-05 16:30", "2024-01-08 16:30"]


def test_days_with_weekends_are_daily() -> None:
    assert read(pd.date_range("2024-01-01", periods=30)).frequency.unit == "D"


def test_a_few_days_within_one_week_are_daily() -> None:
    assert read(pd.date_range("2024-01-01", periods=4)).frequency.unit == "D"


def test_sparse_days_lie_on_a_daily_grid() -> None:
    days = ["2024-01-01", "2024-01-03", "2024-01-05", "2024-01-08", "2024-01-12", "2024-01-13"]
    panel = read(days)
    assert (panel.frequency.name, panel.lengths.tolist()) == ("daily", [13])


def test_integers_with_a_step() -> None:
    panel = read([10, 15, 20, 30])
    assert (panel.frequency.multiple, panel.lengths.tolist()) == (5, [5])
    assert panel.labels(0, 5, 1) == ["35"]


def test_a_single_stray_time_is_named(tmp_path: Path) -> None:
    days = pd.date_range("2024-01-01", periods=50).strftime("%Y-%m-%d %H:%M").tolist()
    days[20] = "2024-01-21 07:00"
    path = tmp_path / "stray.csv"
    path.write_text("ds,y\n" + "".join(f"{day},1\n" for day in days))
    with pytest.raises(DataError, match=r"stray\.csv, line 22, column 'ds': this time does not"):
        read_panel(path)


def test_a_time_centuries_away_is_named() -> None:
    days = ["1024-01-01", *pd.date_range("2024-01-01", periods=50).strftime("%Y-%m-%d")]
    with pytest.raises(DataError, match=r"row 2: 365,243 daily steps are missing before"):
        read(days)


def test_a_given_frequency_is_laid_over_the_times() -> None:
    panel = read(pd.date_range("2024-01-03", periods=10, freq="2D"), frequency="D")
    assert (panel.frequency.name, panel.lengths.tolist()) == ("daily", [19])


def test_a_given_frequency_that_does_not_fit_is_refused() -> None:
    with pytest.raises(DataError, match="row 5: this time is not on the quarterly grid"):
        read(pd.date_range("2024-01-01", periods=10), frequency="Q")
    with pytest.raises(DataError, match="the times are dates, which do not fit"):
        read(pd.date_range("2024-01-01", periods=10), frequency="int")


def test_one_time_per_series_shows_no_frequency() -> None:
    frame = pd.DataFrame({"id": ["a", "b"], "ds": ["2024-01-01", "2024-01-02"], "y": [1, 2]})
    with pytest.raises(DataError, match="no series has two different times"):
        read_panel(frame, series="id")
    panel, _ = read_panel(frame, series="id", frequency="D")
    assert panel.lengths.tolist() == [1, 1]
