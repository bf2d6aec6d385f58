"""The networks in torch that our epochs are timed beside compute the same loss."""

import math

import numpy as np
import pytest
import torch
from benchmarks.engine import alternating
from benchmarks.peers import _epoch_recipes as recipes
from benchmarks.peers import _torch_parts as parts
from benchmarks.peers import _torch_twins as twins
from benchmarks.peers import epochs

from relembra._config import replace
from relembra.nn import Trunk
from relembra.tasks import Classifier, LanguageModel, Tagger
from relembra.tasks._sequence import Embedding
from relembra.tasks.generate import Language
from relembra.training import Training

TRAINING = Training(steps=2, batch_size=3, average=0.9, evaluate_every=2)
SMALL = Embedding(size=5, characters=3, character_units=2)
SENTENCES = [["to", "Rio"], ["from", "Rio", "to", "Lima"], ["Lima"], ["to", "Lima", "soon"]] * 2
TEXTS = [" ".join(words) for words in SENTENCES]
DRAW = np.random.default_rng(0)
FRAMES = [DRAW.normal(size=(n, 3)).astype(np.float32) for n in (4, 7, 5, 6)] * 2
SEEN = Embedding(size=5, frames=2, positions=4, convolutions=2, window=4, maps=3, map_dropout=0.0)
NOISE = {"warp": 0.3, "band_mask": 0.5, "step_mask": 0.4, "jitter": 0.1, "gain": 0.2}


def tagger(features, crf, embedding=SMALL):
    settings = {"trunk": Trunk(units=4, bidirectional=True), "training": TRAINING}
    return Tagger(features, crf=crf, validation=0, embedding=embedding, **settings)


def music(chords=0):
    settings = {"trunk": Trunk(cell="gru", units=4), "language": Language(chords=chords)}
    model = LanguageModel(outputs="frames", training=TRAINING, held_out=0.0, **settings)
    return model.fit([(rows > 0).astype(np.float32) for rows in FRAMES])


def text():
    # So few weights are dropped that none is, and the way that drops them is taken.
    language, trunk = Language(embedding=5), Trunk(units=4, layers=2, weight_drop=1e-7)
    model = LanguageModel(length=6, language=language, trunk=trunk, training=TRAINING, held_out=0.0)
    return model.fit("o rato roeu a roupa do rei de roma " * 3)


def labels(pooling, rows, embedding=SMALL, **settings):
    trunk = Trunk(units=4, bidirectional=pooling != "max")
    settings |= {"trunk": trunk, "embedding": embedding, "training": TRAINING}
    return Classifier(pooling=pooling, label_smoothing=0.0, **settings).fit(rows, [0, 1] * 4)


CASES = {
    "characters": ("generate", text, twins.Characters),
    "music": ("generate", music, twins.Music),
    "chords": ("generate", lambda: music(chords=4), twins.Music),
    "words": (
        "tag",
        lambda: tagger("auto", False).fit(SENTENCES, [[len(w) for w in s] for s in SENTENCES]),
        twins.Tags,
    ),
    "slots": (
        "tag",
        lambda: tagger("auto", True).fit(
            SENTENCES, [["B-x" if w[0].isupper() else "O" for w in s] for s in SENTENCES]
        ),
        twins.Tags,
    ),
    "last": ("classify", lambda: labels("last", FRAMES), twins.Label),
    "mean": ("classify", lambda: labels("mean", FRAMES), twins.Label),
    "max": ("classify", lambda: labels("max", FRAMES), twins.Label),
    "attention": (
        "classify",
        lambda: labels("attention", TEXTS, features="words"),
        twins.Label,
    ),
    "noise": (
        "classify",
        lambda: labels("last", FRAMES, replace(SMALL, tempo=0.3, **NOISE)),
        twins.Label,
    ),
    "convolutions, one way": ("classify", lambda: labels("max", FRAMES, SEEN), twins.Label),
    "convolutions, both ways": ("classify", lambda: labels("last", FRAMES, SEEN), twins.Label),
    "convolutions over words": (
        "classify",
        lambda: labels("mean", TEXTS, SEEN, features="words"),
        twins.Label,
    ),
    "convolutions and tags": (
        "tag",
        lambda: tagger("frames", False, replace(SEEN, **NOISE)).fit(
            FRAMES, [[k % 2 for k in range(len(rows))] for rows in FRAMES]
        ),
        twins.Tags,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_twin_computes_our_loss(case):
    job, run, make = CASES[case]
    caught = epochs.catch(job, run)
    twin, first = epochs.twin_of(caught, make)
    assert caught.objective.module.training and twin.training
    for index in range(caught.source.batches(0)):
        batch = caught.source.batch(0, index)
        twin.begin()
        torch.manual_seed(index)  # there is no dropout, and the noise draws alike
        expected = caught.objective.loss(batch, None)[0]
        torch.manual_seed(index)
        found = twin.loss(*twin.rows(batch))
        assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    # The averages of normalisations have moved: a new twin has them, or it would be refused.
    moved = epochs.twin_of(caught, make)[1] != pytest.approx(first, rel=1e-5)
    assert moved == case.startswith("convolutions")


@pytest.mark.parametrize("case", ["convolutions, both ways", "convolutions and tags", "chords"])
def test_the_twin_has_our_gradients(case):
    job, run, make = CASES[case]
    caught = epochs.catch(job, run)
    twin, _ = epochs.twin_of(caught, make)
    batch = caught.source.batch(0, 0)
    norms = []
    for module, loss in (
        (caught.objective.module, lambda: caught.objective.loss(batch, None)[0]),
        (twin, lambda: twin.loss(*twin.rows(batch))),
    ):
        torch.manual_seed(0)
        loss().backward()
        norms.append(sorted(p.grad.norm().item() for p in module.parameters()))
    assert norms[0] == pytest.approx(norms[1], rel=1e-4, abs=1e-7)


def test_a_twin_that_computes_something_else_is_refused():
    job, run, make = CASES["last"]
    caught = epochs.catch(job, run)

    def scaled(network):
        twin = make(network)
        twin.dropout = torch.nn.Tanh()
        return twin

    with pytest.raises(AssertionError, match="our loss is .*, that in torch"):
        epochs.twin_of(caught, scaled)


def test_losses_alone_are_compared_where_that_is_asked(monkeypatch, capsys):
    kept = {"slots": ("tag", lambda data: CASES["slots"][1](), twins.Tags)}
    monkeypatch.setattr(epochs, "RECIPES", kept)
    monkeypatch.setattr(epochs, "measure", None)
    monkeypatch.setattr("sys.argv", ["epochs", "--data", "nowhere", "--check"])
    epochs.main()
    assert "nats in both" in capsys.readouterr().out


def test_letters_are_made_up_where_there_are_no_fonts(monkeypatch):
    monkeypatch.setattr(recipes.letters, "families", lambda folder: {})
    monkeypatch.setattr(recipes, "MADE_UP", (260, 28, 28))
    caught = epochs.catch("classify", lambda: recipes.glyphs(None))
    twin, loss = epochs.twin_of(caught, twins.Label)
    assert twin.stem.encoder.noise.step_mask == 0.1
    assert loss == pytest.approx(math.log(26), rel=0.1)


def test_both_are_timed(monkeypatch):
    monkeypatch.setattr(alternating, "BLOCK", 0.0)
    monkeypatch.setattr(alternating, "LONGEST_REST", 0.0)
    job, run, make = CASES["words"]
    caught = epochs.catch(job, run)
    twin, _ = epochs.twin_of(caught, make)
    before = [p.clone() for p in twin.parameters()]
    found = epochs.measure(caught, twin, 2, 0.0, least=1)
    assert found.ours > 0 and found.peer > 0
    assert not all(torch.equal(a, b) for a, b in zip(before, twin.parameters(), strict=True))
    assert epochs.line("words", 2, found).startswith("words")


@pytest.mark.parametrize("bidirectional", [False, True])
def test_weights_are_dropped_for_rows_of_unequal_length_too(bidirectional):
    trunk = Trunk(units=4, layers=2, bidirectional=bidirectional, weight_drop=1e-7)
    body, x, lengths = parts.Body(3, trunk), torch.randn(3, 5, 3), torch.tensor([2, 5, 1])
    assert torch.allclose(body(x, lengths), body.eval()(x, lengths), atol=1e-6)
    body.weight_drop = 0.5
    assert not torch.allclose(body.train()(x, lengths), body.eval()(x, lengths), atol=1e-3)


def test_what_torch_lacks_is_refused():
    with pytest.raises(ValueError, match="torch.nn"):
        parts.Body(3, Trunk(units=4, zoneout=0.1))
    with pytest.raises(ValueError, match="no Identity"):
        parts.Encoder(torch.nn.Identity())
    caught = epochs.catch(*CASES["last"][:2])
    wider = Trunk(units=5).build(3)
    with pytest.raises(ValueError, match="parameters"):
        epochs.twin_of(caught, lambda _: wider)
    other = torch.nn.Linear(sum(p.numel() for p in caught.objective.module.parameters()) - 1, 1)
    with pytest.raises(ValueError, match="has no"):
        epochs.twin_of(caught, lambda _: other)
