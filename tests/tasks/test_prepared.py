"""Data made ready once for many models: the same bits, and refused where it would be others."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.base import clone
from tests.tasks.generate.small import TEXT, music, tiny

from relembra._errors import ConfigError, DataError
from relembra.data import WordCharacters
from relembra.nn import Trunk
from relembra.tasks import Tagger
from relembra.tasks.tag import TagData, TagFiles, run_tag
from relembra.training import Training

X = [["to", "Rio"], ["from", "Lima"], ["to", "Lima", "soon"]] * 4
Y = [["O", "B-x"], ["O", "B-x"], ["O", "B-x", "O"]] * 4


def tagger(**settings):
    trunk, training = Trunk(units=3), Training(epochs=2, batch_size=4)
    return Tagger(validation=0.25, trunk=trunk, training=training, **settings)


def same(first, second):
    one, two = first.state_dict(), second.state_dict()
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("source", ["text", "file"])
def test_a_text_made_ready_trains_to_the_same_bits(tmp_path, source):
    text = TEXT
    if source == "file":
        text = tmp_path / "foxes.txt"
        text.write_text(TEXT)
    data, nothing = tiny("words").prepared(text, None, tmp_path / "kept")
    for change in ({"trunk__units": 5}, {"training__seed": 3}):
        own = tiny("words").set_params(**change).fit(text)
        ready = tiny("words").set_params(**change).fit(data, nothing)
        assert same(own.network_, ready.network_)
        assert own.history_.best.validation == ready.history_.best.validation
        assert (own.sample_, own.feature_) == (ready.sample_, ready.feature_)


def test_frames_are_handed_on():
    model = tiny(outputs="frames")
    frames = music()
    assert model.prepared(frames, None, None)[0] is frames


def test_sequences_made_ready_train_to_the_same_bits(tmp_path):
    data, nothing = tagger().prepared(X, Y, tmp_path / "kept")
    assert nothing is None and not (tmp_path / "kept").exists()
    for change in ({"trunk__units": 5}, {"validation": 0.5}):
        own, ready = (clone(tagger()).set_params(**change) for _ in range(2))
        own, ready = own.fit(X, Y), ready.fit(data, nothing)
        assert same(own.fitted_.network, ready.fitted_.network)
        assert own.predict(X) == ready.predict(X)


def test_what_a_tagger_is_scored_on_is_encoded_once(tmp_path, monkeypatch):
    encode, sizes = WordCharacters.encode, []

    def counted(feature, raw):
        sizes.append(len(raw))
        return encode(feature, raw)

    monkeypatch.setattr(WordCharacters, "encode", counted)
    test = TagData(X[:5], Y[:5], ())
    job = run_tag(tagger(), TagData(X, Y, ()), TagFiles(tmp_path), title="t", test=test)
    assert sizes == [12, 5]
    assert [one.name for one in job.found] == ["lstm", "without memory", "most frequent tag"]
    assert job.found[0].found == job.model.predict(X[:5])


def test_encoded_sequences_are_answered_by_any_tagger(tmp_path):
    data, _ = tagger().prepared(X, Y, tmp_path)
    others = data.others(X[1:3])
    own, strange = tagger().fit(data, None), tagger().fit(X[::2], Y[::2])
    assert own.feature_ is others.feature is not strange.feature_
    for model in (own, strange):
        assert model.predict(others) == model.predict(X[1:3])
        chances = zip(model.predict_proba(others), model.predict_proba(X[1:3]), strict=True)
        assert all(np.array_equal(one, two) for one, two in chances)
    with pytest.raises(DataError, match="row 1 of X is the text 'Rio'"):
        data.others(["Rio"])


def test_what_was_made_ready_for_others_is_refused(tmp_path):
    data, _ = tiny().prepared(TEXT, None, tmp_path)
    with pytest.raises(ConfigError, match="ready for tokens='characters'; .* tokens='words'"):
        tiny("words").fit(data)
    with pytest.raises(ConfigError, match="ready for held_out=0.1; .* held_out=0.2"):
        tiny(held_out=0.2).fit(data)
    with pytest.raises(ConfigError, match="give none beside"):
        tiny().fit(data, validation=TEXT)
    tags, _ = tagger().prepared(X, Y, tmp_path)
    with pytest.raises(ConfigError, match="ready for crf='auto'; the model has crf=False"):
        tagger(crf=False).fit(tags, None)
    with pytest.raises(ConfigError, match="give nothing beside"):
        tagger().fit(tags, Y)
    with pytest.raises(DataError, match="^tokens to learn from: 1; expected 2"):
        tiny(held_out=0.0).prepared("a", None, tmp_path)
