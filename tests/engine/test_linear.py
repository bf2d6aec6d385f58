"""The batch-invariant linear map: its bits, its gradients, and when it is PyTorch's own."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from relembra import DataError, nn
from relembra.engine import linear


@given(
    rows=st.integers(1, 60),
    inputs=st.one_of(st.integers(0, 70), st.sampled_from([192, 193, 320, 321, 450])),
    outputs=st.integers(1, 70),
    biased=st.booleans(),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    threads=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_a_row_has_the_same_bits_in_any_company(
    rows, inputs, outputs, biased, dtype, threads, seed
):
    torch.manual_seed(seed)
    x = torch.randn(rows, inputs, dtype=dtype)
    weight = torch.randn(outputs, inputs, dtype=dtype)
    bias = torch.randn(outputs, dtype=dtype) if biased else None
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        together = linear(x, weight, bias)
    finally:
        torch.set_num_threads(before)
    for r in range(rows):
        assert torch.equal(linear(x[r], weight, bias), together[r])
    tail = linear(x[rows // 2 :], weight, bias)
    assert torch.equal(tail, together[rows // 2 :])
    exact = functional.linear(x.double(), weight.double(), None if bias is None else bias.double())
    torch.testing.assert_close(together.double(), exact, rtol=1e-5, atol=1e-5 * max(1, inputs / 70))


@pytest.mark.parametrize("shape", [(400, 300, 200), (5000, 64, 33), (3, 512, 900)])
def test_large_maps_on_several_threads(shape):
    rows, inputs, outputs = shape
    torch.manual_seed(0)
    x, weight = torch.randn(rows, inputs), torch.randn(outputs, inputs)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = linear(x, weight)
        torch.set_num_threads(3)
        assert torch.equal(linear(x, weight), one)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(linear(x[-1:], weight), one[-1:])
    torch.testing.assert_close(one, x @ weight.t(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("inputs", [321, 512, 4096])
def test_rounding_errors_do_not_add_up_along_the_inputs(inputs):
    source = torch.Generator().manual_seed(0)
    x, weight = (torch.rand(n, inputs, generator=source) for n in (7, 40))
    exact = functional.linear(x.double(), weight.double())
    one_by_one = torch.zeros(7, 40)
    for k in range(inputs):
        one_by_one = torch.addcmul(one_by_one, x[:, k : k + 1], weight[:, k])

    def error(found):
        return ((found.double() - exact).abs() / exact).mean()

    assert error(linear(x, weight)) < 0.7 * error(one_by_one)


def test_any_shape_and_memory_layout():
    x, weight, bias = torch.randn(4, 3, 6), torch.randn(5, 6), torch.randn(5)
    expected = linear(x, weight, bias)
    assert expected.shape == (4, 3, 5)
    assert torch.equal(linear(x.transpose(0, 1), weight, bias), expected.transpose(0, 1))
    assert torch.equal(linear(x, weight.t().contiguous().t(), bias), expected)
    assert torch.equal(linear(x[0, 0], weight, bias), expected[0, 0])
    assert linear(x[:0], weight, bias).shape == (0, 3, 5)
    assert torch.equal(linear(x[..., :0], weight[:, :0], bias), bias.expand(4, 3, 5))


def test_nan_and_infinity_stay_in_their_rows():
    x = torch.zeros(3, 2)
    x[1, 0], x[2, 1] = torch.nan, torch.inf
    y = linear(x, torch.ones(1, 2))
    assert y[0] == 0 and y[1].isnan() and y[2].isinf()


def test_with_gradients_it_is_pytorchs_own():
    layer, x = nn.Linear(6, 5), torch.randn(4, 6, requires_grad=True)
    y = layer(x)
    assert torch.equal(y, functional.linear(x, layer.weight, layer.bias))
    y.sum().backward()
    torch.testing.assert_close(x.grad, layer.weight.detach().sum(0).expand(4, 6))
    with torch.no_grad():
        assert torch.equal(layer(x)[:1], layer(x[:1]))


def test_other_types_and_transforms_are_pytorchs():
    x, weight = torch.randn(4, 6), torch.randn(5, 6)
    assert linear(x.half(), weight.half()).dtype == torch.float16
    with torch.autocast("cpu", torch.bfloat16):
        assert linear(x, weight).dtype == torch.bfloat16
    torch.testing.assert_close(torch.vmap(lambda row: linear(row, weight))(x), x @ weight.t())
    assert linear(x.to("meta"), weight.to("meta")).shape == (4, 5)


def test_the_layer_is_pytorchs_with_other_bits():
    layer, peer = nn.Linear(6, 5), torch.nn.Linear(6, 5)
    layer.load_state_dict(peer.state_dict())
    x = torch.randn(4, 6)
    torch.testing.assert_close(layer(x), peer(x))
    with torch.inference_mode():
        torch.testing.assert_close(layer(x), peer(x))


def test_what_does_not_fit_is_refused():
    x, weight = torch.zeros(4, 6), torch.zeros(5, 6)
    with pytest.raises(DataError, match=r"input has shape \(4, 6\), expected \(…, 7\)"):
        linear(x, torch.zeros(5, 7))
    with pytest.raises(DataError, match=r"bias has shape \(4,\), expected \(5,\)"):
        linear(x, weight, torch.zeros(4))
    with pytest.raises(DataError, match=r"weight has shape \(6,\), expected \(O, I\)"):
        linear(x, torch.zeros(6))
    with pytest.raises(DataError, match=r"input has shape \(\), expected"):
        linear(torch.zeros(()), weight)
