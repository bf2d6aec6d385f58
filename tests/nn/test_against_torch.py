"""relembra's layers against torch.nn's own: constructors, calls, weights both ways, packing."""

import pytest
import torch
from torch import nn as torch_nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence

from relembra import nn

KINDS = ("RNN", "LSTM", "GRU")
EACH_KIND = pytest.mark.parametrize("kind", KINDS)

# (positional, keyword); RNN's fourth is its nonlinearity.
SHARED = [
    ((3, 4), {}),
    ((3, 4, 2), {}),
    ((3, 4), {"bias": False}),
    ((3, 4), {"batch_first": True}),
    ((3, 4), {"bidirectional": True}),
    ((3, 4), {"num_layers": 3, "bidirectional": True, "batch_first": True, "bias": False}),
    ((), {"input_size": 2, "hidden_size": 1, "num_layers": 2}),
]
CONSTRUCTORS = (
    [(kind, *c) for kind in KINDS for c in SHARED]
    + [("RNN", (3, 4, 2, "relu", False, True, 0.0, True), {})]
    + [("RNN", (3, 4), {"nonlinearity": "relu"})]
    + [("LSTM", (3, 4, 2, True, True, 0.0, True, 2), {})]
    + [("LSTM", (3, 4), {"proj_size": 2})]
    + [("GRU", (3, 4, 2, True, True, 0.0, True), {})]
)
EACH_CONSTRUCTOR = pytest.mark.parametrize(("kind", "args", "options"), CONSTRUCTORS)


def pair(kind, *args, **options):
    """Torch's layer, and ours with its weights."""
    theirs = getattr(torch_nn, kind)(*args, **options)
    ours = getattr(nn, kind)(*args, **options)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def states(layer, rows, seed=0):
    generator = torch.Generator().manual_seed(seed)
    count = layer.num_layers * (2 if layer.bidirectional else 1)
    batch = () if rows is None else (rows,)
    h = torch.randn(count, *batch, layer.proj_size or layer.hidden_size, generator=generator)
    if not isinstance(layer, torch_nn.LSTM):
        return h
    return h, torch.randn(count, *batch, layer.hidden_size, generator=generator)


def flatten(result):
    """All tensors of (output, state)."""
    output, state = result
    data = [output.data] if isinstance(output, PackedSequence) else [output]
    return data + (list(state) if isinstance(state, tuple) else [state])


def assert_same(ours, theirs):
    for a, b in zip(flatten(ours), flatten(theirs), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def all_paths(ours):
    yield "native"
    ours.path = "torch"
    yield "torch"
    ours.path = "reference"
    yield "reference"


# PyTorch itself says so, once in a process, of every single-precision LSTM with a projection.
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@EACH_CONSTRUCTOR
def test_same_results_and_gradients(kind, args, options):
    theirs, ours = pair(kind, *args, **options)
    shape = (2, 5) if theirs.batch_first else (5, 2)
    for hx in (None, states(theirs, 2)):
        x = torch.randn(*shape, theirs.input_size, requires_grad=True)
        expected = theirs(x, hx)
        for path in all_paths(ours):
            result = ours(x, hx)
            assert ours.last_path == path
            assert_same(result, expected)
            grads = []
            for answer, layer in ((result, ours), (expected, theirs)):
                total = sum((t.sin().sum() for t in flatten(answer)), torch.zeros(()))
                grads.append(
                    torch.autograd.grad(total, [x, *layer.parameters()], retain_graph=True)
                )
            for a, b in zip(*grads, strict=True):
                torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
        ours.path = "auto"


@EACH_CONSTRUCTOR
def test_same_attributes_and_names(kind, args, options):
    theirs, ours = pair(kind, *args, **options)
    for name in (
        "mode", "input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout",
        "bidirectional", "proj_size",
    ):  # fmt: skip
        assert getattr(ours, name) == getattr(theirs, name), name
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict())
    for a, b in zip(ours.all_weights, theirs.all_weights, strict=True):
        assert [t.shape for t in a] == [t.shape for t in b]
    if theirs.mode != "RNN_RELU":  # torch leaves the nonlinearity out of its text
        assert repr(ours) == repr(theirs)
    assert ours.flatten_parameters() is None


@EACH_KIND
def test_same_initialisation(kind):
    """The same seed gives the same weights as torch's layer."""
    layers = []
    for module in (torch_nn, nn):
        torch.manual_seed(5)
        layers.append(getattr(module, kind)(3, 4, 2, bidirectional=True))
    for name, value in layers[0].state_dict().items():
        assert torch.equal(layers[1].state_dict()[name], value), name


@EACH_KIND
@pytest.mark.parametrize("batch_first", [False, True])
def test_unbatched(kind, batch_first):
    theirs, ours = pair(kind, 3, 4, 2, batch_first=batch_first, bidirectional=True)
    x = torch.randn(5, 3)
    for hx in (None, states(theirs, None)):
        for _ in all_paths(ours):
            assert_same(ours(x, hx), theirs(x, hx))
    mask = torch.tensor([True, True, True, False, False])
    by_mask, by_length = ours(x, mask=mask), ours(x, lengths=torch.tensor(3))
    assert_same(by_mask, by_length)
    short, _ = ours(x[:3])
    torch.testing.assert_close(by_mask[0][:3], short)


@EACH_KIND
@pytest.mark.parametrize("lengths", [[5, 3, 2, 1], [2, 5, 1, 3], [4, 4, 4, 4]], ids=str)
@pytest.mark.parametrize("enforce_sorted", [True, False])
def test_packed(kind, lengths, enforce_sorted):
    if enforce_sorted:
        lengths = sorted(lengths, reverse=True)
    theirs, ours = pair(kind, 3, 4, 2, bidirectional=True)
    packed = pack_padded_sequence(torch.randn(5, 4, 3), lengths, enforce_sorted=enforce_sorted)
    for hx in (None, states(theirs, 4)):
        expected = theirs(packed, hx)
        for _ in all_paths(ours):
            result = ours(packed, hx)
            assert_same(result, expected)
            for name in ("batch_sizes", "sorted_indices", "unsorted_indices"):
                a, b = getattr(result[0], name), getattr(expected[0], name)
                assert (a is None and b is None) or torch.equal(a, b)


def test_packed_trace_is_in_the_callers_order():
    torch.manual_seed(0)
    layer = nn.LSTM(3, 4, path="reference")
    rows = [torch.randn(n, 3) for n in (2, 5, 3)]
    packed = pack_sequence(rows, enforce_sorted=False)
    _, (h, c), trace = layer(packed, trace=True)
    for i, row in enumerate(rows):
        output, _, alone = layer(row, trace=True)
        torch.testing.assert_close(trace.hidden[:, i, : len(row)], alone.hidden[:, 0])
        torch.testing.assert_close(
            trace.gates["forget"][:, i, : len(row)], alone.gates["forget"][:, 0]
        )
        torch.testing.assert_close(trace.hidden[:, i, -1], h[:, i])
        torch.testing.assert_close(trace.cell[:, i, -1], c[:, i])
        torch.testing.assert_close(output, alone.hidden[0, 0])


@EACH_KIND
def test_lengths_equal_packing(kind):
    """Padded with lengths gives what torch gives packed."""
    theirs, ours = pair(kind, 3, 4, 2, bidirectional=True, batch_first=True)
    lengths = torch.tensor([2, 5, 1, 3])
    x = torch.randn(4, 5, 3)
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    output, state = theirs(packed)
    padded, _ = torch.nn.utils.rnn.pad_packed_sequence(output, batch_first=True)
    for _ in all_paths(ours):
        assert_same(ours(x, lengths=lengths), (padded, state))


def test_a_list_serves_as_a_pair():
    theirs, ours = pair("LSTM", 3, 4)
    x, hx = torch.randn(5, 2, 3), list(states(theirs, 2))
    assert_same(ours(x, hx), theirs(x, tuple(hx)))


@EACH_KIND
def test_an_empty_batch_and_no_steps(kind):
    """torch refuses zero steps; here the state passes through, and nothing is said."""
    theirs, ours = pair(kind, 3, 4)
    hx = states(theirs, 2)
    output, state = ours(torch.zeros(0, 2, 3), hx)
    assert output.shape == (0, 2, 4)
    for a, b in zip(flatten((output, state))[1:], flatten((output, hx))[1:], strict=True):
        assert torch.equal(a, b)
    output, state = ours(torch.zeros(5, 0, 3))
    assert output.shape == (5, 0, 4)


@EACH_KIND
def test_dropout_between_layers(kind):
    """Off in eval; in training the masks are of one layer's output, and the rate is kept."""
    theirs, ours = pair(kind, 3, 4, 2, dropout=0.5)
    x = torch.randn(5, 2, 3)
    ours.eval(), theirs.eval()
    assert_same(ours(x), theirs(x))
    ours.train()
    torch.manual_seed(1)
    first = ours(x)
    torch.manual_seed(1)
    assert_same(ours(x), first)
    assert not torch.equal(ours(x)[0], first[0])
    ours.path = "reference"
    torch.manual_seed(1)
    assert_same(ours(x), first)


@EACH_KIND
def test_total_dropout(kind):
    theirs, ours = pair(kind, 3, 4, 2, dropout=1.0)
    x = torch.randn(5, 2, 3)
    assert_same(ours(x), theirs(x))
