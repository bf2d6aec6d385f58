"""An accelerated layer computes what PyTorch's own does: outputs, gradients, random masks."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence

import relembra
from relembra.engine import explain

LAYERS = [
    (kind, options)
    for kind in ("RNN", "LSTM", "GRU")
    for options in (
        {},
        {"batch_first": True},
        {"bias": False},
        {"num_layers": 2, "bidirectional": True},
        {"num_layers": 3, "dropout": 0.4},
        {"num_layers": 2, "dropout": 0.3, "bidirectional": True, "batch_first": True},
        {"num_layers": 2, "dropout": 1.0},
    )
] + [
    ("RNN", {"nonlinearity": "relu", "num_layers": 2}),
    ("LSTM", {"proj_size": 2}),
    ("LSTM", {"proj_size": 3, "num_layers": 2, "bidirectional": True, "dropout": 0.3}),
]
EACH_LAYER = pytest.mark.parametrize(("kind", "options"), LAYERS)
# PyTorch says so once, of its own layer.
NO_ONEDNN = "ignore:LSTM with projections is not supported with oneDNN:UserWarning"
INPUTS = ("batch", "unbatched", "packed", "sorted")


def pair(kind, options, dtype=torch.float32):
    torch.manual_seed(1)
    theirs = getattr(nn, kind)(3, 4, dtype=dtype, **options)
    return theirs, relembra.accelerate(copy.deepcopy(theirs))


def data(form, dtype=torch.float32):
    generator = torch.Generator().manual_seed(2)

    def normal(*shape):
        return torch.randn(*shape, 3, generator=generator, dtype=dtype)

    if form == "batch":
        return normal(5, 2)
    if form == "unbatched":
        return normal(5)
    lengths = (6, 4, 4, 1) if form == "sorted" else (4, 1, 6, 4)
    return pack_sequence([normal(n) for n in lengths], enforce_sorted=form == "sorted")


def state_for(layer, x):
    generator = torch.Generator().manual_seed(3)
    count = layer.num_layers * (1 + layer.bidirectional)
    if isinstance(x, PackedSequence):
        rows = (int(x.batch_sizes[0]),)
    else:
        rows = () if x.dim() == 2 else (x.shape[0 if layer.batch_first else 1],)
    dtype = layer.weight_ih_l0.dtype
    sizes = layer.proj_size or layer.hidden_size, layer.hidden_size
    h, c = (torch.randn(count, *rows, n, generator=generator, dtype=dtype) for n in sizes)
    leaves = (h.requires_grad_(), c.requires_grad_())
    return leaves if layer.mode == "LSTM" else h


def tensors(result):
    output, state = result
    output = output.data if isinstance(output, PackedSequence) else output
    return [output, *(state if isinstance(state, tuple) else [state])]


def outcome(layer, x, hx):
    """Outputs, and gradients of input, states and parameters."""
    leaf = (x.data if isinstance(x, PackedSequence) else x).clone().requires_grad_()
    given = x._replace(data=leaf) if isinstance(x, PackedSequence) else leaf
    torch.manual_seed(4)
    found = tensors(layer(given, hx))
    loss = sum(
        (t * torch.linspace(-1, 1, t.numel(), dtype=t.dtype).view_as(t)).sum() for t in found
    )
    leaves = [leaf, *layer.parameters()]
    if hx is not None:
        leaves += list(hx) if isinstance(hx, tuple) else [hx]
    return found + list(torch.autograd.grad(loss, leaves))


@pytest.mark.filterwarnings(NO_ONEDNN)
@EACH_LAYER
@pytest.mark.parametrize("form", INPUTS)
@pytest.mark.parametrize("stateful", [False, True])
def test_outputs_gradients_and_masks_are_those_of_torch(kind, options, form, stateful):
    theirs, ours = pair(kind, options)
    x = data(form)
    assert explain(ours, x).path == "native"
    hx = state_for(theirs, x) if stateful else None
    for a, b in zip(outcome(ours, x, hx), outcome(theirs, x, hx), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_packed_output_keeps_its_packing(kind):
    theirs, ours = pair(kind, {})
    x = data("packed")
    mine, other = ours(x)[0], theirs(x)[0]
    assert isinstance(mine, PackedSequence)
    assert mine.batch_sizes is x.batch_sizes and mine.sorted_indices is x.sorted_indices
    assert torch.equal(mine.unsorted_indices, other.unsorted_indices)


@pytest.mark.parametrize(
    ("kind", "form"), [("RNN", "packed"), ("LSTM", "batch"), ("GRU", "packed")]
)
def test_second_derivatives(kind, form):
    _, ours = pair(kind, {}, torch.float64)
    x = pack_sequence(list(data("batch", torch.float64)[:2]))
    x = x if form == "packed" else x.data[:, None]
    values = (x.data if isinstance(x, PackedSequence) else x).requires_grad_()

    def run(t):
        given = x._replace(data=t) if isinstance(x, PackedSequence) else t
        return tensors(ours(given))[0]

    assert torch.autograd.gradcheck(run, values)
    assert torch.autograd.gradgradcheck(run, values)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_float64_runs_on_the_engine(kind):
    theirs, ours = pair(kind, {}, torch.float64)
    x = data("batch", torch.float64)
    assert explain(ours, x).path == "native"
    torch.testing.assert_close(ours(x)[0], theirs(x)[0], rtol=1e-12, atol=1e-14)


def each_wrong_call():
    x = torch.zeros(5, 2, 3)
    h = torch.zeros(1, 2, 4)
    for kind in ("RNN", "LSTM", "GRU"):
        hx = (h, h) if kind == "LSTM" else h
        bad = (h[..., :3], h) if kind == "LSTM" else h[:, :1]
        yield kind, (torch.zeros(5, 2, 2),)
        yield kind, (torch.zeros(1, 5, 2, 3),)
        yield kind, (x.double(),)
        yield kind, (x, bad)
        yield kind, (x[:, 0], hx)
        yield kind, (x[:0],)
    yield "LSTM", (x, (h, h[0]))


@pytest.mark.parametrize(("kind", "given"), list(each_wrong_call()))
def test_errors_are_torchs_own(kind, given):
    theirs, ours = pair(kind, {})
    with pytest.raises(Exception) as expected:  # noqa: PT011  whatever it is
        theirs(*given)
    with pytest.raises(type(expected.value)) as found:
        ours(*given)
    assert str(found.value) == str(expected.value)


def test_a_weight_of_another_shape_never_reaches_the_core(monkeypatch):
    # PyTorch's own LSTM computes something of it in silence: that is its business.
    _, ours = pair("LSTM", {})
    ours.weight_hh_l0 = nn.Parameter(torch.zeros(16, 2))
    monkeypatch.setattr("relembra._accelerate._stacks.run", lambda *a: pytest.fail("ran"))
    assert ours._prepare(data("batch"), None) is None
    ours.weight_hh_l0 = nn.Parameter(torch.zeros(16, 4))
    assert ours._prepare(data("batch"), None) is not None


def test_empty_batches_are_torchs():
    theirs, ours = pair("GRU", {})
    assert ours(torch.zeros(5, 0, 3))[0].shape == theirs(torch.zeros(5, 0, 3))[0].shape


def test_half_precision_is_torchs_and_said_once():
    theirs, ours = pair("GRU", {}, torch.float16)
    x = data("batch", torch.float16)
    with pytest.warns(relembra.SlowPathWarning, match="float16"):
        found = ours(x)[0]
    assert torch.equal(found, theirs(x)[0])
    ours(x)  # no second warning: warnings are errors here


def test_autocast_is_torchs():
    theirs, ours = pair("LSTM", {})
    x = data("batch")
    with torch.autocast("cpu", torch.bfloat16):
        with pytest.warns(relembra.SlowPathWarning, match="autocast"):
            found = ours(x)[0]
        assert found.dtype == theirs(x)[0].dtype == torch.bfloat16
