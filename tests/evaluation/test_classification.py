"""Scores of classes and calibration, against numbers worked out by hand."""

import numpy as np
import pytest

from relembra import ConfigError, DataError
from relembra.evaluation import (
    MostFrequentTag,
    classification_scores,
    expected_calibration_error,
    majority_class,
)


def test_three_classes_by_hand():
    truth = [0, 0, 0, 1, 1, 2]
    guess = [0, 0, 1, 1, 0, 0]
    scores = classification_scores(truth, guess)
    assert scores.confusion.tolist() == [[2, 1, 0], [1, 1, 0], [1, 0, 0]]
    assert scores.accuracy == scores.micro_f1 == 0.5
    # F1 = 2 right / (true + predicted): 4/7, 2/4, 0/1.
    assert [row.f1 for row in scores.classes] == pytest.approx([4 / 7, 0.5, 0.0])
    assert [row.precision for row in scores.classes] == [0.5, 0.5, 0.0]
    assert [row.recall for row in scores.classes] == pytest.approx([2 / 3, 0.5, 0.0])
    assert [row.support for row in scores.classes] == [3, 2, 1]
    assert scores.macro_f1 == pytest.approx((4 / 7 + 0.5) / 3)
    assert scores.weighted_f1 == pytest.approx((3 * 4 / 7 + 2 * 0.5) / 6)


def test_labels_order_the_tables_and_may_be_more_than_occur():
    scores = classification_scores(["y", "n"], ["y", "y"], labels=["y", "n", "maybe"])
    assert [row.label for row in scores.classes] == ["y", "n", "maybe"]
    assert scores.confusion.tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 0]]
    assert scores.macro_f1 == pytest.approx((2 / 3) / 3)


def test_a_single_class_is_scored_without_a_warning():
    assert classification_scores(["a"] * 3, ["a"] * 3).confusion.tolist() == [[3]]


def test_refusals():
    with pytest.raises(DataError, match=r"shape \(2,\) and predicted \(1,\)"):
        classification_scores([0, 1], [0])
    with pytest.raises(DataError, match="at least one"):
        classification_scores([], [])
    with pytest.raises(DataError, match="'b' is not among the 1 labels"):
        classification_scores(["a"], ["b"], labels=["a"])


def test_calibration_by_hand():
    """Bins of width 0.5: three at 0.9, 0.9, 0.6 with two right; one at 0.4, wrong."""
    chances = [[0.9, 0.1, 0], [0.05, 0.9, 0.05], [0.2, 0.2, 0.6], [0.4, 0.3, 0.3]]
    found = expected_calibration_error([0, 1, 0, 1], chances, bins=2)
    assert found == pytest.approx((3 * abs(2 / 3 - 0.8) + 1 * 0.4) / 4)


def test_certain_and_right_is_calibrated():
    assert expected_calibration_error([0, 1], np.eye(2)) == 0.0
    assert expected_calibration_error([1, 0], np.eye(2)) == 1.0
    # On an edge: 0.5 of two bins is in the lower one, with 0.4.
    chances = [[0.5, 0.5, 0], [0.4, 0.3, 0.3]]
    assert expected_calibration_error([0, 1], chances, bins=2) == pytest.approx(0.05)


def test_refusals_of_calibration():
    with pytest.raises(ConfigError, match="bins is a number from 1"):
        expected_calibration_error([0], [[1.0]], bins=0)
    with pytest.raises(DataError, match=r"expected \(n,\) and \(n, K\)"):
        expected_calibration_error([0, 1], [[1.0]])
    with pytest.raises(DataError, match="columns from 0 to 1"):
        expected_calibration_error([2], [[0.5, 0.5]])
    with pytest.raises(DataError, match="sum to 1"):
        expected_calibration_error([0], [[0.5, 0.4]])


def test_majority_class_breaks_ties_by_order():
    assert majority_class([3, 1, 3, 1, 2]) == 1
    with pytest.raises(DataError, match="no labels"):
        majority_class([])


def test_most_frequent_tag():
    words = [["the", "run", "the"], ["run", "run", "fox", "owl", "go"]]
    tags = [["D", "N", "D"], ["V", "V", "N", "N", "V"]]
    baseline = MostFrequentTag.fit(words, tags)
    assert baseline.predict([["the", "run", "go"], ["zebra"], []]) == [["D", "V", "V"], ["N"], []]
    # Without words seen once, the most frequent tag of all.
    assert MostFrequentTag.fit([["a", "a", "b", "b"]], [["X", "X", "X", "Y"]]).unseen == "X"
    with pytest.raises(DataError, match="sequence 0 has 1 words and 2 tags"):
        MostFrequentTag.fit([["a"]], [["X", "Y"]])
    with pytest.raises(DataError, match="1 sequences of words and 0 of tags"):
        MostFrequentTag.fit([["a"]], [])
