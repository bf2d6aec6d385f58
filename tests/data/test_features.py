"""Every feature comes back from its description."""

import json

import pytest
import torch

from relembra._errors import ArtifactError
from relembra.data import (
    Characters,
    Frames,
    Subwords,
    Symbols,
    WordCharacters,
    Words,
    feature_from_json,
)

TEXTS = ["O rato, o Rei.", "Não é ação"]
FEATURES = [
    Characters.fit(TEXTS, least=2),
    Words.fit(TEXTS, lower=False, lines=True, specials=("<end>",)),
    WordCharacters.fit(TEXTS, size=3),
    Subwords.fit(TEXTS, size=260),
    Symbols.fit(TEXTS),
]


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.kind)
def test_text_features_come_back(feature) -> None:
    again = feature_from_json(json.loads(json.dumps(feature.to_json())), feature.tensors())
    assert type(again) is type(feature)
    for name, tensor in feature.encode(TEXTS).batch([0, 1]).values.items():
        assert torch.equal(again.encode(TEXTS).batch([0, 1]).values[name], tensor)


def test_frames_come_back() -> None:
    rows = [[[0.1, 2.0], [float("nan"), 5.0]], [[1 / 3, 7.0]]]
    feature = Frames.fit(rows)
    again = feature_from_json(json.loads(json.dumps(feature.to_json())), feature.tensors())
    assert isinstance(again, Frames)
    frames = [f.encode(rows).batch([0, 1]).values["frames"] for f in (feature, again)]
    assert torch.equal(*frames)


@pytest.mark.parametrize(
    "values",
    [
        None,
        {"kind": "pixels"},
        {"kind": ["words"]},
        {"kind": "characters"},
        {"kind": "words", "vocabulary": {"known": [], "specials": 0}, "lower": 1, "lines": True},
        {"kind": "word_characters", "words": {}},
        {"kind": "symbols", "alphabet": 3},
        {"kind": "subwords", "tokenizer": {"model": "none"}},
        {"kind": "frames", "gaps": True},
    ],
)
def test_damaged_descriptions(values) -> None:
    with pytest.raises(ArtifactError, match=r"the (model|features|vocabulary|subwords)"):
        feature_from_json(values, {})
