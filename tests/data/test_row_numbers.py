"""Which rows are meant: what numpy's indexing gives, and nothing in silence."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relembra._errors import DataError
from relembra.data import row_numbers


@given(st.integers(1, 9), st.data())
def test_they_are_those_of_an_array(rows: int, data: st.DataObject) -> None:
    numbers = st.lists(st.integers(-rows, rows - 1), max_size=12)
    truths = st.lists(st.booleans(), min_size=rows, max_size=rows)
    chosen = data.draw(numbers | truths | st.slices(rows))
    index = chosen if isinstance(chosen, slice) or chosen else np.empty(0, int)
    found = row_numbers(chosen, rows)
    assert found.dtype == np.int64
    assert found.tolist() == np.arange(rows)[index].tolist()


@pytest.mark.parametrize("chosen", [[0, 3], [-4], np.array([2**64 - 1], np.uint64)])
def test_no_such_row(chosen) -> None:
    with pytest.raises(IndexError, match=r"row (3|-4|18446744073709551615) of 3"):
        row_numbers(chosen, 3)


@pytest.mark.parametrize("chosen", [[1.0], ["1"], [True], 1, [[0, 1]], None, [[]]])
def test_what_names_no_rows(chosen) -> None:
    with pytest.raises(DataError, match=r"rows are chosen by an array of type .* each of the 3"):
        row_numbers(chosen, 3)
