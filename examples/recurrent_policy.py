"""A policy that must remember, trained by policy gradients over rows of many episodes.

    python examples/recurrent_policy.py

The environment is a corridor (the T-maze of Bakker 2002): a signal at its beginning says which way
to turn at its end, some steps later. Rows of 64 steps hold many episodes each. The usual way cuts
them apart at every end of an episode, pads or packs the pieces, and puts the results together
again; here `reset=` does it in one call. Both give the same gradients; the ratio of their times is
printed, beside that of the same pieces packed for PyTorch's own LSTM.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_sequence

from relembra import nn

ROWS, STEPS, UNITS = 32, 64, 32
SIGNAL, JUNCTION = slice(0, 2), 2  # places in an observation


class Corridors:
    """As many corridors as rows; a new one begins where one ends."""

    def __init__(self, rows: int, seed: int) -> None:
        self._random = torch.Generator().manual_seed(seed)
        self._left = torch.zeros(rows, dtype=torch.long)  # steps until the junction
        self._way = torch.zeros(rows, dtype=torch.long)
        self._began = torch.ones(rows, dtype=torch.bool)

    def observe(self) -> tuple[Tensor, Tensor]:
        """Return what is seen, (B, 3), and where an episode begins, (B,)."""
        rows = len(self._way)
        lengths = torch.randint(2, 8, (rows,), generator=self._random)
        ways = torch.randint(0, 2, (rows,), generator=self._random)
        self._left = torch.where(self._began, lengths, self._left)
        self._way = torch.where(self._began, ways, self._way)
        seen = torch.zeros(rows, 3)
        seen[:, SIGNAL] = torch.nn.functional.one_hot(self._way, 2) * self._began[:, None]
        seen[:, JUNCTION] = (self._left == 0).float()
        return seen, self._began

    def act(self, turns: Tensor) -> Tensor:
        """Take a step; return the rewards, (B,): one for the right turn at a junction."""
        at_end = self._left == 0
        reward = (at_end & (turns == self._way)).float()
        self._began = at_end
        self._left = self._left - 1
        return reward


class Policy(torch.nn.Module):
    """Memory, and two ways to turn."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = nn.LSTM(3, UNITS, batch_first=True, forget_bias=1.0)
        self.head = nn.Linear(UNITS, 2)


class Rollout(NamedTuple):
    """What was lived through, B rows and T steps."""

    seen: Tensor  # (B, T, 3)
    began: Tensor  # (B, T) bool
    turns: Tensor  # (B, T)
    rewards: Tensor  # (B, T)


@torch.no_grad()
def live(policy: Policy, world: Corridors) -> Rollout:
    """Act for T steps; the rows begin with new episodes."""
    world._began[:] = True
    state, steps = None, []
    for _ in range(STEPS):
        seen, began = world.observe()
        h, state = policy.memory(seen[:, None], state, reset=began[:, None])
        turns = torch.distributions.Categorical(logits=policy.head(h[:, 0])).sample()
        steps.append((seen, began, turns, world.act(turns)))
    return Rollout(*(torch.stack(each, 1) for each in zip(*steps, strict=True)))


def loss_of(logits: Tensor, rollout: Rollout) -> Tensor:
    """Williams' REINFORCE at the junctions, with the mean reward as its baseline."""
    ends = rollout.seen[..., JUNCTION] > 0
    chances = torch.distributions.Categorical(logits=logits[ends])
    gain = rollout.rewards[ends] - rollout.rewards[ends].mean()
    return -(chances.log_prob(rollout.turns[ends]) * gain).mean() - 0.01 * chances.entropy().mean()


def with_reset(policy: Policy, rollout: Rollout) -> Tensor:
    """Compute all episodes of all rows in one call."""
    h, _ = policy.memory(rollout.seen, reset=rollout.began)
    return policy.head(h)


def cut(rollout: Rollout) -> list[Tensor]:
    """Cut the rows where episodes begin."""
    pieces: list[Tensor] = []
    for seen, began in zip(rollout.seen, rollout.began, strict=True):
        starts = began.nonzero().flatten().tolist()
        pieces += [seen[a:b] for a, b in zip(starts, [*starts[1:], len(seen)], strict=True)]
    return pieces


def with_cuts(policy: Policy, rollout: Rollout, memory: torch.nn.Module | None = None) -> Tensor:
    """Compute the same with a sequence for each episode, packed."""
    packed = pack_sequence(cut(rollout), enforce_sorted=False)
    output, _ = (memory or policy.memory)(packed)
    h = torch.cat(torch.nn.utils.rnn.unpack_sequence(output)).view(ROWS, STEPS, UNITS)
    return policy.head(h)


def train(updates: int, seed: int = 0) -> tuple[Policy, list[float]]:
    """Train, and return the share of right turns at each update."""
    torch.manual_seed(seed)
    policy, world = Policy(), Corridors(ROWS, seed)
    optimizer = torch.optim.Adam(policy.parameters(), lr=0.01)
    shares = []
    for _ in range(updates):
        rollout = live(policy, world)
        loss = loss_of(with_reset(policy, rollout), rollout)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        shares.append((rollout.rewards.sum() / rollout.seen[..., JUNCTION].sum()).item())
    return policy, shares


def compare(policy: Policy, repeats: int) -> dict[str, float]:
    """Time an update's forward and backward pass in three ways, in turn; medians in ms."""
    rollout = live(policy, Corridors(ROWS, 1))
    theirs = torch.nn.LSTM(3, UNITS, batch_first=True)
    theirs.load_state_dict(policy.memory.state_dict())
    ways: dict[str, Callable[[], Tensor]] = {
        "reset": lambda: with_reset(policy, rollout),
        "cut": lambda: with_cuts(policy, rollout),
        "cut, torch": lambda: with_cuts(policy, rollout, theirs),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            begin = time.perf_counter()
            loss_of(way(), rollout).backward()
            times[name].append((time.perf_counter() - begin) * 1e3)
    return {name: statistics.median(each) for name, each in times.items()}


def main() -> None:
    """Train, then compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--updates", type=int, default=150)
    updates = parser.parse_args().updates
    policy, shares = train(updates)
    for i in range(0, updates, max(1, updates // 6)):
        print(f"update {i:4}: {shares[i]:.0%} right turns")
    print(f"update {updates - 1:4}: {shares[-1]:.0%} right turns")
    found = compare(policy, 30)
    print("  ".join(f"{name}: {ms:.2f} ms" for name, ms in found.items()))
    for name in ("cut", "cut, torch"):
        print(f"reset is {found[name] / found['reset']:.1f} times as fast as '{name}'")


if __name__ == "__main__":
    main()
