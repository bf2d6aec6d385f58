import pytest
import torch

from relembra.engine import CellSpec, StackSpec, draw_noise, recurrent

ROWS, STEPS, UNITS = 40, 50, 60


def spec_of(kind="lstm", **options) -> StackSpec:
    stack = {"num_layers": 2, "bidirectional": True, "dropout": options.pop("dropout", 0.0)}
    return StackSpec(cell=CellSpec(kind=kind, **options), input_size=3, hidden_size=UNITS, **stack)


def draw(spec, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return draw_noise(spec, ROWS, STEPS, torch.zeros((), dtype=dtype), generator)


def test_none_where_nothing_is_random():
    assert draw(spec_of()) is None
    assert draw(spec_of("rnn")) is None


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("state", (ROWS, UNITS)),
        ("gates", (ROWS, 4, UNITS)),
        ("candidate", (ROWS, STEPS, UNITS)),
        ("weights", (4 * UNITS, UNITS)),
    ],
)
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_dropout_keeps_and_scales(kind, shape, rate):
    noise = draw(spec_of(recurrent_dropout=rate, recurrent_dropout_kind=kind))
    assert noise.gate_masks == (kind == "gates")
    kind = "state" if kind == "gates" else kind
    masks = [getattr(layer, kind) for layer in noise.layers]
    assert len(masks) == 4
    for mask in masks:
        assert mask.shape == shape
        low, high = mask.unique().tolist()
        assert low == 0.0 and high == pytest.approx(1 / (1 - rate))
        kept = mask.count_nonzero().item() / mask.numel()
        assert kept == pytest.approx(1 - rate, abs=5 * (rate * (1 - rate) / mask.numel()) ** 0.5)
    assert not torch.equal(masks[0], masks[1])
    for layer in noise.layers:
        others = {name: value for name, value in layer._asdict().items() if name != kind}
        assert set(others.values()) == {None}
    assert noise.between == (None,)


def test_zoneout_masks_are_zero_or_one():
    noise = draw(spec_of(zoneout_hidden=0.2, zoneout_cell=0.7, projection=5))
    for layer in noise.layers:
        assert layer.zoneout_hidden.shape == (ROWS, STEPS, 5)
        assert layer.zoneout_cell.shape == (ROWS, STEPS, UNITS)
        assert layer.zoneout_cell.unique().tolist() == [0.0, 1.0]
        assert layer.zoneout_hidden.mean().item() == pytest.approx(0.2, abs=0.02)
        assert layer.zoneout_cell.mean().item() == pytest.approx(0.7, abs=0.01)
        assert layer.state is layer.candidate is layer.weights is None
    only_hidden = draw(spec_of("gru", zoneout_hidden=0.2))
    assert only_hidden.layers[0].zoneout_cell is None


def test_between_layers():
    noise = draw(spec_of(dropout=0.25))
    (gap,) = noise.between
    assert gap.shape == (ROWS, STEPS, 2 * UNITS)
    assert gap.mean().item() == pytest.approx(1.0, abs=0.01)
    assert gap.unique().tolist() == pytest.approx([0.0, 4 / 3])
    (everything,) = draw(spec_of(dropout=1.0)).between
    assert not everything.any()


def test_type_and_reproducibility():
    spec = spec_of(recurrent_dropout=0.5, zoneout_cell=0.1, dropout=0.5)
    a, b, c = draw(spec, 1, torch.float64), draw(spec, 1, torch.float64), draw(spec, 2)
    assert a.layers[0].state.dtype == torch.float64
    for x, y in zip(a.layers, b.layers, strict=True):
        assert torch.equal(x.state, y.state) and torch.equal(x.zoneout_cell, y.zoneout_cell)
    assert not torch.equal(a.layers[0].state.float(), c.layers[0].state)
    torch.manual_seed(7)
    first = draw_noise(spec, 2, 3, torch.ones(1))
    torch.manual_seed(7)
    again = draw_noise(spec, 2, 3, torch.ones(1))
    assert torch.equal(first.layers[3].state, again.layers[3].state)
    assert torch.equal(first.between[0], again.between[0])


def test_expectation_is_the_mean_over_masks():
    """One linear step: averaged over many masks, zoneout gives its expectation."""
    spec = StackSpec(
        cell=CellSpec(kind="rnn", zoneout_hidden=0.3), input_size=1, hidden_size=4, bias=False
    )
    parameters = {name: torch.ones(shape) for name, shape in spec.parameter_shapes().items()}
    rows = 4000
    x, hidden = torch.ones(rows, 1, 1), torch.full((1, rows, 4), -2.0)
    noise = draw_noise(spec, rows, 1, x, torch.Generator().manual_seed(0))
    drawn = recurrent(x, parameters, spec, hidden=hidden, noise=noise).hidden.mean()
    expected = recurrent(x, parameters, spec, hidden=hidden).hidden
    torch.testing.assert_close(drawn, expected.mean(), atol=0.02, rtol=0)
    torch.testing.assert_close(
        expected[0, 0, 0].item(), 0.3 * -2 + 0.7 * torch.tensor(-7.0).tanh().item()
    )
