"""What forward leaves for backward fits into the memory that `tape_step` says."""

import pytest
import torch
from tests.conformance import cases
from tests.conformance.cases import EACH_CELL

from relembra import _native
from relembra.engine import Request
from relembra.engine import _native_path as path


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@EACH_CELL
def test_the_tape_stays_in_its_memory(cell, dtype):
    for units in (3, 16, 37):
        spec = cases.make_spec(cell, hidden_size=units, num_layers=2, bidirectional=True)
        weights = spec.weights(cases.make_parameters(spec, dtype=dtype))
        x = cases.make_input(spec, 5, 7, dtype=dtype)
        request = Request(spec=spec, weights=weights, x=x)
        given = path._Given(spec, request, None, None, None, (), (None,), 0)
        leaves = [x, None, None, *(t for own in weights for t in own)]
        shape = path.native_shape(spec, masks=False)
        step = _native.tape_step(shape, dtype == torch.float64, False)
        size = _native.tape_header + 5 * 7 * step
        memory = torch.full((size + 4096,), 7, dtype=torch.uint8)
        output = x.new_empty(5, 7, 2 * spec.state_size)
        hidden, c = path._states(spec, x)
        _native.forward(
            shape,
            path._input(given, x, leaves),
            *path.place_of(output),
            hidden.data_ptr(),
            path.address_of(c),
            True,
            memory.data_ptr(),
        )
        assert (memory[size:] == 7).all()
        assert (memory[:size] != 7).any()
        expected = path.run_native(request)
        assert torch.equal(output, expected.output)
