"""The networks in torch that our epochs are timed beside compute the same loss."""

import dataclasses

import numpy as np
import pytest
import torch
from benchmarks.engine import alternating
from benchmarks.peers import _torch_twins as twins
from benchmarks.peers import epochs

from relembra.nn import Trunk
from relembra.tasks import Classifier, LanguageModel, Tagger
from relembra.tasks._sequence import Embedding
from relembra.tasks.generate import Language
from relembra.training import Training

TRAINING = Training(steps=2, batch_size=3, average=0.9, evaluate_every=2)
SMALL = Embedding(size=5, characters=3, character_units=2)
SENTENCES = [["to", "Rio"], ["from", "Rio", "to", "Lima"], ["Lima"], ["to", "Lima", "soon"]] * 2
DRAW = np.random.default_rng(0)
FRAMES = [DRAW.normal(size=(n, 3)).astype(np.float32) for n in (4, 7, 5, 6)] * 2
NAMES = (
    ("trunk.body", "body.rnn"),
    ("encoder.embedding.words.weight", "encoder.words.weight"),
    ("encoder.embedding.characters.weight", "encoder.letters.weight"),
    ("encoder.embedding.reader", "encoder.reader"),
    ("encoder.embedding.weight", "encoder.words.weight"),
    ("head.projection", "projection"),
    ("head.output", "head"),
    ("pooling.", ""),
    ("crf.", "chain."),
)


def tagger(features, crf):
    trunk = Trunk(units=4, bidirectional=True)
    return Tagger(features, crf=crf, validation=0, embedding=SMALL, trunk=trunk, training=TRAINING)


def music():
    trunk = Trunk(cell="gru", units=4)
    model = LanguageModel(outputs="frames", trunk=trunk, training=TRAINING, held_out=0.0)
    return model.fit([(rows > 0).astype(np.float32) for rows in FRAMES])


def text():
    # So few weights are dropped that none is, and the way that drops them is taken.
    language, trunk = Language(embedding=5), Trunk(units=4, layers=2, weight_drop=1e-7)
    model = LanguageModel(length=6, language=language, trunk=trunk, training=TRAINING, held_out=0.0)
    return model.fit("o rato roeu a roupa do rei de roma " * 3)


def labels(pooling, rows, **settings):
    trunk = Trunk(units=4, bidirectional=pooling != "max")
    model = Classifier(pooling=pooling, trunk=trunk, embedding=SMALL, training=TRAINING, **settings)
    return model.fit(rows, [0, 1] * 4)


CASES = {
    "characters": ("generate", text, twins.Characters),
    "music": ("generate", music, twins.Music),
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
        lambda: labels("attention", [" ".join(s) for s in SENTENCES], features="words"),
        twins.Label,
    ),
}


def theirs(name):
    """Return the name in the twin of a parameter of ours."""
    for old, new in NAMES:
        if name.startswith(old):
            return new + name.removeprefix(old)
    return "bias" if name == "head.bias" else name


@pytest.mark.parametrize("case", CASES)
def test_the_twin_computes_our_loss(case):
    job, run, make = CASES[case]
    caught = epochs.catch(job, run)
    network = caught.objective.module
    twin = epochs.twin_of(network, make)
    own = dict(twin.named_parameters())
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            other = theirs(name) if theirs(name) in own else name
            own.pop(other).copy_(parameter)
    assert not own
    for index in range(caught.source.batches(0)):
        batch = caught.source.batch(0, index)
        twin.begin()
        expected = caught.objective.loss(batch, None)[0]
        assert twin.loss(*twin.rows(batch)).item() == pytest.approx(expected.item(), rel=1e-5)


def test_both_are_timed(monkeypatch):
    monkeypatch.setattr(alternating, "BLOCK", 0.0)
    monkeypatch.setattr(alternating, "LONGEST_REST", 0.0)
    job, run, make = CASES["words"]
    caught = epochs.catch(job, run)
    twin = epochs.twin_of(caught.objective.module, make)
    before = [p.clone() for p in twin.parameters()]
    found = epochs.measure(caught, twin, 2, 0.0, least=1)
    assert found.ours > 0 and found.peer > 0
    assert not all(torch.equal(a, b) for a, b in zip(before, twin.parameters(), strict=True))
    assert epochs.line("words", 2, found).startswith("words")


def test_options_that_torch_lacks_are_refused():
    with pytest.raises(ValueError, match="torch.nn"):
        twins.Body(3, Trunk(units=4, zoneout=0.1))
    with pytest.raises(ValueError, match="one length"):
        twins.Body(3, Trunk(units=4, weight_drop=0.1))(torch.zeros(1, 2, 3), torch.tensor([2]))
    caught = epochs.catch(*CASES["last"][:2])
    wider = dataclasses.replace(Trunk(units=4), units=5).build(3)
    with pytest.raises(ValueError, match="parameters"):
        epochs.twin_of(caught.objective.module, lambda _: wider)
