import dataclasses

import pytest
import torch

from relembra import ConfigError
from relembra.engine import (
    PATHS,
    CellSpec,
    Choice,
    LayerNoise,
    Request,
    StackNoise,
    StackSpec,
    choose,
    recurrent,
    run,
)

PLAIN = StackSpec(cell=CellSpec(kind="lstm"), input_size=3, hidden_size=4)
NORMED = StackSpec(cell=CellSpec(kind="lstm", layer_norm=True), input_size=3, hidden_size=4)

HALF = torch.zeros(2, 5, 3, dtype=torch.bfloat16)


def request(spec=PLAIN, **parts) -> Request:
    weights = spec.weights({k: torch.zeros(s) for k, s in spec.parameter_shapes().items()})
    return Request(**{"spec": spec, "weights": weights, "x": torch.zeros(2, 5, 3), **parts})


def test_auto_takes_the_fast_path_where_it_can():
    choice = choose(request())
    assert (choice.path, choice.slow) == ("native", False)
    assert str(choice) == "native: our own kernels can compute it"


def test_auto_says_why_it_cannot():
    choice = choose(request(NORMED, x=HALF))
    native = "the native core computes in float32 and float64, not in torch.bfloat16"
    torchs = "PyTorch's lstm does not know layer normalisation"
    assert choice == Choice("reference", f"{native}; {torchs}", slow=True)


def test_all_reasons_are_named():
    cell = CellSpec(kind="lstm", peepholes=True, layer_norm=True, zoneout_cell=0.1)
    reason = choose(request(dataclasses.replace(PLAIN, cell=cell), x=HALF)).reason
    assert reason.endswith("PyTorch's lstm does not know layer normalisation, peepholes, zoneout")
    assert reason.startswith("the native core computes in float32 and float64, not in")


@pytest.mark.parametrize("name", ["zoneout_hidden", "zoneout_cell", "candidate"])
def test_masks_given_by_hand_are_never_dropped(name):
    """Also where the cell's own rate is zero."""
    mask = torch.rand(2, 5, 4, generator=torch.Generator().manual_seed(0)).round()
    noise = StackNoise((LayerNoise(**{name: mask}),), ())
    parts = {"x": torch.ones(2, 5, 3), "cell": torch.ones(1, 2, 4), "hidden": torch.ones(1, 2, 4)}
    whole = request(noise=noise, **parts)
    assert choose(whole).path == "native"
    torch.testing.assert_close(run(whole, "native").output, run(whole, "reference").output)
    if name == "zoneout_hidden":
        assert not torch.equal(run(whole, "native").output, run(request(**parts), "native").output)
    with pytest.raises(ConfigError, match="the torch path cannot compute this"):
        choose(request(noise=noise), "torch")


def test_empty_input_is_not_called_slow():
    choice = choose(request(x=torch.zeros(0, 5, 3)))
    assert (choice.path, choice.slow) == ("native", False)
    choice = choose(request(NORMED, x=HALF[:0]))
    assert (choice.path, choice.slow) == ("reference", False)


def test_the_path_asked_for():
    assert choose(request(), "reference") == Choice("reference", "asked for")
    assert choose(request(), "torch") == Choice("torch", "asked for")
    with pytest.raises(ConfigError, match="does not know layer normalisation; use path='auto'"):
        choose(request(NORMED), "torch")
    with pytest.raises(
        ConfigError, match="unknown path 'gpu'; known: auto, native, torch, reference"
    ):
        choose(request(), "gpu")


@pytest.mark.parametrize("path", PATHS)
def test_the_result_names_its_path(path):
    assert run(request(), path).path == path


def test_the_function_checks_before_it_computes():
    parameters = {k: torch.zeros(s) for k, s in PLAIN.parameter_shapes().items()}
    with pytest.raises(ValueError, match="input has 2 features, expected 3"):
        recurrent(torch.zeros(2, 5, 2), parameters, PLAIN)
    assert recurrent(torch.zeros(2, 5, 3), parameters, PLAIN).path == "native"
