"""Gradients: first and second order by finite differences, per sample, and path against path."""

import pytest
import torch
from tests.conformance import cases
from tests.conformance.cases import EACH_CELL
from torch.autograd import gradcheck, gradgradcheck

from relembra.engine import PATHS, CellSpec, recurrent

LENGTHS = torch.tensor([3, 2, 0])
MASK = torch.tensor([[1, 0, 1], [0, 1, 1], [1, 1, 1]]).bool()
RESET = torch.tensor([[0, 0, 1], [1, 1, 0], [0, 1, 0]]).bool()
CALLS = {
    "plain": {},
    "ragged": {"lengths": LENGTHS},
    "masked reset": {"lengths": LENGTHS, "mask": MASK, "reset": RESET, "hold_output": True},
}


def problem(cell: CellSpec, seed: int, call: dict, **layout):
    """A small stack as a function of all its differentiable inputs, and those inputs."""
    spec = cases.make_spec(cell, input_size=2, hidden_size=3, **layout)
    parameters = cases.make_parameters(spec, seed)
    states = cases.make_states(spec, 3, seed)
    # Without noise a second time: the expectation of zoneout has its own gradients.
    noise = cases.make_noise(spec, 3, 3, seed) if "mask" not in call else None
    leaves = [cases.make_input(spec, 3, 3, seed), *states.values(), *parameters.values()]

    def run(x, *rest):
        given = dict(zip(states, rest, strict=False))
        weights = dict(zip(parameters, rest[len(states) :], strict=True))
        result = recurrent(x, weights, spec, noise=noise, path="reference", **given, **call)
        return tuple(t for t in (result.output, result.hidden, result.cell) if t is not None)

    return run, tuple(leaf.requires_grad_() for leaf in leaves)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
@EACH_CELL
def test_first_and_second_order(cell, call):
    layout = {"bidirectional": True} if "mask" in call else {}
    run, leaves = problem(cell, 5, call, **layout)
    assert gradcheck(run, leaves, fast_mode=True)
    assert gradgradcheck(run, leaves, fast_mode=True)


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_a_deep_stack(kind):
    run, leaves = problem(CellSpec(kind=kind), 7, CALLS["masked reset"], num_layers=2)
    assert gradcheck(run, leaves)  # every entry


@pytest.mark.parametrize("path", [path for path in PATHS if path != "reference"])
@pytest.mark.parametrize(
    "asked", [{"states"}, {"lengths", "states", "noise"}], ids=lambda asked: " ".join(sorted(asked))
)
@EACH_CELL
def test_paths_agree(cell, asked, path):
    """The other paths' gradients equal the reference's, for every tensor."""
    deep = ({"num_layers": 3, "dropout": 0.4},) if cell == CellSpec(kind=cell.kind) else ()
    for layout in (*cases.LAYOUTS, *deep):
        spec = cases.make_spec(cell, **layout)
        gradients = []
        for name in (path, "reference"):
            leaves = {"x": cases.make_input(spec, cases.ROWS, cases.STEPS)}
            leaves |= cases.make_parameters(spec)
            call = cases.make_call(spec, asked)
            leaves |= {key: call[key] for key in ("hidden", "cell") if key in call}
            leaves = {key: leaf.requires_grad_() for key, leaf in leaves.items()}
            result = cases.compute(name, leaves["x"], leaves, spec, call)
            if result is None:
                break
            total = result.output.sin().sum() + (result.hidden * 0.3).exp().sum()
            if result.cell is not None:
                total = total + result.cell.square().sum()
            gradients.append(
                dict(zip(leaves, torch.autograd.grad(total, leaves.values()), strict=True))
            )
        if len(gradients) == 2:
            for key, expected in gradients[1].items():
                cases.close(gradients[0][key], expected, 1e-10)


SECOND = ("coupled peepholes", "peepholes zoneout cell", "dropout candidate", "dropout weights")
SECOND = [f"lstm {name}" for name in SECOND] + ["gru dropout state", "rnn zoneout"]


@pytest.mark.parametrize("name", SECOND)
def test_second_order_of_the_native_path(name):
    spec = cases.make_spec(cases.CELLS[name], **cases.LAYOUTS[2])
    call = cases.make_call(spec, {"lengths", "mask", "reset", "noise"})
    twice = []
    for path in ("native", "reference"):
        leaves = {"x": cases.make_input(spec, cases.ROWS, cases.STEPS)}
        leaves |= cases.make_parameters(spec)
        leaves = {key: leaf.requires_grad_() for key, leaf in leaves.items()}
        result = recurrent(leaves["x"], leaves, spec, path=path, **call)
        loss = result.output.sin().sum() + result.hidden.square().sum()
        first = torch.autograd.grad(loss, leaves.values(), create_graph=True)
        penalty = sum(g.square().sum() for g in first)
        twice.append(torch.autograd.grad(penalty, leaves.values()))
    for key, got, wanted in zip(leaves, *twice, strict=True):
        assert wanted.any(), key
        cases.close(got, wanted, 1e-10)


def sample_problem(cell: CellSpec):
    spec = cases.make_spec(cell, num_layers=2, bidirectional=True)
    parameters = cases.make_parameters(spec)
    x = cases.make_input(spec, cases.ROWS, cases.STEPS)

    def loss(parameters, x, **parts):
        batch = {name: value[None] for name, value in parts.items()}
        result = recurrent(x[None], parameters, spec, path="reference", **batch)
        return result.output.sin().sum() + result.hidden.square().sum()

    return parameters, x, loss


@EACH_CELL
def test_per_sample_gradients(cell):
    """vmap(grad) gives each row's own gradient, with masks and resets that differ by row."""
    parameters, x, loss = sample_problem(cell)

    def one(parameters, x, mask, reset):
        return loss(parameters, x, mask=mask, reset=reset)

    each = torch.func.vmap(torch.func.grad(one), in_dims=(None, 0, 0, 0))
    many = each(parameters, x, cases.MASK, cases.RESET)
    for row in (0, 3):
        expected = torch.func.grad(one)(parameters, x[row], cases.MASK[row], cases.RESET[row])
        for name, gradient in expected.items():
            cases.close(many[name][row], gradient, 1e-10)


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_per_sample_gradients_with_lengths(kind):
    parameters, x, loss = sample_problem(CellSpec(kind=kind))

    def one(parameters, x, lengths):
        return loss(parameters, x, lengths=lengths)

    each = torch.func.vmap(torch.func.grad(one), in_dims=(None, 0, 0))
    many = each(parameters, x, cases.LENGTHS)
    for row, length in enumerate(cases.LENGTHS):
        expected = torch.func.grad(one)(parameters, x[row], length)
        for name, gradient in expected.items():
            cases.close(many[name][row], gradient, 1e-10)


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_jacobians_and_hessians(kind):
    parameters, x, loss = sample_problem(CellSpec(kind=kind))
    jacobian = torch.func.jacrev(lambda x: loss(parameters, x))(x[0])
    leaf = x[0].clone().requires_grad_()
    (expected,) = torch.autograd.grad(loss(parameters, leaf), leaf)
    cases.close(jacobian, expected)
    twice = torch.func.jacrev(torch.func.grad(lambda x: loss(parameters, x)))
    hessian = twice(x[0, :2]).reshape(4, 4)
    assert hessian.abs().min() > 1e-8
    cases.close(hessian, hessian.T, 1e-10)


def test_gradients_forget_across_a_reset():
    spec = cases.make_spec(CellSpec(kind="gru"), bidirectional=True)
    x = cases.make_input(spec, 1, 4).requires_grad_()
    reset = torch.tensor([[False, False, True, False]])
    result = recurrent(x, cases.make_parameters(spec), spec, reset=reset)
    (late,) = torch.autograd.grad(result.output[:, 2:].sum(), x, retain_graph=True)
    (early,) = torch.autograd.grad(result.output[:, :2].sum(), x)
    assert not late[:, :2].any() and late[:, 2:].all()
    assert not early[:, 2:].any() and early[:, :2].all()
