"""Which cells, stacks and calls the conformance suite goes through, and how it compares."""

import numpy as np
import pytest
import torch
from tests.conformance.oracle import run_stack

from relembra import ConfigError
from relembra.engine import Activation, CellSpec, Request, StackSpec, choose, draw_noise, recurrent

KERAS_2 = Activation("hard_sigmoid", slope=0.2, offset=0.5)  # and ONNX
SHIFTED = Activation("hard_sigmoid", slope=0.7, offset=0.3)
GATES = {"recurrent_dropout": 0.4, "recurrent_dropout_kind": "gates"}
NAMES = ("relu", "sigmoid", "softsign", "gelu", "identity", "elu", "hard_sigmoid")


def _table():
    rnn = {"tanh": {}, "layer_norm": {"layer_norm": True}, "zoneout": {"zoneout_hidden": 0.3}}
    rnn |= {name: {"activation": Activation(name)} for name in NAMES}
    rnn |= {
        "elu alpha": {"activation": Activation("elu", alpha=0.4)},
        "dropout state": {"recurrent_dropout": 0.4},
        "dropout weights": {"recurrent_dropout": 0.4, "recurrent_dropout_kind": "weights"},
        "dropout gates": GATES,
    }
    gated = {
        "plain": {},
        "relu": {"activation": Activation("relu")},
        "hard keras3": {"gate_activation": Activation("hard_sigmoid")},
        "hard keras2": {"gate_activation": KERAS_2},
        "hard shifted": {"gate_activation": SHIFTED, "activation": Activation("softsign")},
        "layer_norm": {"layer_norm": True},
        "dropout state": {"recurrent_dropout": 0.4},
        "dropout candidate": {"recurrent_dropout": 0.4, "recurrent_dropout_kind": "candidate"},
        "dropout weights": {"recurrent_dropout": 0.4, "recurrent_dropout_kind": "weights"},
        "dropout gates": GATES,
        "layer_norm dropout gates": {"layer_norm": True, **GATES},
        "zoneout": {"zoneout_hidden": 0.3},
    }
    lstm = gated | {
        "state identity": {"state_activation": Activation("identity")},
        "peepholes": {"peepholes": True},
        "coupled": {"coupled": True},
        "coupled peepholes": {"coupled": True, "peepholes": True},
        "projection": {"projection": 2},
        "projection dropout gates": {"projection": 2, "coupled": True, "peepholes": True, **GATES},
        "projection zoneout": {"projection": 2, "zoneout_hidden": 0.2, "zoneout_cell": 0.1},
        "zoneout both": {"zoneout_hidden": 0.2, "zoneout_cell": 0.4},
        "peepholes zoneout cell": {"peepholes": True, "zoneout_cell": 0.4},
        "all": {
            "layer_norm": True, "peepholes": True, "coupled": True, "projection": 2,
            "zoneout_hidden": 0.2, "zoneout_cell": 0.4, "recurrent_dropout": 0.4,
            "gate_activation": KERAS_2, "activation": Activation("elu"),
            "state_activation": Activation("softsign"),
        },
    }  # fmt: skip
    before = {
        f"before {name}": {**options, "reset_after": False} for name, options in gated.items()
    }
    return {
        f"{kind} {name}": CellSpec(kind=kind, **options)
        for kind, table in (("rnn", rnn), ("lstm", lstm), ("gru", gated | before))
        for name, options in table.items()
    }


CELLS: dict[str, CellSpec] = _table()
EACH_CELL = pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS.keys())

LAYOUTS: tuple[dict, ...] = (
    {},
    {"bidirectional": True},
    {"num_layers": 2, "bidirectional": True, "bias": False, "dropout": 0.25},
)


def make_spec(cell: CellSpec, *, input_size=2, hidden_size=3, **layout) -> StackSpec:
    return StackSpec(cell=cell, input_size=input_size, hidden_size=hidden_size, **layout)


def make_parameters(spec: StackSpec, seed=0, dtype=torch.float64) -> dict[str, torch.Tensor]:
    """Every parameter at random, the norms' gains around one: nothing may be neutral."""
    draw = np.random.default_rng(seed)
    return {
        name: torch.tensor(
            draw.normal(1.0 if name.startswith("gain") else 0.0, 0.6, shape), dtype=dtype
        )
        for name, shape in spec.parameter_shapes().items()
    }


def make_input(spec: StackSpec, rows: int, steps: int, seed=1, dtype=torch.float64):
    draw = np.random.default_rng(seed)
    return torch.tensor(draw.normal(0, 1, (rows, steps, spec.input_size)), dtype=dtype)


def make_states(spec: StackSpec, rows: int, seed=2, dtype=torch.float64) -> dict:
    draw = np.random.default_rng(seed)
    count = spec.num_layers * spec.directions
    states = {"hidden": draw.normal(0, 1, (count, rows, spec.state_size))}
    if spec.cell.has_cell_state:
        states["cell"] = draw.normal(0, 1, (count, rows, spec.hidden_size))
    return {name: torch.tensor(value, dtype=dtype) for name, value in states.items()}


def make_noise(spec: StackSpec, rows: int, steps: int, seed=3, dtype=torch.float64):
    like = torch.zeros((), dtype=dtype)
    return draw_noise(spec, rows, steps, like, torch.Generator().manual_seed(seed))


ROWS, STEPS = 5, 6
LENGTHS = torch.tensor([3, 6, 0, 5, 1])
MASK = torch.tensor(
    [
        [1, 0, 1, 1, 0, 1],  # holes
        [0, 0, 1, 1, 1, 1],  # left padding
        [1, 1, 1, 1, 1, 1],
        [0, 1, 1, 0, 0, 1],
        [0, 0, 0, 0, 0, 0],  # nothing taken
    ]
).bool()
RESET = torch.tensor(
    [
        [0, 0, 1, 1, 0, 1],
        [1, 1, 0, 0, 1, 0],  # at t = 0, and on a masked step
        [1, 0, 0, 0, 0, 0],  # beyond a length of zero
        [0, 0, 0, 1, 0, 1],  # on a masked step; at the length itself
        [0, 0, 1, 0, 0, 0],
    ]
).bool()

CALLS = {
    "plain": set(),
    "states": {"states"},
    "noise": {"noise", "states"},
    "lengths": {"lengths", "states"},
    "lengths noise": {"lengths", "noise"},
    "mask": {"mask", "states"},
    "mask hold": {"mask", "states", "hold_output"},
    "reset": {"reset", "states"},
    "all": {"lengths", "mask", "reset", "states", "noise", "trace"},
    "all hold": {"lengths", "mask", "reset", "states", "noise", "trace", "hold_output"},
}
EACH_CALL = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())


def make_call(spec: StackSpec, asked: set[str], dtype=torch.float64) -> dict:
    call: dict = {"lengths": LENGTHS, "mask": MASK, "reset": RESET}
    call |= {"hold_output": True, "trace": True}
    call = {name: value for name, value in call.items() if name in asked}
    if "states" in asked:
        call |= make_states(spec, ROWS, dtype=dtype)
    if "noise" in asked:
        call["noise"] = make_noise(spec, ROWS, STEPS, dtype=dtype)
    return call


def _torch_takes(spec: StackSpec, call: dict, x) -> bool:
    """What PyTorch's kernels can do, in our own words."""
    cell, noise = spec.cell, call.get("noise")
    plain = {"activation", "recurrent_dropout", "recurrent_dropout_kind", "projection"}
    usual = CellSpec(kind=cell.kind)
    changed = {name for name in vars(usual) if getattr(cell, name) != getattr(usual, name)}
    allowed = ("tanh", "relu") if cell.kind == "rnn" else ("tanh",)
    if changed - plain or cell.activation.name not in allowed:
        return False
    if noise is not None and cell.recurrent_dropout and cell.recurrent_dropout_kind != "weights":
        return False
    asked = {name for name, value in call.items() if value is not None and value is not False}
    return not asked & {"mask", "reset", "trace"}


def _native_takes(spec: StackSpec, call: dict, x) -> bool:
    """What our own kernels can do."""
    cell, noise = spec.cell, call.get("noise")
    by_gate = noise is not None and cell.recurrent_dropout_kind == "gates"
    staged = cell.layer_norm or cell.projection or not cell.reset_after or by_gate
    return x.dtype in (torch.float32, torch.float64) and not (call.get("trace") and staged)


# A path that is added says here what it takes; without that its conformance tests fail.
TAKES = {
    "native": _native_takes,
    "torch": _torch_takes,
    "reference": lambda spec, call, x: True,
}


def compute(path: str, x, parameters, spec: StackSpec, call: dict):
    """Run a call on a path; where it must refuse, see it refused in words, and return None."""
    if TAKES[path](spec, call, x):
        result = recurrent(x, parameters, spec, path=path, **call)
        assert result.path == path
        return result
    with pytest.raises(ConfigError, match=f"the {path} path cannot compute this: "):
        recurrent(x, parameters, spec, path=path, **call)
    request = Request(spec=spec, weights=spec.weights(parameters), x=x, **call)
    assert choose(request).path != path
    return None


def close(actual, expected, tolerance=1e-11) -> None:
    expected = torch.as_tensor(expected)
    torch.testing.assert_close(
        actual.detach().to(expected.dtype), expected, rtol=tolerance, atol=tolerance
    )


def expect(result, spec: StackSpec, parameters, x, call: dict, tolerance=1e-11) -> None:
    """Compare a result with the oracle's."""
    arrays = {
        name: value.numpy() if isinstance(value, torch.Tensor) else value
        for name, value in call.items()
        if name != "trace"
    }
    weights = {name: value.detach().double().numpy() for name, value in parameters.items()}
    answer = run_stack(spec, weights, x.detach().double().numpy(), **arrays)
    close(result.output, answer.output, tolerance)
    close(result.hidden, answer.hidden, tolerance)
    assert (result.cell is None) == (answer.cell is None)
    if result.cell is not None:
        close(result.cell, answer.cell, tolerance)
    assert (result.trace is None) == (not call.get("trace"))
    if result.trace is not None:
        close(result.trace.hidden, answer.trace_hidden, tolerance)
        if answer.trace_cell is not None:
            close(result.trace.cell, answer.trace_cell, tolerance)
        assert tuple(result.trace.gates) == spec.cell.gate_names
        for name, gate in result.trace.gates.items():
            close(gate, answer.gates[name], tolerance)
