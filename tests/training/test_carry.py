"""Tests of carried states."""

import json

import pytest
import torch

from relembra.training._carry import detached, flattened, rebuilt, structure

LEAVES = [torch.tensor([float(i)]) for i in range(4)]
STATES = [
    None,
    LEAVES[0],
    (LEAVES[0], LEAVES[1]),
    ((LEAVES[0], (LEAVES[1],)), None, (), LEAVES[2]),
]


@pytest.mark.parametrize("state", STATES, ids=["none", "tensor", "pair", "deep"])
def test_a_state_survives_json_and_a_flat_list(state):
    nesting = json.loads(json.dumps(structure(state)))
    assert rebuilt(nesting, flattened(state)) == state


def test_detaching_keeps_the_nesting_and_cuts_the_graph():
    leaf = torch.ones(1, requires_grad=True)
    state = detached([leaf * 2, (leaf * 3, None)])
    assert structure(state) == [1, [1, None]]
    assert [t.requires_grad for t in flattened(state)] == [False, False]
    assert [t.item() for t in flattened(state)] == [2.0, 3.0]
