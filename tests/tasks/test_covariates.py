"""Covariates matter: what only they can tell is forecast with them and not without."""

import numpy as np
import pyarrow as pa
import pytest
from tests.tasks.small import tiny, wave

from relembra._errors import DataError
from relembra.tasks.forecast import Columns

LONGER = {"steps": 150, "batch_size": 32, "learning_rate": 1e-2, "evaluate_every": 50}
STEPS, AHEAD = 160, 4


def driven(*, lag=0):
    """Return a table whose target follows a random covariate, with its future at the end."""
    chance = np.random.default_rng(5)
    x = chance.uniform(-1, 1, STEPS + AHEAD)
    y = 20 + 5 * np.roll(x, lag) + 0.1 * chance.standard_normal(len(x))
    return pa.table({"t": np.arange(len(x)), "y": y, "x": x})


def error(table, horizon, **columns):
    """Return the mean absolute error of what comes after STEPS."""
    truth = table["y"].to_numpy()[STEPS : STEPS + horizon]
    seen = table["y"].to_numpy().copy()
    seen[STEPS:] = np.nan
    used = ["t", "y", *(name for names in columns.values() for name in names)]
    table = table.set_column(1, "y", pa.array(seen, from_pandas=True)).select(used)
    model = tiny(
        horizon,
        units=16,
        seasons=(1,),
        context=8,
        columns=Columns(time="t", target="y", **columns),
        training=LONGER,
    )
    return np.abs(model.fit(table).predict() - truth).mean()


def test_a_covariate_known_ahead():
    table = driven()
    assert error(table, AHEAD, known=("x",)) < 0.4 * error(table, AHEAD)


def test_a_covariate_known_up_to_now():
    table = driven(lag=1)  # the step before says what comes
    assert error(table, 1, past=("x",)) < 0.4 * error(table, 1)


def walks(signs, steps=41, seed=0):
    """Return series whose every step repeats the step before it, or undoes it.

    A context of two values cannot tell which of the two a series does; the static columns can.
    """
    parts = []
    for i, (name, sign) in enumerate(signs):
        first = 1.0 if seed else (-1.0) ** (i // 2)
        moves = first * sign ** np.arange(steps)
        parts.append(
            pa.table(
                {
                    "id": [f"{seed}-{i}"] * len(moves),
                    "t": np.arange(len(moves)),
                    "y": 100 + np.cumsum(moves),
                    "kind": [name] * len(moves),
                    "number": [sign] * len(moves),
                }
            )
        )
    return pa.concat_tables(parts)


@pytest.mark.parametrize("column", ["kind", "number"])
def test_static_columns(column):
    signs = [("on", 1.0), ("back", -1.0)] * 4
    model = tiny(
        1,
        units=16,
        context=2,
        seasons=(1,),
        space="linear",
        columns=Columns(time="t", target="y", series="id", static=(column,)),
        training=LONGER,
    ).fit(walks(signs))
    new = walks(signs[:2], seed=1)
    last = new["y"].to_numpy()[[40, 81]]  # after a step up
    moves = model.predict(new)[:, 0] - last
    assert moves[0] > 0.5
    assert moves[1] < -0.5


def test_a_category_never_seen_is_forecast_all_the_same():
    columns = Columns(time="t", target="y", series="id", static=("kind",))
    model = tiny(1, columns=columns).fit(walks([("on", 1.0), ("back", -1.0)]))
    forecast = model.forecast(walks([("new", 1.0), ("on", 1.0)], seed=2))
    assert forecast.ids == ["2-0", "2-1"]
    assert np.isfinite(forecast.quantiles).all()


def test_the_future_of_a_known_covariate_is_needed():
    x, y = np.random.default_rng(0).standard_normal((2, 60))
    model = tiny().fit(x[:, None], y + 20)
    assert np.isfinite(model.predict(x[:4])).all()
    with pytest.raises(
        DataError, match=r"column 'x0': the known covariate has no value at 60; a fo"
    ):
        model.forecast()
    with pytest.raises(DataError, match=r"X has no number in row 2, column 0; a forecast needs it"):
        model.predict([1.0, 2.0, np.nan, 3.0])
    with pytest.raises(DataError, match="X has 2 covariates, in fit it had 1"):
        model.predict(np.zeros((4, 2)))
    with pytest.raises(DataError, match="asked for 5 steps; the horizon is 4"):
        model.predict(np.zeros((5, 1)))


def test_fewer_steps_than_the_horizon_are_its_beginning():
    x, y = np.random.default_rng(0).standard_normal((2, 60))
    model = tiny().fit(x[:, None], y + 20)
    ahead = np.array([[0.3], [-1.0], [0.2], [2.0]])
    np.testing.assert_allclose(model.predict(ahead[:2]), model.predict(ahead)[:2], rtol=1e-6)


def test_missing_covariates_in_the_past_count_as_average():
    x, y = np.random.default_rng(0).standard_normal((2, 60))
    x[::3] = np.nan
    assert np.isfinite(tiny().fit(x[:, None], y + 20).predict(np.zeros((4, 1)))).all()


def test_new_data_needs_the_covariates_of_the_model():
    table = pa.table({"t": np.arange(64), "y": wave(), "x": wave(seed=1)})
    model = tiny(columns=Columns(time="t", target="y", past=("x",))).fit(table)
    assert model.predict(table).shape == (4,)
    with pytest.raises(DataError, match="there is no column 'x'"):
        model.predict(table.drop(["x"]))
    with pytest.raises(DataError, match=r"past covariates are \[\], the model has \['x'\]"):
        model.predict(wave())
