"""Windows gather what a plain loop would, and see nothing of the future."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from relembra._errors import DataError
from relembra.data import (
    Frequency,
    Panel,
    PanelSchema,
    Standardizer,
    Windows,
    WindowSpec,
    forecast_batch,
    window_batch,
)


@st.composite
def panels(draw: st.DrawFn) -> Panel:
    lengths = draw(st.lists(st.integers(1, 15), min_size=1, max_size=4))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    rows, count = sum(lengths), len(lengths)
    target = rng.normal(size=rows)
    target[rng.random(rows) < 0.3] = np.nan
    schema = PanelSchema(Frequency("D"), known=("k",), past=("p", "q"), static=("s",))
    return Panel(
        schema,
        [str(i) for i in range(count)],
        rng.integers(-50, 50, count),
        np.cumsum([0, *lengths]),
        target,
        rng.normal(size=(rows, 1)).astype(np.float32),
        rng.normal(size=(rows, 2)).astype(np.float32),
        rng.normal(size=(count, 1)).astype(np.float32),
        np.zeros((count, 0), np.int64),
    )


specs = st.builds(WindowSpec, st.integers(1, 6), st.integers(1, 4))


def naive_window(panel: Panel, spec: WindowSpec, s: int, origin: int, end: int) -> dict:
    begin, length = int(panel.offsets[s]), int(panel.lengths[s])
    out: dict = {name: [] for name in ("target", "inside", "known", "past", "calendar")}
    for i in range(-spec.context, spec.horizon):
        step = origin + i
        inside, exists = 0 <= step < min(end, length), 0 <= step < length
        nothing = np.full(2, np.nan)
        out["inside"].append(inside)
        out["target"].append(panel.target[begin + step] if inside else np.nan)
        out["known"].append(panel.known[begin + step] if exists else nothing[:1])
        past = panel.past[begin + step] if inside else nothing
        out["past"].append(np.zeros(2) if i >= 0 else past)
        out["calendar"].append(panel.frequency.calendar([panel.starts[s] + step])[0])
    return {name: np.array(values) for name, values in out.items()}


@settings(max_examples=80, deadline=None)
@given(panels(), specs, st.data())
def test_a_batch_equals_a_plain_loop(panel: Panel, spec: WindowSpec, data) -> None:
    ends = np.array([data.draw(st.integers(0, n + 1)) for n in panel.lengths.tolist()])
    windows = Windows(panel, spec, end=ends)
    series, origins = windows.series, windows.origins
    expected = []
    for s in range(len(panel)):
        for origin in range(int(min(ends[s], panel.lengths[s]))):
            window = naive_window(panel, spec, s, origin, int(ends[s]))
            seen = ~np.isnan(window["target"])
            if seen[: spec.context].any() and seen[spec.context :].any():
                expected.append((s, origin))
    assert list(zip(series.tolist(), origins.tolist(), strict=True)) == expected
    if not expected:
        return
    batch = windows.batch(np.arange(len(windows)))
    for b, (s, origin) in enumerate(expected):
        window = naive_window(panel, spec, s, origin, int(ends[s]))
        for name, values in window.items():
            got = getattr(batch, name)[b].numpy()
            assert np.array_equal(got, values, equal_nan=True), name
    assert torch.equal(batch.observed, ~torch.isnan(batch.target))
    assert batch.static[:, 0].tolist() == panel.static[series, 0].tolist()


@settings(max_examples=80, deadline=None)
@given(panels(), specs, st.data())
def test_the_context_sees_nothing_from_the_origin_on(panel: Panel, spec: WindowSpec, data) -> None:
    s = data.draw(st.integers(0, len(panel) - 1))
    origin = data.draw(st.integers(0, int(panel.lengths[s])))
    target, past = panel.target.copy(), panel.past.copy()
    target[panel.offsets[s] + origin :] = 1e9
    past[panel.offsets[s] + origin :] = 1e9
    target[: panel.offsets[s]] = past[: panel.offsets[s]] = -1e9
    other = dataclasses.replace(panel, target=target, past=past)
    one, two = (window_batch(p, spec, [s], [origin]) for p in (panel, other))
    for name in ("target", "past", "inside", "calendar"):
        a, b = (getattr(batch, name)[:, : spec.context] for batch in (one, two))
        assert torch.equal(torch.nan_to_num(a.double()), torch.nan_to_num(b.double())), name
    hidden = window_batch(other, spec, [s], [origin], end=[origin])
    assert torch.isnan(hidden.target[:, spec.context :]).all()
    assert not hidden.past[:, spec.context :].any()


def test_bounds_on_origins_are_included() -> None:
    panel = Panel.from_series({"a": range(10), "b": range(6)}, "int")
    windows = Windows(panel, WindowSpec(3, 2), first=2, last=[4, 3])
    assert windows.series.tolist() == [0, 0, 0, 1, 1]
    assert windows.origins.tolist() == [2, 3, 4, 2, 3]


def test_no_windows_at_all() -> None:
    panel = Panel.from_series({"a": [1.0]}, "int")
    assert len(Windows(panel, WindowSpec(3, 2))) == 0


@pytest.mark.parametrize(("context", "horizon"), [(0, 1), (1, 0)])
def test_empty_specs_are_refused(context: int, horizon: int) -> None:
    with pytest.raises(DataError, match="at least 1 step"):
        WindowSpec(context, horizon)


def with_future(values: list[float]) -> Panel:
    panel = Panel.from_series({"a": [1, 2, 3, np.nan, np.nan]}, "D", start="2024-01-01")
    known = np.array(values, dtype=np.float32)[:, None]
    schema = dataclasses.replace(panel.schema, known=("promo",))
    return dataclasses.replace(panel, schema=schema, known=known)


def test_a_forecast_begins_behind_the_last_target() -> None:
    batch = forecast_batch(with_future([1, 2, 3, 4, 5]), WindowSpec(4, 2), [0])
    assert batch.origin.tolist() == [3]
    assert batch.known[0, 1:, 0].tolist() == [1, 2, 3, 4, 5]
    assert batch.observed[0].tolist() == [False, True, True, True, False, False]


def test_a_forecast_needs_every_known_covariate() -> None:
    with pytest.raises(DataError, match="column 'promo': .* no value at 2024-01-05.*3 steps"):
        forecast_batch(with_future([1, 2, 3, 4, np.nan]), WindowSpec(4, 3), [0])
    with pytest.raises(DataError, match="no value at 2024-01-06"):
        forecast_batch(with_future([1, 2, 3, 4, 5]), WindowSpec(4, 3), [0])


def test_covariates_are_measured_on_training_rows_alone() -> None:
    panel = with_future([1, 3, 1e6, 1e6, np.nan])
    scaler = Standardizer.fit(panel, rows_before=2)
    assert scaler.known_mean.tolist() == [2.0]
    assert scaler.known_std.tolist() == [1.0]
    batch = scaler.apply(window_batch(panel, WindowSpec(2, 3), [0], [2]))
    assert batch.known[0, :2, 0].tolist() == [-1.0, 1.0]
    assert batch.known[0, 4, 0].item() == 0.0


def test_constant_columns_and_large_offsets_keep_their_digits() -> None:
    assert Standardizer.fit(with_future([7, 7, 7, 7, 7])).known_std.tolist() == [1.0]
    scaler = Standardizer.fit(with_future([1e6, 1e6 + 2, 1e6 + 1, 0, 0]))
    assert scaler.known_std.item() == pytest.approx(np.sqrt(2 / 3))


def test_a_standardizer_survives_as_tensors() -> None:
    scaler = Standardizer.fit(with_future([1, 2, 3, 4, 5]))
    again = Standardizer.from_tensors(scaler.tensors() | {"other": torch.zeros(1)})
    assert all(torch.equal(again.tensors()[k], v) for k, v in scaler.tensors().items())
