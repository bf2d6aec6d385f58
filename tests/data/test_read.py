"""Tables in long form become panels; what was done about their faults is reported."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relembra._errors import DataError
from relembra.data import Panel, PanelSchema, read_panel


def shop_frame() -> pd.DataFrame:
    """Two shops of 25 hours; the last 5 hours of shop b have a promotion and no sales yet."""
    frame = pd.DataFrame(
        {
            "ds": pd.date_range("2024-01-01", periods=50, freq="h"),
            "sales": np.arange(50.0),
            "promo": np.arange(50) % 2 == 0,
            "visits": np.arange(50) * 0.5,
            "shop": ["a"] * 25 + ["b"] * 25,
            "area": [1.5] * 25 + [2.5] * 25,
            "city": ["Recife"] * 25 + ["Belém"] * 25,
        }
    )
    frame.loc[45:, ["sales", "visits"]] = np.nan
    return frame


PARTS = {
    "target": "sales", "series": "shop", "known": ["promo"], "past": ["visits"],
    "static": ["area", "city"],
}  # fmt: skip


def same(one: Panel, other: Panel) -> bool:
    arrays = ("starts", "offsets", "target", "known", "past", "static", "static_codes")
    return (one.schema, one.ids) == (other.schema, other.ids) and all(
        np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True) for name in arrays
    )


def test_every_part_of_a_table() -> None:
    panel, report = read_panel(shop_frame(), **PARTS)
    assert panel.ids == ["a", "b"]
    assert panel.offsets.tolist() == [0, 25, 50]
    assert panel.observed_lengths.tolist() == [25, 20]
    assert panel.known[:, 0].tolist() == [1.0, 0.0] * 25
    assert panel.past[:3, 0].tolist() == [0.0, 0.5, 1.0]
    assert panel.static.tolist() == [[1.5], [2.5]]
    assert panel.static_categories == [["Belém", "Recife"]]
    assert panel.static_codes.tolist() == [[2], [1]]
    assert (report.future, report.missing) == (5, 0)


@pytest.mark.parametrize("kind", ["polars", "lazy", "arrow", "parquet", "csv", "category"])
def test_all_sources_give_the_same_panel(tmp_path: Path, kind: str) -> None:
    frame = shop_frame()
    sources = {
        "polars": lambda: pl.from_pandas(frame),
        "lazy": lambda: pl.from_pandas(frame).lazy(),
        "arrow": lambda: pa.Table.from_pandas(frame),
        "parquet": lambda: pq.write_table(pa.Table.from_pandas(frame), tmp_path / "a.parquet"),
        "csv": lambda: frame.to_csv(tmp_path / "a.csv", index=False, date_format="%Y-%m-%d %H:%M"),
        "category": lambda: frame.assign(shop=frame["shop"].astype("category")),
    }
    made = sources[kind]()
    panel, _ = read_panel(tmp_path / f"a.{kind}" if kind in ("parquet", "csv") else made, **PARTS)
    expected, _ = read_panel(frame, **PARTS)
    assert np.array_equal(panel.target, expected.target, equal_nan=True)
    assert np.array_equal(panel.known, expected.known)
    assert panel.static_codes.tolist() == expected.static_codes.tolist()
    assert panel.labels(1, 0, 1) == expected.labels(1, 0, 1)


def test_the_index_of_a_frame_is_a_column() -> None:
    series = pd.Series([1.0, 2.0, 3.0], index=pd.date_range("2024-01-01", periods=3), name="sales")
    panel, report = read_panel(series)
    assert (panel.target_name, panel.labels(0, 3, 1)) == ("sales", ["2024-01-04"])
    assert report.notes == ("the frame's index is the column 'index'",)


@st.composite
def long_tables(draw: st.DrawFn) -> pd.DataFrame:
    parts = []
    for name in draw(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=4, unique=True)):
        first = draw(st.integers(0, 30))
        days = sorted(draw(st.sets(st.integers(0, 40), min_size=3, max_size=20)) | {0, 1})
        values = [draw(st.floats(-1e6, 1e6) | st.just(float("nan"))) for _ in days]
        stamps = np.datetime64("2024-01-01") + np.array(days) + first
        parts.append(pd.DataFrame({"id": name, "ds": stamps, "y": values}))
    frame = pd.concat(parts, ignore_index=True)
    frame.loc[0, "y"] = 1.0
    return frame


@settings(max_examples=60, deadline=None)
@given(long_tables(), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_repeated_rows_change_nothing(frame: pd.DataFrame, random) -> None:
    expected, report = read_panel(frame, series="id", target="y", frequency="D")
    order = list(range(len(frame))) + random.choices(range(len(frame)), k=3)
    random.shuffle(order)
    panel, shuffled = read_panel(frame.iloc[order], series="id", target="y", frequency="D")
    assert same(panel, expected)
    assert shuffled.duplicates == 3
    assert (shuffled.gaps, shuffled.missing) == (report.gaps, report.missing)


@settings(max_examples=60, deadline=None)
@given(long_tables())
def test_every_row_is_found_at_its_time(frame: pd.DataFrame) -> None:
    panel, report = read_panel(frame, series="id", target="y", frequency="D")
    seen = 0
    for s, name in enumerate(panel.ids):
        own = frame[frame["id"] == name].set_index("ds")["y"]
        full = pd.Series(panel.target_of(s), index=panel.times(s))
        assert np.array_equal(full[own.index], own, equal_nan=True)
        assert full.drop(own.index).isna().all()
        seen += len(own)
    assert report.gaps == len(panel.target) - seen


def test_the_report_states_each_rule() -> None:
    days = ["2024-01-01", "2024-01-02", "2024-01-05", "2024-01-04", "2024-01-02"]
    frame = pd.DataFrame({"ds": days, "y": [5.0, 5.0, np.nan, 5.0, 5.0]})
    panel, report = read_panel(frame)
    assert np.array_equal(panel.target, [5, 5, np.nan, 5, np.nan], equal_nan=True)
    assert report.lines() == [
        "5 rows, 1 series, daily, from 2024-01-01 to 2024-01-05",
        "time: 'ds' (guessed)",
        "target: 'y' (guessed)",
        "2 rows came after a later time of their series: sorted by time",
        "1 row repeated another row exactly: kept once",
        "1 step had no row: filled in as missing",
        "1 target is missing (empty, NA, NaN, null, None, ? or -): left missing, not filled",
        "1 series never changes: forecast all the same, but its MASE is undefined",
        "1 series is shorter than two seasons of 7 steps: its season is learnt from the others",
    ]
    assert json.loads(json.dumps(report.to_dict()))["duplicates"] == 1


def test_conflicting_rows_are_refused_with_series_and_both_places() -> None:
    frame = pd.DataFrame({"id": ["{x}"] * 3, "ds": [1, 2, 1], "y": [1, 2, 3]})
    with pytest.raises(
        DataError, match=r"row 3: this row has the same time of series '\{x\}' as row 1"
    ):
        read_panel(frame, series="id", time="ds")


def test_a_static_column_must_not_change() -> None:
    frame = shop_frame()
    frame.loc[7, "city"] = "Natal"
    with pytest.raises(
        DataError, match=r"'city': row 8: a static column must stay .*\(from row 7\)"
    ):
        read_panel(frame, **PARTS)


def test_a_series_without_any_target_is_kept_and_reported() -> None:
    frame = pd.DataFrame({"id": list("aabb"), "ds": [1, 2, 1, 2], "y": [1, 2, None, None]})
    panel, report = read_panel(frame, series="id")
    assert panel.observed_lengths.tolist() == [2, 0]
    assert report.empty == 1


def test_names_are_in_natural_order_and_may_be_joined() -> None:
    frame = pd.DataFrame(
        {"shop": ["s10", "s10", "s9", "s9"], "item": [2, 2, 1, 1], "ds": [1, 2, 1, 2], "y": 1.0}
    )
    assert read_panel(frame, series="shop", target="y")[0].ids == ["s9", "s10"]
    assert read_panel(frame, series=["shop", "item"])[0].ids == ["s9/1", "s10/2"]


def test_guesses_take_the_named_columns_and_report_the_rest() -> None:
    frame = pd.DataFrame(
        {
            "No": [1, 2, 3],
            "wind": ["N", "S", "N"],
            "date": ["2024-01-01", "2024-01-02", "2024-01-03"],
            "value": [1.0, 2.0, 3.0],
            "rain": [0.0, 0.0, 1.0],
        }
    )
    panel, report = read_panel(frame)
    assert (len(panel), panel.target_name) == (1, "value")
    assert report.unused == ("No", "wind", "rain")
    assert "not used: 'No', 'wind', 'rain'" in report.lines()


def test_several_targets_are_series_of_their_own() -> None:
    frame = pd.DataFrame({"ds": ["2024-01-01", "2024-01-02"], "usd": [1, 2], "eur": [3, 4]})
    panel, _ = read_panel(frame, target=["usd", "eur"])
    assert panel.ids == ["usd", "eur"]
    assert panel.target.tolist() == [1, 2, 3, 4]


def test_new_data_are_read_by_the_schema_of_the_old() -> None:
    panel, _ = read_panel(shop_frame(), **PARTS)
    schema = PanelSchema.from_json(json.loads(json.dumps(panel.schema.to_json())))
    assert schema == panel.schema
    new = shop_frame().iloc[:3].assign(city="Manaus", extra=1.0)
    again, _ = read_panel(new, schema=schema)
    assert again.static_codes.tolist() == [[0]]
    assert again.schema == schema
    assert read_panel(new.iloc[:1], schema=schema)[0].lengths.tolist() == [1]
    with pytest.raises(DataError, match="no column 'promo'"):
        read_panel(new.drop(columns="promo"), schema=schema)


def test_a_panel_from_arrays() -> None:
    panel = Panel.from_series({"a": [1, 2], "b": [3.0]}, "monthly", start="2024-11-01")
    assert panel.labels(0, 0, 3) == ["2024-11-01", "2024-12-01", "2025-01-01"]
    chosen = panel.select([1, 0])
    assert (chosen.ids, chosen.target.tolist()) == (["b", "a"], [3, 1, 2])
    with pytest.raises(DataError, match="at least one series"):
        Panel.from_series({}, "monthly")
