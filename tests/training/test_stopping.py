"""Tests of the counters that stop and slow down."""

import json

from relembra.training._stopping import Stopping


def follow(stopping, errors, plateau=2):
    improved = []
    for step, error in enumerate(errors):
        improved.append(stopping.improves(error, step))
        stopping.slow_down(plateau)
    return improved


def test_improvements_are_strict():
    stopping = Stopping()
    assert follow(stopping, [2.0, 2.0, 1.0, 1.5]) == [True, False, True, False]
    assert (stopping.best, stopping.best_step, stopping.waited) == (1.0, 2, 1)


def test_infinity_may_be_the_first_best():
    stopping = Stopping()
    assert follow(stopping, [float("inf"), 1.0]) == [True, True]


def test_patience_counts_evaluations_since_the_best():
    stopping = Stopping()
    follow(stopping, [1.0, 2.0, 3.0])
    assert stopping.exhausted(2)
    assert not stopping.exhausted(3)
    assert not stopping.exhausted(None)


def test_the_rate_is_halved_once_for_each_plateau():
    stopping = Stopping()
    follow(stopping, [1.0, 2.0, 2.0])
    assert stopping.factor == 0.5
    follow(stopping, [2.0])
    assert stopping.factor == 0.5
    follow(stopping, [2.0])
    assert stopping.factor == 0.25
    follow(stopping, [0.5, 2.0])
    assert stopping.factor == 0.25


def test_the_counters_survive_json():
    stopping = Stopping()
    follow(stopping, [0.1, 0.2, 0.3, 0.05])
    assert Stopping.from_dict(json.loads(json.dumps(stopping.to_dict()))) == stopping
