"""Tests of learning rates against numbers worked out by hand, and PyTorch's schedules."""

import pytest
import torch

from relembra.training import Training
from relembra.training._schedules import learning_rate


def rates(steps, **settings):
    training = Training(learning_rate=0.8, **settings)
    return [learning_rate(training, step, steps) for step in range(steps)]


def test_literal_rates():
    assert rates(3) == [0.8, 0.8, 0.8]
    assert rates(4, schedule="linear") == pytest.approx([0.8, 0.6, 0.4, 0.2])
    assert rates(4, schedule="cosine") == pytest.approx([0.8, 0.6828427, 0.4, 0.1171573])
    assert rates(4, warmup=2) == pytest.approx([0.4, 0.8, 0.8, 0.8])
    assert rates(4, warmup=2, schedule="linear") == pytest.approx([0.4, 0.8, 0.8, 0.4])


@pytest.mark.parametrize("steps", [1, 2, 7, 100])
@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine", "onecycle", "plateau"])
@pytest.mark.parametrize("warmup", [0, 3, 200])
def test_rates_are_positive_and_never_above_the_highest(steps, schedule, warmup):
    assert all(0.0 < rate <= 0.8 for rate in rates(steps, schedule=schedule, warmup=warmup))


def test_onecycle_is_pytorchs():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.8, total_steps=101, pct_start=0.31, cycle_momentum=False
    )
    # PyTorch turns at pct_start * steps - 1, here 30.31 - 1... of 100: near 0.3.
    theirs = []
    for _ in range(101):
        theirs.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step() if len(theirs) < 101 else None
    ours = rates(101, schedule="onecycle")
    assert ours == pytest.approx(theirs, abs=0.02)
    assert (ours[0], ours[30], ours[100]) == pytest.approx((0.032, 0.8, 3.2e-6))


def test_plateaus_lower_every_schedule():
    training = Training(learning_rate=0.8, schedule="plateau")
    assert learning_rate(training, 5, 10, factor=0.25) == 0.2
