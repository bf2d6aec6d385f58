"""Every cell fits; what has no memory cannot do what needs one."""

import numpy as np
import pytest
from tests.tasks.small import digest, panel_of, tiny, wave

from relembra.nn import CELLS

BLOCK, ANSWER = 10, 5  # a mark, four quiet steps, the mark again, four quiet steps


def marked(blocks, seed):
    """Return a series of blocks, and whether each mark is high."""
    high = np.random.default_rng(seed).random(blocks) < 0.5
    series = np.zeros((blocks, BLOCK))
    series[:, 0] = series[:, ANSWER] = np.where(high, 1.0, -1.0)
    return series.ravel(), high


def share_right(cell):
    """Return how often the answer has the sign of the mark, on blocks never trained on.

    The mark lies inside the context; the last step, the means and the differences that every
    cell is given do not betray its sign.
    """
    series, high = marked(60, seed=0)
    model = tiny(
        1,
        cell=cell,
        units=12,
        context=8,
        seasons=(1,),
        space="linear",
        refit=False,
        training={
            "steps": 250, "batch_size": 32, "learning_rate": 2e-2, "evaluate_every": 125,
        },
    ).fit(series)  # fmt: skip
    series, high = marked(40, seed=1)
    origins = np.arange(1, 40) * BLOCK + ANSWER
    quantiles, _ = model.forecast_from(panel_of(series), np.zeros(39, np.int64), origins)
    return np.mean((quantiles[:, 0, 3] > 0) == high[1:])


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_fits_and_learns_something(cell):
    model = tiny(cell=cell, training={"steps": 12, "learning_rate": 1e-2}).fit(wave())
    assert np.isfinite(model.forecast().quantiles).all()
    rows = list(model.fitted_.search)
    assert rows[-1].validation < rows[0].validation


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize(
    "trunk",
    [{"layers": 2, "dropout": 0.2}, {"bidirectional": True}, {"zoneout": 0.1, "path": "reference"}],
)
def test_trunks_with_options(cell, trunk):
    forecast = tiny(cell=cell, trunk=trunk).fit(wave()).forecast()
    assert np.isfinite(forecast.quantiles).all()


def test_cells_differ():
    assert len({digest(tiny(cell=cell).fit(wave())) for cell in CELLS}) == len(CELLS)


def test_memory_is_worth_something_where_it_is_needed():
    assert share_right("lstm") > 0.9
    assert share_right("feedforward") < 0.75
