"""`torch.compile` and `torch.export` take the native path whole, as one operator."""

import io
from functools import partial

import pytest
import torch
from tests.conformance import cases
from torch.export import Dim

from relembra import DataError, SlowPathWarning, nn
from relembra.engine import Activation, CellSpec, LayerNoise, StackNoise, recurrent

EACH_KIND = pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
# torch's own: it imports what it tells others not to use.
TORCHS_OWN = pytest.mark.filterwarnings(
    "ignore:.torch.jit.:DeprecationWarning", "ignore:.isinstance.treespec:FutureWarning"
)
EXPORT_SAYS = pytest.mark.filterwarnings("ignore:While compiling, we found certain side effects")


@pytest.fixture(autouse=True)
def fresh():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


class Counting:
    """A backend that runs the graph as it is, and keeps it."""

    def __init__(self):
        self.graphs = []

    def __call__(self, graph, inputs):
        self.graphs.append(graph)
        return graph

    def targets(self, index=0) -> list:
        return [n.target for n in self.graphs[index].graph.nodes if n.op == "call_function"]


def draw(rows, steps, features=3) -> torch.Tensor:
    return torch.randn(rows, steps, features, generator=torch.Generator().manual_seed(rows))


def step(layer, x, **call):
    """Output, states and all gradients."""
    x = x.clone().requires_grad_()
    output, state = layer(x, **call)
    states = state if isinstance(state, tuple) else (state,)
    loss = output.sin().sum() + sum(s.square().sum() for s in states)
    return (output, *states, *torch.autograd.grad(loss, [x, *layer.parameters()]))


def same(left, right) -> None:
    for got, wanted in zip(left, right, strict=True):
        assert torch.equal(got, wanted)
        assert got.stride() == wanted.stride()


@EACH_KIND
def test_one_node_however_long(kind):
    """Nothing is unrolled: the graph of 2000 steps is that of 10."""
    layer = kind(3, 4, 2, bidirectional=True, batch_first=True)
    backend = Counting()
    compiled = torch.compile(layer, fullgraph=True, backend=backend, dynamic=False)
    for steps in (10, 2000):
        x = draw(2, steps)
        same(compiled(x)[:1], layer(x)[:1])
        assert layer.last_path == "native"
    assert backend.targets(0) == backend.targets(1)
    assert backend.targets(0).count(torch.ops.relembra.stack) == 1
    assert len(backend.targets(0)) < 8


@EACH_KIND
@pytest.mark.parametrize("batch_first", [True, False])
def test_training_with_any_batch_and_length(kind, batch_first):
    """Compiled once; the bits, gradients' as well, are those of eager mode."""
    layer = kind(3, 4, 2, bidirectional=True, batch_first=batch_first)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager", dynamic=True)
    with torch.compiler.set_stance("default"):
        same(step(compiled, draw(5, 7)), step(layer, draw(5, 7)))
    with torch.compiler.set_stance("fail_on_recompile"):
        for rows, steps in ((2, 2000), (9, 3)):
            same(step(compiled, draw(rows, steps)), step(layer, draw(rows, steps)))


@EACH_KIND
@pytest.mark.parametrize("asked", [{"lengths", "states"}, {"mask", "reset"}])
def test_parts_of_a_call(kind, asked):
    layer = kind(3, 4, 2, bidirectional=True, bias=False, batch_first=True)
    x = draw(cases.ROWS, cases.STEPS)
    call = cases.make_call(layer.spec, asked, dtype=torch.float32)
    states = [call.pop(name) for name in ("hidden", "cell") if name in call]
    call["hx"] = tuple(states) if len(states) == 2 else states[0] if states else None
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    same(step(compiled, x, **call), step(layer, x, **call))
    call["mask"] = cases.MASK
    same(*(step(one, x, hold_output=True, **call) for one in (compiled, layer)))


def test_dropout_and_unbatched_input():
    layer = nn.GRU(3, 4, 2, dropout=0.5)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    results = []
    for one in (compiled, layer):
        torch.manual_seed(0)
        results.append(step(one, draw(1, 6)[0]))
    same(*results)
    layer.eval()
    with torch.no_grad():
        same(compiled(draw(1, 6)[0]), layer(draw(1, 6)[0]))


def test_lengths_are_looked_at_when_the_graph_runs():
    compiled = torch.compile(nn.GRU(3, 4, batch_first=True), fullgraph=True, backend="aot_eager")
    with pytest.raises(DataError, match=r"lengths must lie in 0…5, got values from 1 to 6"):
        compiled(draw(2, 5), lengths=torch.tensor([1, 6]))


def test_autocast():
    layer = nn.LSTM(3, 4, batch_first=True)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        same(compiled(draw(2, 5).bfloat16())[:1], layer(draw(2, 5).bfloat16())[:1])


def test_double_backward_is_for_eager_mode():
    layer = nn.LSTM(3, 4, batch_first=True)
    x = draw(2, 5).requires_grad_()

    def penalty(one):
        (d_x,) = torch.autograd.grad(one(x)[0].sin().sum(), x, create_graph=True)
        d_x.square().sum().backward()

    penalty(layer)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    with pytest.raises(RuntimeError, match="does not currently support double backward"):
        penalty(compiled)


OPTIONS = {
    "lstm": partial(
        nn.LSTM, peepholes=True, zoneout=(0.2, 0.4), recurrent_dropout=0.3,
        recurrent_dropout_kind="candidate", gate_activation=cases.SHIFTED,
        activation=Activation("elu", alpha=0.4), state_activation="softsign",
    ),
    "coupled": partial(nn.LSTM, coupled=True, recurrent_dropout=0.3, gate_activation=cases.KERAS_2),
    "gru": partial(nn.GRU, activation="relu", zoneout=0.3, recurrent_dropout=0.3),
    "by gate": partial(nn.GRU, recurrent_dropout=0.3, recurrent_dropout_kind="gates"),
    "rnn": partial(
        nn.RNN, nonlinearity="sigmoid", recurrent_dropout=0.3, recurrent_dropout_kind="weights"
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", OPTIONS.values(), ids=OPTIONS)
def test_options_of_a_cell(kind):
    """One node as well, with masks drawn in the graph; in training and in evaluation."""
    layer = kind(3, 4, 2, dropout=0.2, bidirectional=True, batch_first=True)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager", dynamic=True)

    def both(rows, steps):
        for one in (compiled, layer):
            torch.manual_seed(rows)
            yield step(one, draw(rows, steps))

    same(*both(5, 7))
    assert layer.last_path == "native"
    with torch.compiler.set_stance("fail_on_recompile"):
        for shape in ((2, 300), (9, 3)):
            same(*both(*shape))
    layer.eval()  # zoneout in expectation
    backend = Counting()
    compiled = torch.compile(layer, fullgraph=True, backend=backend, dynamic=True)
    with torch.no_grad():
        same(compiled(draw(5, 7))[:1], layer(draw(5, 7))[:1])
    assert backend.targets().count(torch.ops.relembra.stack) == 1


def test_a_trace_takes_the_slow_path_in_a_graph_and_says_so():
    layer = nn.LSTM(3, 4, batch_first=True)
    compiled = torch.compile(layer, fullgraph=True, backend="eager")
    with pytest.warns(SlowPathWarning, match="in graphs and transforms the native core"):
        trace = compiled(draw(2, 5), trace=True)[2]
    assert layer.last_path == "reference"
    torch.testing.assert_close(trace.cell, layer(draw(2, 5), trace=True)[2].cell)
    assert layer.last_path == "native"


def test_transforms_inside_a_graph_take_another_path():
    layer = nn.GRU(3, 4, batch_first=True)
    each = torch.func.vmap(torch.func.grad(lambda x: layer(x)[0].sin().sum()))
    x = draw(2, 5)
    wanted = each(x)
    assert layer.last_path == "native"
    got = torch.compile(each, fullgraph=True, backend="eager")(x)
    assert layer.last_path == "torch"
    torch.testing.assert_close(got, wanted)


@TORCHS_OWN
def test_inductor():
    """With its head, as the whole of a training step."""
    layer, head = nn.LSTM(3, 4, batch_first=True), torch.nn.Linear(4, 2)

    class Model(torch.nn.Sequential):
        def forward(self, x):
            output, (h, c) = self[0](x)
            return self[1](output), (h, c)

    model = Model(layer, head)
    compiled = torch.compile(model, fullgraph=True, dynamic=True)
    for rows, steps in ((3, 6), (2, 50)):
        got, wanted = (step(one, draw(rows, steps)) for one in (compiled, model))
        for left, right in zip(got, wanted, strict=True):
            torch.testing.assert_close(left, right)


@TORCHS_OWN
@EXPORT_SAYS
@EACH_KIND
@pytest.mark.parametrize("strict", [False, True])
def test_export_with_any_batch_and_length(kind, strict):
    layer = kind(3, 4, 2, bidirectional=True, batch_first=True)
    rows, steps = Dim("rows"), Dim("steps")
    program = torch.export.export(
        layer,
        (draw(4, 5),),
        {"lengths": torch.tensor([5, 0, 2, 5])},
        dynamic_shapes={"input": {0: rows, 1: steps}, "lengths": {0: rows}},
        strict=strict,
    )
    ours = [n.target for n in program.graph.nodes if "relembra" in str(n.target)]
    assert ours == [torch.ops.relembra.stack.default]
    again = program.run_decompositions()
    assert [n.target for n in again.graph.nodes if "relembra" in str(n.target)] == ours
    for module in (program.module(), again.module()):
        for shape in ((7, 2000), (1, 5), (2, 1)):
            x, lengths = draw(*shape), torch.arange(shape[0]).clamp(max=shape[1])
            same(module(x, lengths=lengths)[:1], layer(x, lengths=lengths)[:1])


class Masked(torch.nn.Module):
    """A cell with options whose random masks are inputs."""

    def __init__(self):
        super().__init__()
        cell = CellSpec(
            kind="lstm", peepholes=True, zoneout_cell=0.3, gate_activation=cases.KERAS_2
        )
        self.spec = cases.make_spec(cell, num_layers=2)
        for name, value in cases.make_parameters(self.spec).items():
            self.register_parameter(name, torch.nn.Parameter(value))

    def forward(self, x, state, zoneout, gap):
        # One layer has masks that the other has not.
        layers = (LayerNoise(state=state), LayerNoise(zoneout_cell=zoneout))
        weights = dict(self.named_parameters())
        return recurrent(x, weights, self.spec, noise=StackNoise(layers, (gap,))).output


@TORCHS_OWN
@EXPORT_SAYS
def test_export_with_masks_as_inputs():
    def call(rows, steps):
        spec = module.spec
        masks = [torch.rand(rows, 3), *(torch.rand(rows, steps, 3) for _ in range(2))]
        return cases.make_input(spec, rows, steps), *(mask.double().round() for mask in masks)

    module, rows, steps = Masked(), Dim("rows"), Dim("steps")
    shapes = ({0: rows, 1: steps}, {0: rows}, {0: rows, 1: steps}, {0: rows, 1: steps})
    program = torch.export.export(module, call(4, 5), dynamic_shapes=shapes)
    ours = [n.target for n in program.graph.nodes if "relembra" in str(n.target)]
    assert ours == [torch.ops.relembra.stack.default]
    saved = io.BytesIO()
    torch.export.save(program, saved)
    saved.seek(0)
    for one in (program, torch.export.load(saved)):
        for shape in ((7, 300), (2, 2)):
            given = call(*shape)
            assert torch.equal(one.module()(*given), module(*given))
