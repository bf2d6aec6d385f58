"""`accelerate` on models as they are met: wrapped, hooked, parametrized, pruned, shared."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune
from torch.nn.utils.rnn import pack_sequence

import relembra
from relembra.engine import explain


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(10, 3)
        self.lstm = nn.LSTM(3, 4, bidirectional=True, batch_first=True)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.lstm(self.embed(x))[0])


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Tagger()


X = torch.arange(12).view(2, 6) % 10


def took_the_engine(monkeypatch, call):
    """Run a call and count how often the native path ran."""
    from relembra._accelerate import _stacks

    counts = []
    real = _stacks.run
    monkeypatch.setattr(_stacks, "run", lambda *a: counts.append(a) or real(*a))
    result = call()
    monkeypatch.setattr(_stacks, "run", real)
    return result, len(counts)


def test_objects_parameters_and_names_stay(model):
    before = dict(model.named_parameters())
    layer, keys = model.lstm, list(model.state_dict())
    expected = model(X)
    assert relembra.accelerate(model) is model
    assert model.lstm is layer and isinstance(layer, nn.LSTM)
    assert dict(model.named_parameters()) == before
    assert all(a is b for a, b in zip(model.parameters(), before.values(), strict=True))
    assert list(model.state_dict()) == keys
    assert layer.all_weights[0][0] is layer._flat_weights[0]
    layer.flatten_parameters()
    torch.testing.assert_close(model(X), expected)
    assert relembra.restore(model) is model and type(model.lstm) is nn.LSTM
    assert torch.equal(model(X), expected)


def test_an_optimizer_made_before_goes_on(model):
    other = copy.deepcopy(model)
    for m, ours in ((model, True), (other, False)):
        optimizer = torch.optim.SGD(m.parameters(), lr=0.05)
        for step in range(4):
            if ours and step == 2:
                relembra.accelerate(m)
            optimizer.zero_grad()
            m(X).square().sum().backward()
            optimizer.step()
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_checkpoints_move_both_ways(model):
    ours = relembra.accelerate(Tagger())
    ours.load_state_dict(model.state_dict())
    torch.testing.assert_close(ours(X), model(X))
    model.load_state_dict(ours.state_dict(), assign=True)
    ours.load_state_dict(Tagger().state_dict(), assign=True)
    assert ours(X).shape == (2, 6, 2)


def test_hooks_stay(model):
    seen = []
    model.lstm.register_forward_pre_hook(lambda m, a: seen.append("before"))
    model.lstm.register_forward_hook(lambda m, a, o: seen.append("after"))
    model.lstm.register_full_backward_hook(lambda m, i, o: seen.append("backward"))
    relembra.accelerate(model)(X).sum().backward()
    assert seen == ["before", "after", "backward"]


def test_a_layer_at_two_places_and_tied_parameters():
    gru = nn.GRU(4, 4)
    twin = nn.GRU(4, 4)
    twin.weight_hh_l0 = gru.weight_hh_l0
    model = relembra.accelerate(nn.ModuleList([gru, gru, twin]))
    assert model[0] is model[1]
    x = torch.randn(3, 2, 4)
    y = model[2](model[1](model[0](x)[0])[0])[0]
    y.sum().backward()
    theirs = relembra.restore(copy.deepcopy(model))
    theirs.zero_grad()
    theirs[2](theirs[1](theirs[0](x)[0])[0])[0].sum().backward()
    assert theirs[2].weight_hh_l0 is theirs[0].weight_hh_l0
    torch.testing.assert_close(gru.weight_hh_l0.grad, theirs[0].weight_hh_l0.grad)


def parametrized(layer):
    parametrizations.weight_norm(layer, "weight_hh_l0")
    parametrizations.spectral_norm(layer, "weight_ih_l0")
    return layer.eval()  # spectral_norm changes its estimate in training


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_parametrizations(monkeypatch, first):
    torch.manual_seed(0)
    layer = nn.LSTM(3, 4)
    plain = copy.deepcopy(layer)
    if first:
        torch.manual_seed(1)
        relembra.accelerate(parametrized(layer))
    else:
        torch.manual_seed(1)
        parametrized(relembra.accelerate(layer))
    torch.manual_seed(1)
    theirs = parametrized(plain)
    with torch.no_grad():
        for one in (layer, theirs):
            one.parametrizations.weight_hh_l0.original0.mul_(3)
    x = torch.randn(5, 2, 3)
    found, ran = took_the_engine(monkeypatch, lambda: layer(x)[0])
    assert ran == 1
    torch.testing.assert_close(found, theirs(x)[0])
    torch.testing.assert_close(copy.deepcopy(layer)(x)[0], found)
    assert parametrize.is_parametrized(layer)
    again = relembra.restore(copy.deepcopy(layer))
    assert parametrize.is_parametrized(again)
    assert not relembra.acceleration(again).replaced
    torch.testing.assert_close(again(x)[0], found)
    for one, kind in ((layer, "AcceleratedLSTM"), (again, "LSTM")):
        for name in ("weight_hh_l0", "weight_ih_l0"):
            parametrize.remove_parametrizations(one, name)
        assert type(one).__name__ == kind
        torch.testing.assert_close(one(x)[0], found)
    relembra.restore(layer)
    assert type(layer) is nn.LSTM


@pytest.mark.filterwarnings("ignore:.*weight_norm.*is deprecated:FutureWarning")
def test_norms_by_hooks_and_pruning(monkeypatch):
    for change in (
        lambda m: nn.utils.weight_norm(m, "weight_hh_l0"),
        lambda m: nn.utils.spectral_norm(m, "weight_hh_l0", n_power_iterations=1),
        lambda m: prune.l1_unstructured(m, "weight_hh_l0", 0.5),
    ):
        torch.manual_seed(0)
        layer = nn.GRU(3, 4)
        change(layer.eval())
        x = torch.randn(5, 2, 3)
        expected = layer(x)[0]
        relembra.accelerate(layer)
        found, ran = took_the_engine(monkeypatch, lambda: layer(x)[0])  # noqa: B023  called now
        assert ran == 1
        torch.testing.assert_close(found, expected)


def test_functional_call_sees_other_weights(model):
    relembra.accelerate(model)
    doubled = {name: 2 * value for name, value in model.state_dict().items()}
    theirs = relembra.restore(copy.deepcopy(model))
    found = torch.func.functional_call(model, doubled, X)
    torch.testing.assert_close(found, torch.func.functional_call(theirs, doubled, X))


def test_per_sample_gradients(model):
    relembra.accelerate(model)
    theirs = relembra.restore(copy.deepcopy(model))

    def loss(weights, m, row):
        return torch.func.functional_call(m, weights, row[None]).square().sum()

    found = torch.func.vmap(torch.func.grad(lambda w, row: loss(w, model, row)), in_dims=(None, 0))(
        dict(model.named_parameters()), X
    )
    for i, row in enumerate(X):
        theirs.zero_grad()
        loss(dict(theirs.named_parameters()), theirs, row).backward()
        for name, parameter in theirs.named_parameters():
            torch.testing.assert_close(found[name][i], parameter.grad, rtol=1e-4, atol=1e-5)


def test_under_data_parallel_and_compile(model, monkeypatch):
    expected = model(X)
    wrapped = nn.DataParallel(model)
    relembra.accelerate(wrapped)
    assert relembra.acceleration(wrapped).replaced == {"module.lstm": "AcceleratedLSTM"}
    found, ran = took_the_engine(monkeypatch, lambda: wrapped(X))
    assert ran == 1
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("order", ["compiled first", "accelerated first", "run in between"])
def test_torch_compile(model, monkeypatch, order):
    torch._dynamo.reset()
    expected = model(X)
    if order == "accelerated first":
        relembra.accelerate(model)
    compiled = torch.compile(model, backend="eager")
    if order == "run in between":
        compiled(X)
    relembra.accelerate(compiled)
    found, ran = took_the_engine(monkeypatch, lambda: compiled(X))
    assert ran == 1
    torch.testing.assert_close(found, expected)
    found.sum().backward()
    relembra.restore(compiled)
    assert torch.equal(compiled(X), expected)


def test_distributed_data_parallel(model, tmp_path):
    store = f"file://{tmp_path}/store"
    torch.distributed.init_process_group("gloo", init_method=store, rank=0, world_size=1)
    try:
        wrapped = nn.parallel.DistributedDataParallel(model)
        relembra.accelerate(wrapped)(X).sum().backward()
        assert type(model.lstm).__name__ == "AcceleratedLSTM"
        assert model.lstm.weight_hh_l0.grad.abs().sum() > 0
        # Before the group ends: freed after it, it waits for a thread of the group's with the
        # interpreter's lock held, and that thread may want the lock.
        del wrapped
    finally:
        torch.distributed.destroy_process_group()


def test_torch_export(model):
    relembra.accelerate(model.eval())
    expected = model(X)
    torch.testing.assert_close(torch.export.export(model, (X,)).module()(X), expected)


@pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")  # PyTorch's layers say so as well
def test_torchscript(model):
    relembra.accelerate(model.eval())
    expected = model(X)
    torch.testing.assert_close(torch.jit.trace(model, X)(X), expected)
    with pytest.raises(relembra.ConfigError, match="restore"):
        torch.jit.script(model)
    scripted = torch.jit.script(relembra.restore(model))
    torch.testing.assert_close(scripted(X), expected)
    report = relembra.acceleration(nn.ModuleList([scripted]))
    assert "ScriptModule" in report.left["0.lstm"]


class Renamed(nn.GRU):
    """A subclass that only fixes its arguments."""

    def __init__(self, size):
        super().__init__(size, size, batch_first=True)


class Own(nn.LSTM):
    def forward(self, input, hx=None):
        return super().forward(2 * input, hx)


def test_subclasses():
    model = nn.ModuleList([Renamed(3), Own(3, 4)])
    x = torch.randn(2, 5, 3)
    expected = model[0](x)[0]
    relembra.accelerate(model)
    report = relembra.acceleration(model)
    assert report.replaced == {"0": "AcceleratedRenamed"}
    assert "Own has a forward of its own" in report.left["1"]
    assert isinstance(model[0], Renamed) and type(model[1]) is Own
    for layer in (model[0], copy.deepcopy(model[0]), pickle.loads(pickle.dumps(model[0]))):
        assert explain(layer, x).path == "native"
        torch.testing.assert_close(layer(x)[0], expected)
    assert type(relembra.restore(model)[0]) is Renamed


def test_pickles_and_whole_saved_models(model):
    relembra.accelerate(model)
    buffer = io.BytesIO()
    torch.save(model, buffer)
    buffer.seek(0)
    loaded = torch.load(buffer, weights_only=False)
    assert explain(loaded.lstm, torch.zeros(1, 1, 3)).path == "native"
    torch.testing.assert_close(loaded(X), model(X))


def test_mode_type_and_device_stay(model):
    model.eval().double()
    model.lstm.weight_hh_l0.requires_grad_(False)
    relembra.accelerate(model)
    assert not model.lstm.training and not model.lstm.weight_hh_l0.requires_grad
    assert model(X).dtype == torch.float64
    model.float().to("meta")
    assert model(X.to("meta")).shape == (2, 6, 2)


def test_nothing_to_accelerate_is_said():
    with pytest.warns(relembra.SlowPathWarning, match="no recurrent layer"):
        relembra.accelerate(nn.Linear(2, 2))
    with pytest.warns(relembra.SlowPathWarning, match="projection|forward of its own"):
        relembra.accelerate(Own(2, 3))
    with pytest.raises(relembra.ConfigError, match="got function"):
        relembra.accelerate(lambda x: x)


def test_quantised_layers_are_left_alone():
    quantised = torch.ao.nn.quantizable.LSTM(3, 4)
    report = relembra.acceleration(nn.ModuleList([quantised]))
    assert "quantised" in report.left["0"]


def test_packed_sequences_through_a_stack_of_layers(monkeypatch):
    torch.manual_seed(0)
    stack = nn.ModuleList([nn.GRU(3, 4, bidirectional=True), nn.GRU(8, 4)])
    x = pack_sequence([torch.randn(n, 3) for n in (2, 5, 3)], enforce_sorted=False)
    expected = stack[1](stack[0](x)[0])[1]
    relembra.accelerate(stack)
    found, ran = took_the_engine(monkeypatch, lambda: stack[1](stack[0](x)[0])[1])
    assert ran == 2
    torch.testing.assert_close(found, expected)
