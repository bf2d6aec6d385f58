"""What jobs over sequences share."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from relembra import ArtifactError, ConfigError
from relembra.data import Characters, Frames, LengthBuckets, Ragged, WordCharacters, Words
from relembra.nn import Trunk
from relembra.tasks._sequence import (
    Embedding,
    SequenceBatches,
    SettingsEstimator,
    fingerprint,
    hold_out,
    in_order,
    load_sequence_model,
    make_encoder,
    save_sequence_model,
)

TEXTS = ["a rua é longa", "a casa", "o rato roeu a roupa", "", "rua"]


@pytest.mark.parametrize("kind", [Characters, Words, WordCharacters])
def test_encoders_take_what_features_give(kind: type) -> None:
    feature = kind.fit(TEXTS)  # type: ignore[attr-defined]
    encoder = make_encoder(feature, Embedding(size=6, characters=3, character_units=2))
    inputs = feature.encode(TEXTS).batch(np.arange(5))
    vectors = encoder(**inputs.values)
    assert vectors.shape == (5, int(inputs.lengths.max()), encoder.output_size)
    assert not vectors[3].any()  # padding


def test_frames_pass_as_they_are_or_through_a_layer() -> None:
    feature = Frames.fit(np.arange(12.0).reshape(2, 3, 2))
    frames = feature.encode(np.ones((1, 3, 2))).batch([0]).values
    assert torch.equal(make_encoder(feature, Embedding())(**frames), frames["frames"])
    assert make_encoder(feature, Embedding(frames=5))(**frames).shape == (1, 3, 5)


def test_features_of_vectors_are_dropped_in_training_only() -> None:
    feature = Characters.fit(TEXTS)
    encoder = make_encoder(feature, Embedding(size=50, feature_dropout=0.5))
    values = feature.encode(["rato"]).batch([0]).values
    assert 0.2 < (encoder(**values) == 0).float().mean() < 0.8
    assert (encoder.eval()(**values) != 0).all()


def test_each_label_is_held_out_alike_and_none_is_lost() -> None:
    labels = np.repeat(["a", "b", "c"], [60, 20, 1])
    kept, held = hold_out(81, 0.1, 3, labels=labels)
    assert np.unique(labels[held], return_counts=True)[1].tolist() == [6, 2]
    assert sorted([*kept, *held]) == list(range(81))
    again = hold_out(81, 0.1, 3, labels=labels)[1]
    assert np.array_equal(held, again)
    assert not np.array_equal(held, hold_out(81, 0.1, 4, labels=labels)[1])
    assert len(hold_out(10, 0.3, 0)[1]) == 3
    with pytest.raises(ConfigError, match="share to hold out is 1.0"):
        hold_out(10, 1.0, 0)


def test_batches_are_every_chosen_row_once_with_its_target() -> None:
    encoded = Characters.fit(TEXTS).encode(TEXTS)
    source = SequenceBatches(encoded, torch.arange(5), rows=[4, 2, 1], batch_size=2, seed=1)
    seen = []
    for index in range(source.batches(7)):
        batch = source.batch(7, index)
        assert batch.inputs.lengths.tolist() == [len(TEXTS[i]) for i in batch.target.tolist()]
        seen += batch.target.tolist()
    assert sorted(seen) == [1, 2, 4]
    assert isinstance(source._buckets, LengthBuckets)


def test_targets_of_each_step_are_padded_like_the_rows() -> None:
    rows = [[1, 2, 3], [4]]
    encoded = Frames.fit([[0.0, 1.0, 2.0], [3.0]]).encode([[0.0, 1.0, 2.0], [3.0]])
    source = SequenceBatches(encoded, Ragged.of(rows), batch_size=2, seed=0, padding=1.0)
    assert source.take([1, 0]).target.tolist() == [[4, 0, 0], [1, 2, 3]]


def test_answers_come_in_the_order_given() -> None:
    texts = ["x" * n for n in (3, 0, 700, 5, 300, 3)]
    encoded = Characters.fit(["x"]).encode(texts)
    assert [int(n) for n in in_order(encoded, lambda b: b.lengths)] == [3, 0, 700, 5, 300, 3]
    assert in_order(Characters.fit(["x"]).encode([]), lambda b: b.lengths) == []


def test_a_fingerprint_sees_every_value_and_target() -> None:
    feature = Characters.fit(TEXTS)
    first = fingerprint(feature.encode(TEXTS), [1, 2])
    assert first == fingerprint(feature.encode(TEXTS), [1, 2])
    assert first != fingerprint(feature.encode([*TEXTS[:4], "rui"]), [1, 2])
    assert first != fingerprint(feature.encode(TEXTS), [2, 1])


_TRUNK = Trunk()


class _Model(SettingsEstimator):
    def __init__(self, *, trunk: Trunk | None = _TRUNK, share: float = 0.1) -> None:
        self.trunk = trunk
        self.share = share


def test_settings_are_changed_by_copies() -> None:
    model = _Model()
    before = model.trunk
    assert model.set_params(trunk__units=7).trunk == Trunk(units=7)
    assert before == _TRUNK
    with pytest.raises(ConfigError, match="did you mean 'trunk'"):
        model.set_params(trunc=1)
    with pytest.raises(ConfigError, match="which has no setting"):
        model.set_params(share__of=1)
    with pytest.raises(ConfigError, match="must be Trunk"):
        model.set_params(trunk="lstm").check_settings(trunk=Trunk)


def test_a_model_file_brings_everything_back(tmp_path) -> None:
    feature, network = Frames.fit([[0.0, 4.0]]), torch.nn.Linear(2, 3)
    path = tmp_path / "model.safetensors"
    save_sequence_model(
        path, job="tag", parameters={"trunk": Trunk(units=np.int64(3)), "share": np.float64(0.5)},
        feature=feature, network=network, config={"labels": ("a", "b")},
        tensors={"matrix": torch.eye(2)},
    )  # fmt: skip
    saved = load_sequence_model(path, job="tag")
    assert saved.parameters == {"trunk": Trunk(units=3), "share": 0.5}
    assert saved.config == {"labels": ["a", "b"]}
    assert isinstance(saved.feature, Frames)
    assert saved.feature.mean.tolist() == [2.0]
    assert torch.equal(saved.network["weight"], network.weight)
    assert list(saved.tensors) == ["matrix"]
    with pytest.raises(ArtifactError, match="and not for 'classify'"):
        load_sequence_model(path, job="classify")


def test_a_file_whose_parts_do_not_fit_is_named(tmp_path) -> None:
    from relembra.artifact import save_model

    path = tmp_path / "model.safetensors"
    save_model(path, job="tag", config={"parameters": {}}, tensors={})
    with pytest.raises(ArtifactError, match="'feature' is missing"):
        load_sequence_model(path, job="tag")


def test_symbols_are_taken_for_unknown_in_training_only() -> None:
    feature = Characters.fit(["abc"])
    encoder = make_encoder(feature, Embedding(size=4, unknown_rate=0.5))
    values = feature.encode(["abc" * 40, "a"]).batch([0, 1]).values
    unknown = encoder.embedding(torch.tensor([1]))
    forgotten = (encoder(**values) == unknown).all(2)
    assert 0.2 < forgotten[0].float().mean() < 0.8
    assert not forgotten[1, 1:].any()  # padding stays padding
    assert not (encoder.eval()(**values) == unknown).all(2).any()
