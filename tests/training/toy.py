"""Small objectives, sources and runs. Child processes import this module too."""

import hashlib
import json
import os
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from relembra import _files
from relembra.training import StepDone, Training, fit


class Line(nn.Module):
    """y = w x, with a bias that may be frozen."""

    def __init__(self, frozen: bool = False) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(1))
        self.b = nn.Parameter(torch.zeros(1), requires_grad=not frozen)

    def forward(self, x: Tensor) -> Tensor:
        return self.w * x + self.b


@dataclass
class LineObjective:
    """Fits y = 2 x; the loss can be poisoned."""

    module: nn.Module = field(default_factory=Line)
    carries: tuple = ()
    poison_at: int | None = None
    calls: int = 0

    def loss(self, batch: Tensor, state: object) -> tuple[Tensor, None]:
        self.calls += 1
        loss = (self.module(batch) - 2.0 * batch).square().mean()
        return (loss * float("nan") if self.calls == self.poison_at else loss), None


@dataclass
class Batches:
    """Numbers drawn for each (epoch, index)."""

    count: int = 5
    carries_state: bool = False
    shape: tuple[int, ...] = (4,)
    segment: int = 5
    asked: list = field(default_factory=list)

    def batches(self, epoch: int) -> int:
        return self.count

    def batch(self, epoch: int, index: int) -> Tensor:
        self.asked.append((epoch, index))
        generator = torch.Generator().manual_seed(1000 * epoch + index)
        return torch.randn(self.shape, generator=generator)

    def starts_segment(self, epoch: int, index: int) -> bool:
        return index % self.segment == 0


class Net(nn.Module):
    """Recurrent, with dropout, batch normalisation (buffers) and an unused frozen part."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(7)
        self.lstm = nn.LSTM(3, 8, batch_first=True)
        self.norm = nn.BatchNorm1d(8)
        self.drop = nn.Dropout(0.3)
        self.out = nn.Linear(8, 1)
        for parameter in self.parameters():
            with torch.no_grad():
                parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
        self.frozen = nn.Parameter(torch.ones(2), requires_grad=False)

    def forward(self, x: Tensor, state: object) -> tuple[Tensor, object]:
        y, state = self.lstm(x, state)  # (B, T, 8)
        y = self.norm(y.transpose(1, 2)).transpose(1, 2)
        return self.out(self.drop(y)), state


class NetObjective:
    """Predicts the running sum of the first feature."""

    def __init__(self) -> None:
        self.module = Net()

    def loss(self, batch: Tensor, state: object) -> tuple[Tensor, object]:
        y, state = self.module(batch, state)
        return (y[..., 0] - batch[..., 0].cumsum(1)).square().mean(), state

    def validate(self) -> float:
        x = torch.randn(8, 6, 3, generator=torch.Generator().manual_seed(99))
        return float(self.loss(x, None)[0])


COMMON = {"checkpoint_every": 4, "evaluate_every": 6, "seed": 3, "batch_size": 4}
RUNS = {
    "dropout": Training(
        steps=45, schedule="cosine", average=0.9, optimizer="adamw", weight_decay=0.1, **COMMON
    ),
    "truncated": Training(
        epochs=4, optimizer="sgd", momentum=0.9, learning_rate=0.02, clip_norm=0.5, **COMMON
    ),
    "stopping": Training(
        steps=400, learning_rate=0.3, patience=4, schedule="plateau", plateau=2, **COMMON
    ),
}


def run(name: str, directory: Path, *subscribers: object, workers: int = 0) -> tuple:
    """Run or resume; return the hash of all that results, and the history."""
    objective = NetObjective()
    source = Batches(11, name == "truncated", (4, 6, 3))
    training = RUNS[name]
    if workers:
        training = Training(**{**vars(training), "workers": workers})
    history = fit(
        objective,
        source,
        training,
        validate=objective.validate if name != "truncated" else None,
        directory=directory,
        resume=True,
        subscribers=subscribers,
    )
    return digest(objective.module, history), history


def digest(module: nn.Module, history: object) -> str:
    """SHA-256 of the weights and of the history but for its seconds."""
    sha = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        sha.update(name.encode() + tensor.contiguous().numpy().tobytes())
    columns = history.to_dict()
    columns.pop("seconds")
    sha.update(json.dumps([columns, history.reason]).encode())
    return sha.hexdigest()


def child(name: str, directory: str, pipe: object, stall: str) -> None:
    """What a child process does: run, and tell each step; ``stall`` in the third write."""
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    if stall:
        stall_in_write(stall, pipe)

    def tell(event: object) -> None:
        if isinstance(event, StepDone):
            pipe.send(event.step)
            time.sleep(0.001)

    pipe.send(run(name, Path(directory), tell)[0])


def stall_in_write(place: str, pipe: object) -> None:
    """Make the third checkpoint stop half way: in the content, or before the renaming."""
    count = 0
    write_all, replace = _files._write_all, os.replace

    def halted() -> None:
        pipe.send("stalled")
        time.sleep(3600)

    def slow_write(file: object, content: bytes) -> None:
        nonlocal count
        count += 1
        if place == "content" and count == 3:
            file.write(content[: len(content) // 2])
            file.flush()
            halted()
        write_all(file, content)

    def slow_replace(*names: object) -> None:
        if place == "renaming" and count == 3:
            halted()
        replace(*names)

    _files._write_all, os.replace = slow_write, slow_replace


class Recorder:
    """Keeps all events."""

    def __init__(self) -> None:
        self.events: list = []

    def __call__(self, event: object) -> None:
        self.events.append(event)

    def of(self, kind: type) -> list:
        return [event for event in self.events if isinstance(event, kind)]


class InterruptAt:
    """Presses Ctrl-C after a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def __call__(self, event: object) -> None:
        if isinstance(event, StepDone) and event.step == self.step:
            import signal

            signal.raise_signal(signal.SIGINT)
