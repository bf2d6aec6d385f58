"""Training a forecast network: a search that stops early, then all data for as many steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relembra._config import replace
from relembra._errors import DataError
from relembra._files import JSON
from relembra._random import derive
from relembra.data import Panel, Standardizer, Windows, WindowSpec
from relembra.nn import Trunk
from relembra.tasks.forecast._batches import Example, RandomWindows, prepare
from relembra.tasks.forecast._calibration import fit_calibration
from relembra.tasks.forecast._holdout import HoldOut, hold_out
from relembra.tasks.forecast._network import ForecastNetwork, Sizes
from relembra.tasks.forecast._objective import ForecastObjective, forecast_loss
from relembra.tasks.forecast._plan import Plan
from relembra.tasks.forecast._prior import prior_share
from relembra.tasks.forecast._space import in_logs
from relembra.training import History, Subscriber, Training, fit

__all__ = ["Fitted", "RunFolder", "fit_network", "make_network"]

Ints = np.ndarray[Any, np.dtype[np.int64]]

_VALIDATION_WINDOWS = 4096  # at most; beyond, an even choice of them
_CHUNK = 1024


@dataclass(frozen=True)
class Fitted:
    """A trained network and what belongs to it."""

    network: ForecastNetwork
    standardizer: Standardizer
    factors: Tensor  # (Q,) calibration
    search: History | None  # with validation
    final: History | None  # on all data, without
    steps: int  # of the network that is kept


@dataclass(frozen=True)
class RunFolder:
    """Where the checkpoints of a fit go, and how it treats those it finds."""

    path: Path | None = None
    resume: bool = False
    force: bool = False

    def part(self, name: str) -> Path | None:
        """Return the folder of one of the runs that a fit consists of."""
        return None if self.path is None else self.path / name

    def inside(self, name: str) -> RunFolder:
        """Return the folder of a fit among several."""
        return RunFolder(self.part(name), self.resume, self.force)


def make_network(
    panel: Panel, plan: Plan, trunk: Trunk, levels: tuple[float, ...], seed: int
) -> ForecastNetwork:
    """Make an untrained network; its weights are a function of the seed."""
    sizes = Sizes(
        calendar=panel.frequency.calendar(np.zeros(1, dtype=np.int64)).shape[1],
        known=panel.known.shape[1],
        past=panel.past.shape[1],
        static=panel.static.shape[1],
        categories=tuple(len(names) + 1 for names in panel.static_categories),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "weights"))
        return ForecastNetwork(trunk, plan, sizes, levels)


def fit_network(
    panel: Panel,
    until: Ints,
    plan: Plan,
    trunk: Trunk,
    training: Training,
    levels: tuple[float, ...],
    *,
    refit: bool = True,
    known: Fitted | None = None,
    folder: RunFolder | None = None,
    subscribers: Sequence[Subscriber] = (),
) -> Fitted:
    """Train a network on the steps of each series before `until`.

    First the end of that part is held out: training stops when the error there no longer falls,
    and the interval widths are calibrated there. Then, with `refit`, the network is trained
    anew on everything for as many steps as were best.

    Parameters
    ----------
    panel, until
        The series, and how many steps of each may be seen, (S,).
    plan, trunk, training, levels
        Sizes, network, training settings and quantile levels.
    refit
        Whether to train anew on everything.
    known
        An earlier fit whose number of steps and calibration are taken over, without a search.
    folder
        Where checkpoints go.
    subscribers
        Told about the progress.

    Raises
    ------
    DataError
        No window can be drawn.
    """
    folder = folder or RunFolder()
    job = _Job(panel, until, plan, trunk, training, levels, folder, subscribers)
    if known is not None:
        network, standardizer, history = job.train(known.steps, "final")
        return Fitted(network, standardizer, known.factors, None, history, known.steps)
    held = hold_out(int(until.max(initial=0)), plan.horizon, most=4)
    if not job.can_search(held):
        network, standardizer, history = job.train(training.steps, "final")
        ones = torch.ones(len(levels), dtype=torch.float64)
        return Fitted(network, standardizer, ones, None, history, training.steps)
    network, standardizer, search = job.search(held)
    factors = job.calibration(network, standardizer, held)
    best = search.best
    steps = best.step if best is not None else training.steps
    if not refit:
        return Fitted(network, standardizer, factors, search, None, steps)
    network, standardizer, final = job.train(steps, "final")
    return Fitted(network, standardizer, factors, search, final, steps)


class _Job:
    """What the runs of one fit share."""

    def __init__(
        self,
        panel: Panel,
        until: Ints,
        plan: Plan,
        trunk: Trunk,
        training: Training,
        levels: tuple[float, ...],
        folder: RunFolder,
        subscribers: Sequence[Subscriber],
    ) -> None:
        self.panel, self.plan, self.trunk, self.training = panel, plan, trunk, training
        self.levels, self.folder, self.subscribers = levels, folder, subscribers
        self.until = until
        self.spec = WindowSpec(plan.context, plan.horizon)
        # One choice for search, validation and final training: a series that falls to zero in the
        # held-out part has no logarithm there.
        self.logs = in_logs(panel, np.arange(len(panel)), until, plan.space)

    def can_search(self, held: HoldOut) -> bool:
        """Return whether there are windows to learn from, and later ones to validate on."""
        early = self._training_windows(held.before(self.until))
        return len(early) > 0 and any(len(w) > 0 for w in self._held_windows(held))

    def search(self, held: HoldOut) -> tuple[ForecastNetwork, Standardizer, History]:
        """Train on what precedes the held-out windows, validated on them."""
        before = held.before(self.until)
        network = make_network(self.panel, self.plan, self.trunk, self.levels, self.training.seed)
        standardizer = Standardizer.fit(self.panel, before)
        examples = self._examples(held, standardizer)
        levels = torch.tensor(self.levels, dtype=torch.float64)

        def validate() -> float:
            total = sum(
                float(forecast_loss(network(e.scaled, e.covariates), e, levels))
                * int(e.observed.sum())
                for e in examples
            )
            return total / max(1, sum(int(e.observed.sum()) for e in examples))

        history = self._run(network, standardizer, before, self.training, "search", validate)
        return network, standardizer, history

    def train(self, steps: int, name: str) -> tuple[ForecastNetwork, Standardizer, History]:
        """Train on everything before `until` for a fixed number of steps."""
        until = self.until
        network = make_network(self.panel, self.plan, self.trunk, self.levels, self.training.seed)
        standardizer = Standardizer.fit(self.panel, until)
        fixed = replace(self.training, steps=steps, patience=None)
        return network, standardizer, self._run(network, standardizer, until, fixed, name, None)

    def calibration(
        self, network: ForecastNetwork, standardizer: Standardizer, held: HoldOut
    ) -> Tensor:
        """Return the width factors found on the held-out windows."""
        targets, quantiles, windows = [], [], 0
        with torch.no_grad():
            for e in self._examples(held, standardizer):
                forecast = network(e.scaled, e.covariates)
                targets.append(e.target[e.observed])
                quantiles.append(forecast[e.observed])
                windows += len(e.target)
        return fit_calibration(torch.cat(targets), torch.cat(quantiles), self.levels, windows)

    def _run(
        self,
        network: ForecastNetwork,
        standardizer: Standardizer,
        until: Ints,
        training: Training,
        name: str,
        validate: Any,
    ) -> History:
        windows = self._windows(until)
        source = RandomWindows(
            windows,
            self.plan,
            standardizer,
            self.logs,
            batch_size=training.batch_size,
            seed=training.seed,
            made_up=prior_share(int(until.sum()), self.plan),
        )
        return fit(
            ForecastObjective(network, self.levels),
            source,
            training,
            validate=validate,
            directory=self.folder.part(name),
            resume=self.folder.resume,
            force=self.folder.force,
            identity=self._identity(until),
            subscribers=self.subscribers,
        )

    def _training_windows(self, until: Ints) -> Windows:
        """Return the training windows: they end before `until` and see the longest season."""
        last = until - self.plan.horizon
        least = min(self.plan.seasons[-1] + self.plan.season, self.plan.context)
        first = np.clip(np.minimum(least, last), 1, None)
        return Windows(self.panel, self.spec, first=first, last=last, end=until)

    def _held_windows(self, held: HoldOut) -> list[Windows]:
        """Return the held-out windows, those of one origin of each series together."""
        return [
            Windows(
                self.panel, self.spec, first=np.maximum(origins, 1), last=origins, end=self.until
            )
            for origins in held.origins(self.until)
        ]

    def _windows(self, until: Ints) -> Windows:
        windows = self._training_windows(until)
        if len(windows) == 0:
            raise DataError(
                f"no window of {self.plan.horizon} steps with a value before it and one in it can "
                f"be drawn: the longest series has {int(until.max(initial=0))} steps to learn from"
            )
        return windows

    def _identity(self, until: Ints) -> dict[str, JSON]:
        return {
            "plan": self.plan.to_json(),
            "trunk": self.trunk.get_params(),  # type: ignore[attr-defined]
            "levels": list(self.levels),
            "data": _fingerprint(self.panel, until),
        }

    def _examples(self, held: HoldOut, standardizer: Standardizer) -> list[Example]:
        """Return the held-out windows, scaled, in chunks."""
        chunks = []
        for windows in self._held_windows(held):
            most = max(1, _VALIDATION_WINDOWS // held.count)
            count = min(len(windows), most)
            chosen = np.linspace(0, len(windows) - 1, count).round().astype(np.int64)
            for i in range(0, count, _CHUNK):
                batch = windows.batch(chosen[i : i + _CHUNK])
                logs = self.logs[batch.series.numpy()]
                chunks.append(prepare(batch, self.plan, standardizer, logs))
        return chunks


def _fingerprint(panel: Panel, until: Ints) -> str:
    """Return a hash of the data, so that a checkpoint is not resumed with other data."""
    import hashlib

    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr(panel.schema.to_json()).encode())
    for part in (
        panel.target, panel.offsets, panel.starts, panel.known, panel.past, panel.static,
        panel.static_codes, until,
    ):  # fmt: skip
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()
