"""All that a run consists of at one moment: what a checkpoint holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from relembra.training._average import Average
from relembra.training._batches import Position
from relembra.training._carry import flattened, rebuilt, structure
from relembra.training._checkpoint import check_shapes, fingerprint, group, grouped
from relembra.training._history import History
from relembra.training._objective import State
from relembra.training._optimizer import load_state, make_optimizer, state_tensors, trainable
from relembra.training._settings import Training
from relembra.training._stopping import Stopping

__all__ = ["RunState"]


class RunState:
    """The weights and everything that decides how they go on.

    Parameters
    ----------
    module
        The module to train.
    training
        The settings.
    """

    def __init__(self, module: nn.Module, training: Training) -> None:
        self.module = module
        self.parameters = trainable(module)
        self.optimizer = make_optimizer(training, self.parameters)
        self.average = Average(self.parameters, training.average) if training.average else None
        self.best: dict[str, Tensor] = {}
        self.carried: State = None
        self.position: Position = (0, 0)
        self.step = 0
        self.loss_sum, self.loss_count = 0.0, 0
        self.seconds = 0.0
        self.stopping = Stopping()
        self.history = History()
        self.frozen = fingerprint(self._frozen())

    def _frozen(self) -> dict[str, Tensor]:
        everything = dict(self.module.named_parameters())
        return {name: p for name, p in everything.items() if name not in self.parameters}

    def weights(self) -> dict[str, Tensor]:
        """Return the live trained parameters and the buffers."""
        buffers = dict(self.module.named_buffers())
        return grouped(parameters=self.parameters, buffers=buffers)

    @torch.no_grad()
    def set_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Copy weights into the live ones."""
        for name, tensor in self.weights().items():
            tensor.copy_(weights[name])

    def keep_best(self) -> None:
        """Keep a copy of the weights as they are now."""
        self.best = {name: tensor.detach().clone() for name, tensor in self.weights().items()}

    def finish_weights(self) -> None:
        """Leave the best weights in the module, or else the averaged ones."""
        if self.best:
            self.set_weights(self.best)
        elif self.average is not None:
            self.average.apply()

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Let the averaged weights, if any, stand in the place of the live ones."""
        if self.average is None:
            yield
        else:
            with self.average.applied():
                yield

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors of the state."""
        return grouped(
            weights=self.weights(),
            optimizer=state_tensors(self.optimizer, self.parameters),
            best=self.best,
            average=self.average.tensors() if self.average else {},
            carried={str(i): t for i, t in enumerate(flattened(self.carried))},
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the rest of the state as JSON."""
        return {
            "step": self.step,
            "position": list(self.position),
            "loss_sum": self.loss_sum,
            "loss_count": self.loss_count,
            "seconds": self.seconds,
            "stopping": self.stopping.to_dict(),
            "history": self.history.to_dict(),
            "reason": self.history.reason,
            "carried": structure(self.carried),
        }

    def load(self, path: Path, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Restore what :meth:`tensors` and :meth:`to_dict` gave.

        Raises
        ------
        ArtifactError
            The tensors are of another model.
        """
        weights = group(tensors, "weights")
        check_shapes(path, weights, self.weights())
        self.set_weights(weights)
        load_state(self.optimizer, self.parameters, group(tensors, "optimizer"))
        live = self.weights()
        self.best = {k: t.to(live[k].device) for k, t in group(tensors, "best").items()}
        if self.average is not None:
            self.average.load(group(tensors, "average"))
        device = next(iter(self.parameters.values())).device
        carried = group(tensors, "carried")
        parts = [carried[str(i)].to(device) for i in range(len(carried))]
        self.carried = rebuilt(values["carried"], parts)
        epoch, index = values["position"]
        self.position, self.step = (epoch, index), values["step"]
        self.loss_sum, self.loss_count = values["loss_sum"], values["loss_count"]
        self.seconds = values["seconds"]
        self.stopping = Stopping.from_dict(values["stopping"])
        self.history = History.from_dict(values["history"], values["reason"])
