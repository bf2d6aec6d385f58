"""The course of a job over sequences: hold a part out, train with and without memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, Self, TypeVar

from sklearn.base import clone

from relembra._random import derive
from relembra.tasks._sequence._job_files import JobFiles
from relembra.training import Subscriber

__all__ = ["Splittable", "check_free", "networks_of", "parts_of", "train_all"]


class Splittable(Protocol):
    """Data of which a part can be held out."""

    def split(self, share: float, seed: int) -> tuple[Self, Self]:
        """Return what stays and what is held out."""


Data = TypeVar("Data", bound=Splittable)
Model = TypeVar("Model", bound=Any)


def check_free(files: JobFiles, *, resume: bool, force: bool) -> None:
    """Raise `OutputExistsError` where results of another run would be replaced.

    A run goes on over its own results, but over no others.
    """
    if not force and not (resume and files.checkpoints.is_dir()):
        files.check_free()


def parts_of(data: Data, test: Data | None, share: float, seed: int) -> tuple[Data, Data, str]:
    """Return what to learn from, what to score on, and how the latter came about.

    Parameters
    ----------
    data, test
        What there is; where `test` is None, a share of the data is held out.
    share, seed
        That share, chosen by the seed of the training.
    """
    if test is not None:
        return data, test, "of a test set of their own, which training never saw"
    kept, held = data.split(share, derive(seed, "test"))
    return kept, held, "held out at random, which training never saw"


def networks_of(model: Model, compare: bool) -> list[tuple[str, Model]]:
    """Return the model by its cell's name, and a copy without memory to compare it with."""
    networks = [(model.trunk.cell, model)]
    if compare and model.trunk.cell != "feedforward":
        other = clone(model)
        other.trunk = model.trunk.without_memory()
        other.embedding = model.embedding.without_order()
        networks.append(("without memory", other))
    return networks


def train_all(
    networks: Sequence[tuple[str, Any]],
    rows: Any,
    truth: Any,
    files: JobFiles,
    *,
    resume: bool,
    force: bool,
    watch: Callable[[str], Sequence[Subscriber]],
    say: Callable[[str], Any],
) -> None:
    """Fit models by their names, each with checkpoints in a folder of its own."""
    for name, one in networks:
        say(f"training: {name}")
        one.fit(
            rows,
            truth,
            directory=files.checkpoints / name.replace(" ", "-"),
            resume=resume,
            force=force,
            subscribers=watch(name),
        )
