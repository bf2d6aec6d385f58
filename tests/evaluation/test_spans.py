"""Spans, their scores and their repair. Expected values were computed with seqeval 1.2.2."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relembra import ConfigError, DataError
from relembra.evaluation import (
    Span,
    allowed_transitions,
    repair_tags,
    span_scores,
    spans,
    tags_of_spans,
)

TAGS = ["O", *(f"{prefix}-{label}" for prefix in "BIES" for label in "xy")]
BIO = [tag for tag in TAGS if tag[0] in "OBI"]


def found(tags, scheme=None):
    return [tuple(span) for span in spans(tags.split(), scheme)]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("", []),
        ("O O", []),
        ("B-x I-x O B-y", [("x", 0, 2), ("y", 3, 4)]),
        ("I-x I-x", [("x", 0, 2)]),
        ("B-x B-x I-y", [("x", 0, 1), ("x", 1, 2), ("y", 2, 3)]),
        ("B-x E-x E-x", [("x", 0, 2), ("x", 2, 3)]),
        ("S-x I-x E-y I-y", [("x", 0, 1), ("x", 1, 2), ("y", 2, 3), ("y", 3, 4)]),
        ("B I O", [("_", 0, 2)]),
        ("B-New-York I-New-York", [("New-York", 0, 2)]),
    ],
)
def test_any_tags_are_read(tags, expected):
    assert found(tags) == expected


def test_strict_reading_counts_what_follows_the_rules():
    assert found("I-x B-x I-x I-y B-y", "bio") == [("x", 1, 3), ("y", 4, 5)]
    assert found("B-x I-x O B-x E-x E-x S-y B-y", "bioes") == [("x", 3, 5), ("y", 6, 7)]
    assert found("B-x I-y E-y S-x", "bioes") == [("x", 3, 4)]


def test_scores_as_seqeval():
    truth = [
        ["O", "O", "O", "B-MISC", "I-MISC", "I-MISC", "O"],
        ["B-PER", "I-PER", "O"],
        ["B-LOC", "O", "I-LOC", "I-PER"],
    ]
    guess = [
        ["O", "O", "B-MISC", "I-MISC", "I-MISC", "I-MISC", "O"],
        ["B-PER", "I-PER", "O"],
        ["B-LOC", "O", "I-LOC", "B-ORG"],
    ]
    loose = span_scores(truth, guess)
    assert (loose.precision, loose.recall, loose.f1) == pytest.approx((3 / 5, 3 / 5, 3 / 5))
    assert [(r.label, r.f1, r.support) for r in loose.labels] == [
        ("LOC", 1.0, 2),
        ("MISC", 0.0, 1),
        ("ORG", 0.0, 0),
        ("PER", pytest.approx(2 / 3), 2),
    ]
    assert loose.macro_f1 == pytest.approx(5 / 12)
    strict = span_scores(truth, guess, "bio")
    assert (strict.precision, strict.recall, strict.f1) == pytest.approx((2 / 4, 2 / 3, 4 / 7))
    assert strict.macro_f1 == pytest.approx(0.5)


def test_the_end_of_a_sequence_ends_its_spans():
    split, whole = [["B-x"], ["I-x"]], [["B-x", "I-x"]]
    assert span_scores(split, split).labels[0].support == 2
    assert span_scores(whole, whole).labels[0].support == 1


def test_nothing_to_find():
    scores = span_scores([["O"]], [["O"]])
    assert (scores.precision, scores.recall, scores.f1, scores.macro_f1) == (0, 0, 0, 0)
    assert scores.labels == ()


@given(st.lists(st.sampled_from(TAGS), max_size=12), st.sampled_from(["bio", "bioes"]))
def test_repair_keeps_the_spans_and_then_the_tags(tags, scheme):
    repaired = repair_tags(tags, scheme)
    assert spans(repaired) == spans(repaired, scheme) == spans(tags)
    assert repair_tags(repaired, scheme) == repaired


def test_repair_by_example():
    assert repair_tags("O I-x I-x I-y B-x".split()) == "O B-x I-x B-y B-x".split()
    assert repair_tags("B-x I-x B-y O".split(), "bioes") == "B-x E-x S-y O".split()


@pytest.mark.parametrize("scheme", ["bio", "bioes"])
def test_allowed_paths_are_those_that_repair_leaves_alone(scheme):
    tags = BIO if scheme == "bio" else TAGS
    allowed = allowed_transitions(tags, scheme)
    assert allowed.shape == (len(tags) + 1, len(tags) + 1) and allowed.dtype == np.bool_
    for path in itertools.product(range(len(tags)), repeat=3):
        edges = itertools.pairwise((-1, *path, -1))
        text = [tags[i] for i in path]
        assert all(allowed[i, j] for i, j in edges) == (repair_tags(text, scheme) == text)


def test_refusals():
    with pytest.raises(DataError, match="tag 'X-city' at step 2 is none of BIO or BIOES"):
        spans(["O", "X-city"])
    with pytest.raises(DataError, match="tag 'E-x' at step 1 is none of the scheme 'bio'"):
        spans(["E-x"], "bio")
    with pytest.raises(DataError, match="tag 'O-x' at step 1"):
        spans(["O-x"])
    with pytest.raises(DataError, match="tag '' at step 1"):
        spans([""])
    with pytest.raises(ConfigError, match="unknown scheme 'iob1'; known: bio, bioes"):
        spans([], "iob1")
    with pytest.raises(DataError, match="span 1 to 3 does not lie within 2 steps"):
        tags_of_spans([Span("x", 1, 3)], 2)
    with pytest.raises(DataError, match="span 1 to 2 overlaps"):
        tags_of_spans([Span("x", 0, 2), Span("y", 1, 2)], 3)
    with pytest.raises(DataError, match="sequence 1 has 1 true tags and 2 predicted ones"):
        span_scores([["O"], ["O"]], [["O"], ["O", "O"]])
    with pytest.raises(DataError, match="1 true sequences and 0 predicted"):
        span_scores([["O"]], [])
