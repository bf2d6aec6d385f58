"""Wall time of an epoch of the recipes, beside the same models written directly in torch.

    python -m benchmarks.peers.epochs --data DATA --threads 1 2
    python -m benchmarks.peers.epochs --data DATA --clock processor --steps 5 --seconds 0

Ours is the whole training of an estimator as it stands: batches drawn and padded, every step's
random stream set anew, losses and gradients checked, averaged weights. Theirs is the loop that
people write: the same network of `torch.nn` with packed sequences, the same batches padded by
`pad_sequence`, the same optimiser, clipping, and averaging by `torch.optim.swa_utils`. The two take
turns, so many steps each; neither validates. Both begin with the same weights, and their loss of
the first batch, without dropout and noise, is checked to be the same. Ratios are torch's median
over ours: above 1, ours is faster; behind it the quartiles over the rounds.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from benchmarks.engine import machine, table
from benchmarks.engine.alternating import Comparison, compare
from benchmarks.peers import _epoch_recipes as recipes
from benchmarks.peers import _torch_twins as twins
from benchmarks.peers._torch_weights import check_loss, copy_weights
from relembra.training import BatchSource, Objective, Training, fit

HEAD = f"{'an epoch':12} {'batches':>8} {'torch s':>10} {'ours s':>10} {'ratio':>8}  [quartiles]"


@dataclass(frozen=True)
class Caught:
    """What an estimator hands to the training loop."""

    objective: Objective
    source: BatchSource
    training: Training


class _Stopped(Exception):  # noqa: N818  nothing is wrong
    """Leaves an estimator where its training would begin."""


def catch(job: str, call: Callable[[], object]) -> Caught:
    """Call an estimator's fit, and return what it would train on."""
    place: ModuleType = importlib.import_module(f"relembra.tasks.{job}._fitting")
    found: list[Caught] = []

    def take(objective: Objective, source: BatchSource, training: Training, **_: Any) -> None:
        found.append(Caught(objective, source, training))
        raise _Stopped

    real, place.fit = place.fit, take
    try:
        call()
    except _Stopped:
        return found[0]
    finally:
        place.fit = real
    raise RuntimeError(f"{job}: fit came back without training")


def ours(caught: Caught, steps: int) -> Callable[[], None]:
    """Return our training of so many steps."""
    training = dataclasses.replace(
        caught.training, steps=steps, epochs=None, evaluate_every=steps, patience=None
    )
    return lambda: void(fit(caught.objective, caught.source, training))


def void(_: object) -> None:
    """Forget a result."""


def optimizer(training: Training, module: nn.Module) -> torch.optim.Optimizer:
    """Return the recipe's optimiser, fused as ours is."""
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[training.optimizer]
    rate, decay = training.learning_rate, training.weight_decay
    return kind(module.parameters(), lr=rate, weight_decay=decay, fused=True)


def theirs(caught: Caught, twin: Any, steps: int) -> Callable[[], None]:
    """Return the loop in torch over the same batches."""
    training = caught.training
    rows = [twin.rows(caught.source.batch(0, i)) for i in range(steps)]

    def run() -> None:
        descent = optimizer(training, twin)
        average = None
        if training.average:
            average = AveragedModel(twin, multi_avg_fn=get_ema_multi_avg_fn(training.average))
        twin.train()
        twin.begin()
        for batch in rows:
            loss = twin.loss(*batch)
            descent.zero_grad()
            loss.backward()
            if training.clip_norm is not None:
                nn.utils.clip_grad_norm_(twin.parameters(), training.clip_norm)
            descent.step()
            if average is not None:
                average.update_parameters(twin)

    return run


RECIPES: Mapping[str, tuple[str, recipes.Fit, Callable[[Any], Any]]] = {
    "characters": ("generate", recipes.characters, twins.Characters),
    "novels": ("generate", recipes.novels, twins.Characters),
    "music": ("generate", recipes.music, twins.Music),
    "words": ("tag", recipes.words, twins.Tags),
    "slots": ("tag", recipes.slots, twins.Tags),
    "signs": ("tag", recipes.signs, twins.Tags),
    "clips": ("tag", recipes.clips, twins.Tags),
    "reviews": ("classify", recipes.reviews, twins.Label),
    "tweets": ("classify", recipes.tweets, twins.Label),
    "genes": ("classify", recipes.genes, twins.Label),
    "frames": ("classify", recipes.frames, twins.Label),
    "digits": ("classify", recipes.digits, twins.Label),
    "rows": ("classify", recipes.rows, twins.Label),
    "pixels": ("classify", recipes.pixels, twins.Label),
    "glyphs": ("classify", recipes.glyphs, twins.Label),
}


def twin_of(caught: Caught, make: Callable[[Any], Any]) -> tuple[Any, float]:
    """Return the network in torch with the weights of ours, and the loss of both."""
    network: Any = caught.objective.module
    twin = make(network)
    copy_weights(network, twin)
    return twin, check_loss(caught.objective, twin, caught.source.batch(0, 0))


def measure(caught: Caught, twin: Any, steps: int, budget: float, least: int = 5) -> Comparison:
    """Compare so many steps of training; the times are those of one step."""
    steps = min(steps, caught.source.batches(0))
    found = compare(ours(caught, steps), theirs(caught, twin, steps), budget, least)
    return dataclasses.replace(found, ours=found.ours / steps, peer=found.peer / steps)


def line(name: str, batches: int, found: Comparison) -> str:
    """Return the line of a recipe."""
    return (
        f"{name:12} {batches:8} {found.peer * batches:10.2f} {found.ours * batches:10.2f} "
        f"{found.ratio:7.2f}x  [{found.low:.2f} {found.high:.2f}]"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES), choices=list(RECIPES))
    parser.add_argument("--threads", nargs="+", type=int, default=[1])
    parser.add_argument("--steps", type=int, default=recipes.STEPS, help="of a turn")
    parser.add_argument("--seconds", type=float, default=30.0, help="for each recipe")
    parser.add_argument("--rounds", type=int, default=5, help="for each recipe, at least")
    parser.add_argument("--clock", type=table.clock, default="wall", help="wall or processor")
    parser.add_argument("--check", action="store_true", help="compare losses, and time nothing")
    given = parser.parse_args()
    if given.clock == "processor" and given.threads != [1]:
        parser.error("--clock processor adds up the time of all threads: it needs --threads 1")
    machine.show()
    watch = machine.Watch()
    for count in given.threads:
        print(f"\n{count} thread(s)")
        print("the loss of the first batch" if given.check else HEAD)
        for name in given.recipes:
            job, run, make = RECIPES[name]
            with table.threads(count):
                caught = catch(job, lambda run=run: run(given.data))
                twin, loss = twin_of(caught, make)
                if given.check:
                    print(f"{name:12} {loss:.6f} nats in both", flush=True)
                    continue
                found = measure(caught, twin, given.steps, given.seconds, given.rounds)
            print(line(name, caught.source.batches(0), found), flush=True)
    print(watch.busy() or "")


if __name__ == "__main__":
    main()
