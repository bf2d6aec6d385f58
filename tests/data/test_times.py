"""Times in the forms in which people write them."""

import pandas as pd
import pytest

from relembra._errors import DataError
from relembra.data import read_panel


def read(times, column="ds", **options):
    frame = pd.DataFrame({column: times, "y": range(len(times))})
    return read_panel(frame, time=column, target="y", **options)


@pytest.mark.parametrize(
    ("times", "name", "following"),
    [
        (["1949-01", "1949-02", "1949-03"], "monthly", "1949-04"),
        (["1-01", "1-02", "1-03"], "monthly", "1-04"),
        (["2024/11", "2024/12", "2025/01"], "monthly", "2025/02"),
        (["2024M11", "2024M12"], "monthly", "2025/01"),
        (["11/2024", "12/2024"], "monthly", "01/2025"),
        (["Nov 2024", "Dec 2024"], "monthly", "Jan 2025"),
        (["2024Q3", "2024Q4"], "quarterly", "2025Q1"),
        (["2024-01-05", "2024-01-06"], "daily", "2024-01-07"),
        (["2024/01/05", "2024/01/06"], "daily", "2024/01/07"),
        (["30/01/2024", "31/01/2024"], "daily", "01/02/2024"),
        (["30.01.2024", "31.01.2024"], "daily", "01.02.2024"),
        (["01/30/2024", "01/31/2024"], "daily", "02/01/2024"),
        (["2024-01-05 13:00", "2024-01-05 14:00"], "hourly", "2024-01-05 15:00"),
        (["2024-01-05T13:00:00", "2024-01-05T14:00:00"], "hourly", "2024-01-05T15:00:00"),
        (["2024-01-05T13:00Z", "2024-01-05T14:00Z"], "hourly", "2024-01-05T15:00Z"),
        (["2024-01-05 13:00-03:00", "2024-01-05 14:00-03:00"], "hourly", "2024-01-05 15:00-03:00"),
        (["20240130", "20240131"], "daily", "20240201"),
        (["202411", "202412"], "monthly", "202501"),
        ([1704067200, 1704070800], "hourly", "1704074400"),
        ([1704067200000, 1704070800000], "hourly", "1704074400000"),
        ([1985, 1986], "yearly", "1987"),
        ([-3, -2, -1], "integer steps", "0"),
    ],
)
def test_forms(times, name: str, following: str) -> None:
    panel, report = read(times)
    assert panel.frequency.name == name
    assert panel.labels(0, len(times), 1) == [following]
    assert report.last == str(times[-1]).replace("M", "/")


def test_a_counter_is_no_year() -> None:
    assert read([1985, 1986], column="step")[0].frequency.unit == "int"


def test_the_order_of_day_and_month_must_be_decided() -> None:
    times = [f"0{day}/01/2024" for day in range(1, 9)]
    with pytest.raises(DataError, match="may be day/month or month/day.*'%d/%m/%Y'"):
        read(times)
    panel, _ = read(times, time_format="%d/%m/%Y")
    assert panel.labels(0, 8, 1) == ["09/01/2024"]


def test_a_time_format_with_two_digit_years_is_reported() -> None:
    panel, report = read(["30.01.24", "31.01.24"], time_format="%d.%m.%y")
    assert panel.labels(0, 2, 1) == ["01.02.24"]
    assert "two-digit years read as 2024" in report.notes


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (["2024-01-01", "2024-02-30"], "row 2: '2024-02-30' is not a date and time that exists"),
        (["2024-01-01", "soon"], "row 2: 'soon' is not a time like the others"),
        (["soon", "later"], "row 1: 'soon' is not a time; expected one like"),
        (["2024-01-01", ""], "row 2: the time is missing"),
        (["2024-01-01", None], "row 2: the time is missing"),
        (["2024-01-01 00:00-03:00", "2024-01-01 01:00-02:00"], "row 2: .*mix several offsets"),
        (["2024-01-01 00:00Z", "2024-01-01 01:00"], "row 2: .*mix several offsets"),
        (["2024-01-01 00:00:00.0000001", "2024-01-01 00:00:01"], "finer than a microsecond"),
        ([0.5, 1.5], "row 1: 0.5 is not a time"),
    ],
)
def test_bad_times_are_named(times, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(times)


def test_a_time_that_breaks_the_given_format_is_named() -> None:
    with pytest.raises(DataError, match="row 2: '2024' is not a time of the form '%Y-%m'"):
        read(["2024-01", "2024"], time_format="%Y-%m")


def test_one_zone_is_kept_as_wall_time() -> None:
    panel, report = read(pd.date_range("2024-01-01", periods=5, tz="America/Sao_Paulo"))
    assert panel.labels(0, 0, 1) == ["2024-01-01"]
    assert "times kept as wall time in America/Sao_Paulo" in report.notes


def test_daylight_saving_time_within_hourly_data_is_refused() -> None:
    times = pd.date_range("2018-11-03", periods=60, freq="h", tz="America/Sao_Paulo")
    with pytest.raises(DataError, match="row 25: the offset .* changes here.*UTC"):
        read(times)


def test_year_month_day_hour_are_put_together() -> None:
    frame = pd.DataFrame(
        {"year": 2024, "month": 12, "day": 31, "hour": [22, 23], "pm2.5": [1.0, 2.0]}
    )
    panel, report = read_panel(frame)
    assert panel.labels(0, 1, 2) == ["2024-12-31 23:00", "2025-01-01 00:00"]
    assert report.columns["time"] == ["year", "month", "day", "hour"]
