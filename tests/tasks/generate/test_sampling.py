"""What temperature, top-k, top-p and the penalty do, whatever the probabilities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relembra._errors import ConfigError
from relembra.tasks.generate import Sampling, filtered
from relembra.tasks.generate._generating import until
from relembra.tasks.generate._sampling import choose

scores = st.lists(st.floats(-30, 0), min_size=1, max_size=12)


def normal(values):
    """Return logarithms of probabilities that sum to one."""
    values = np.array(values)
    return values - np.logaddexp.reduce(values)


@given(scores)
def test_plain_sampling_keeps_the_probabilities(values):
    logs = normal(values)
    assert filtered(logs, Sampling()) == pytest.approx(np.exp(logs), abs=1e-12)


@given(scores, st.integers(1, 15), st.floats(0.2, 3))
def test_top_k_keeps_the_k_likeliest(values, k, temperature):
    logs = normal(values)
    chances = filtered(logs, Sampling(top_k=k, temperature=temperature))
    kept = chances > 0
    assert kept.sum() == min(k, len(logs))
    assert logs[kept].min() >= logs[~kept].max(initial=-np.inf)
    assert chances.sum() == pytest.approx(1)


@given(scores, st.floats(0.01, 1))
def test_top_p_keeps_the_fewest_that_have_p(values, p):
    logs = normal(values)
    chances, kept = np.exp(logs), filtered(logs, Sampling(top_p=p)) > 0
    assert chances[kept].sum() >= p - 1e-9
    least = chances[kept].min()
    assert chances[kept].sum() - least < p  # none could be left out
    assert least >= chances[~kept].max(initial=0)


@given(scores)
def test_cold_is_greedy_and_hot_is_level(values):
    logs = normal(values)
    assert filtered(logs, Sampling(temperature=0)).argmax() == logs.argmax()
    order = np.sort(logs)
    if len(logs) == 1 or order[-1] - order[-2] > 1e-2:
        cold = filtered(logs, Sampling(temperature=1e-4))
        assert cold[logs.argmax()] == pytest.approx(1)
    hot = filtered(logs, Sampling(temperature=1e9))
    assert hot == pytest.approx(np.full(len(logs), 1 / len(logs)), rel=1e-6)


@given(scores, st.floats(1.1, 5), st.data())
def test_the_penalty_lowers_what_was_just_written(values, penalty, data):
    logs = normal(values)
    token = data.draw(st.integers(0, len(logs) - 1))
    plain = filtered(logs, Sampling())
    penalised = filtered(logs, Sampling(repetition_penalty=penalty), [token, token])
    assert penalised[token] <= plain[token] + 1e-12
    alone = filtered(logs, Sampling(repetition_penalty=penalty))
    assert alone == pytest.approx(plain, abs=1e-12)


@given(scores, st.floats(0, 1, exclude_max=True))
def test_only_what_is_possible_is_chosen(values, draw):
    chances = filtered(normal(values), Sampling(top_k=3))
    token = choose(chances, draw)
    assert chances[token] > 0
    edges = np.concatenate([[0], np.cumsum(chances)])
    assert edges[token] - 1e-9 <= draw <= edges[token + 1] + 1e-9


def test_what_must_not_be_is_never_chosen():
    logs = np.array([-np.inf, -np.inf, -1.0, -2.0])
    assert filtered(logs, Sampling(repetition_penalty=2.0), [0])[:2].tolist() == [0, 0]


@given(st.lists(st.text("ab", max_size=3), max_size=12), st.text("ab", min_size=1, max_size=4))
def test_a_stop_is_found_however_the_text_is_cut(parts, stop):
    assert "".join(until(parts, [stop])) == "".join(parts).split(stop)[0]
    assert "".join(until(parts, [])) == "".join(parts)


def test_settings_are_checked():
    with pytest.raises(ConfigError, match="did you mean 'temperature'"):
        Sampling(temprature=1)
