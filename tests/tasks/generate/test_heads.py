"""Heads over frames of keys: probabilities, bits, and how frames are drawn."""

from itertools import product

import numpy as np
import pytest
import torch
from tests.tasks.generate.small import music, tiny

from relembra import ConfigError
from relembra.tasks import LanguageModel
from relembra.tasks.generate import Language
from relembra.tasks.generate._heads import ChordHead, FrameHead

KEYS = 6
X = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
EVERY = torch.tensor(list(product((0.0, 1.0), repeat=KEYS)))  # (64, K)


@pytest.fixture(params=["keys", "chords"])
def head(request):
    torch.manual_seed(1)
    return FrameHead(4, KEYS) if request.param == "keys" else ChordHead(4, KEYS, 5)


def test_all_frames_together_have_the_probability_one(head):
    for x in X:
        nats = head(x.expand(len(EVERY), -1), EVERY).detach().double()
        assert float((-nats).exp().sum()) == pytest.approx(1, abs=1e-6)


def test_a_key_hears_those_below_it_and_no_other():
    torch.manual_seed(1)
    head = ChordHead(4, KEYS, 5)
    frame = torch.tensor([[1.0, 0, 1, 0, 0, 1]])
    odds = head.odds(X[:1], frame)[0]
    for key in range(KEYS):
        other = frame.clone()
        other[0, key] = 1 - other[0, key]
        changed = head.odds(X[:1], other)[0] != odds
        assert not changed[: key + 1].any()
        assert key == KEYS - 1 or changed[key + 1 :].any()


def test_it_is_the_sum_of_the_paper():
    torch.manual_seed(1)
    head = ChordHead(4, KEYS, 5).double()
    x, frame = X[0].double(), EVERY[45].double()
    heard, found = head.hidden(x), head.odds(x[None], frame[None])[0]
    for key in range(KEYS):
        assert torch.allclose(found[key], head.output(x)[key] + heard.relu() @ head.above[key])
        heard = heard + frame[key] * head.below.weight[:, key]


def test_frames_are_drawn_by_their_probabilities(head):
    draws = torch.rand(200, KEYS, generator=torch.Generator().manual_seed(2)).double()
    x = X[:1].expand(200, -1)
    with torch.no_grad():
        for temperature in (1.0, 0.5):
            frames = head.write(x, draws, temperature)
            chances = torch.sigmoid(head.odds(x, frames) / temperature)
            assert torch.equal(frames, (draws < chances).float())
            assert len({tuple(frame) for frame in frames.tolist()}) > 5
        frames = head.write(x, draws, 0.0)
        assert torch.equal(frames, (head.odds(x, frames) > 0).float())


def test_gradients():
    head = ChordHead(4, KEYS, 5).double()
    x = X.double().requires_grad_()

    def loss(x, *weights):
        named = dict(zip(dict(head.named_parameters()), weights, strict=True))
        return torch.func.functional_call(head, named, (x, EVERY[[5, 44, 63]].double()))

    assert torch.autograd.gradcheck(loss, (x, *head.parameters()))


def test_a_model_with_chords_learns_which_keys_go_together(tmp_path):
    """Each frame is one of two chords, whatever was before: only a chord head knows them."""
    chance = np.random.default_rng(0)
    chords = np.array([[1, 0, 1, 0, 1, 0], [0, 1, 0, 1, 0, 1]], np.float32)
    pieces = [chords[chance.integers(0, 2, 12)] for _ in range(30)]
    settings = {"steps": 150, "evaluate_every": 50, "batch_size": 8}
    found = {}
    for units in (0, 8):
        language = {"chords": units}
        model = tiny(outputs="frames", language=language, training=settings).fit(pieces)
        found[units] = model.evaluate(pieces).per_token
    assert found[8] < 1.1 * np.log(2) < 5 * np.log(2) < found[0]
    written = np.stack(list(model.generate_frames(pieces[0][:2], 20)))
    assert {tuple(frame) for frame in written} == {tuple(chord) for chord in chords}
    model.save(tmp_path / "model.safetensors")
    again = LanguageModel.load(tmp_path / "model.safetensors")
    likely = model.log_likelihood(pieces)
    assert np.array_equal(again.log_likelihood(pieces), likely)
    assert np.array_equal(again.log_likelihood(pieces[3:4]), likely[3:4])  # in any company


def test_chords_are_refused_where_they_make_no_sense():
    with pytest.raises(ConfigError, match="chords is -1"):
        Language(chords=-1)
    for wrong in ({"chords": 5.5}, {"chords": True}, {"transpose": 1.5}):
        with pytest.raises(ConfigError, match="expected a whole number"):
            Language(**wrong)
    with pytest.raises(ConfigError, match="are for music"):
        tiny(language={"chords": 5}, training={"steps": 1}).fit("abcd" * 50)
    model = tiny(outputs="frames", training={"steps": 1}).fit(music())
    assert type(model.network_.head) is FrameHead
