"""What stands between encoder and trunk: places and neighbours."""

import numpy as np
import pytest
import torch
from tests.tasks.test_classify import ramps, small

from relembra import ConfigError
from relembra.data import Symbols
from relembra.nn import Trunk
from relembra.tasks import Classifier
from relembra.tasks._sequence import Embedding, Front, networks_of
from relembra.tasks._sequence._front import places


def test_places_are_sines_and_cosines_that_tell_them_apart():
    found = places(0, 300, 8)
    steps = np.arange(300)[:, None] / 1000 ** (np.arange(4) / 4)
    np.testing.assert_allclose(found, np.concatenate([np.sin(steps), np.cos(steps)], 1), atol=1e-6)
    assert torch.cdist(found[None], found[None])[0].add(torch.eye(300)).min() > 1e-2


def test_a_place_has_the_same_bits_from_wherever_it_is_asked():
    whole = places(0, 700, 6)
    for begin, end in ((0, 0), (0, 1), (255, 257), (300, 700), (699, 700)):
        assert torch.equal(places(begin, end, 6), whole[begin:end])


def test_places_are_kept_whatever_stood_around_the_first_call():
    """Places of a meta device, or of inference alone, would be of no use to later calls."""
    block, x = 256 * 10_007, torch.ones(1, 2, 3, requires_grad=True)  # nobody else asks for it
    with torch.device("meta"), torch.inference_mode():
        first = places(block, block + 2, 6)
        assert places(4, 4, 6).device.type == "cpu"
    assert first.device.type == "cpu" and torch.equal(first, places(block, block + 2, 6))
    front = Front(3, Embedding(positions=10), causal=True)
    with torch.device("meta"), torch.inference_mode():
        front(torch.ones(1, 2, 3, device="cpu"), torch.tensor([2]))
    (front(x, torch.tensor([2])) ** 2).sum().backward()
    assert torch.equal(x.grad, torch.full((1, 2, 3), 2.0))


@pytest.mark.parametrize("convolutions", [0, 2])
def test_step_by_step_has_the_same_bits(convolutions):
    settings = Embedding(positions=4, convolutions=convolutions, window=3, maps=5)
    front = Front(2, settings, causal=True).eval()
    x = torch.randn(3, 300, 2)
    with torch.no_grad():
        whole, state = front(x, torch.full((3,), 300)), front.start(3)
        for step in range(300):
            found, state = front.step(x[:, step], state)
            assert torch.equal(found, whole[:, step])


def test_without_settings_it_does_nothing():
    front, x = Front(2, Embedding(), causal=True), torch.randn(1, 5, 2)
    assert front(x, torch.tensor([5])) is x and front.output_size == 2
    assert not list(front.parameters())


def test_only_the_place_of_a_letter_tells_the_class():
    """One letter of ten, before or behind the middle: without places a maximum cannot tell."""
    chance, rows, labels = np.random.default_rng(0), [], []
    for i in range(160):
        early = i % 2
        place = chance.integers(0, 5) + (0 if early else 5)
        rows.append("a" * place + "b" + "a" * (9 - place))
        labels.append(early)
    model = small(
        features="symbols", ngrams=0, validation=0.0, trunk__cell="feedforward",
        trunk__bidirectional=False, training__steps=150, embedding__positions=8,
    )  # fmt: skip
    assert model.fit(rows, labels).score(rows, labels) > 0.95
    model.set_params(embedding__positions=0)
    assert model.fit(rows, labels).score(rows, labels) < 0.6


def test_a_network_without_memory_knows_no_places_and_no_neighbours():
    rows, _ = ramps(8)
    model = small(embedding__positions=2, embedding__convolutions=1).settled(rows)
    (_, own), (name, other) = networks_of(model, compare=True)
    assert own.embedding.convolutions == 1 and name == "without memory"
    assert (other.embedding.positions, other.embedding.convolutions) == (0, 0)
    assert other.trunk == Trunk.without_memory(own.trunk)


def test_refusals():
    for wrong in ({"positions": 3}, {"positions": -2}, {"window": 0}, {"map_dropout": 1.0}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            Embedding(**wrong)


@pytest.mark.parametrize(
    ("features", "rows", "positions", "convolutions"),
    [
        ("symbols", ["ACGT", "AAAA"], 32, 0),
        (Symbols("ACGT"), ["ACGT", "AAA"], 0, 0),
        ("characters", ["ACGT", "AAAA"], 0, 0),
        ("auto", ["a film", "a song"], 0, 0),
        ("auto", np.zeros((2, 5)), 0, 2),
    ],
)
def test_what_follows_from_the_rows(features, rows, positions, convolutions):
    found = Classifier(features).recipe_for(rows).embedding
    assert (found.positions, found.convolutions) == (positions, convolutions)
    model = Classifier(features).set_params(trunk__cell="feedforward", trunk__bidirectional=False)
    assert model.recipe_for(rows).embedding.without_order() == model.recipe_for(rows).embedding
    model.set_params(embedding__convolutions=1)  # unless it is asked for
    assert model.recipe_for(rows).embedding.convolutions == 1
