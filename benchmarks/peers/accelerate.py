"""What `relembra.accelerate` does for three public architectures, training and inference.

    python -m benchmarks.peers.accelerate --threads 1 2

- tagger: embeddings, two bidirectional LSTM layers over packed sequences, a label a step
  (Huang, Xu & Yu 2015; lengths as of sentences, B 32);
- speech: a convolutional front and five bidirectional GRU layers with sums of directions and batch
  normalisation between (Amodei et al. 2016, "Deep Speech 2", made narrower);
- policy: two dense layers, an LSTM and two heads (Espeholt et al. 2018's recurrent agent in small);
- cells: a decoder that calls an LSTMCell in a loop, step by step.

Each row alternates the model with an accelerated copy in one process. The ratio is PyTorch's median
over ours; behind it the quartiles of the ratio over the pairs.
"""

import argparse
import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

import relembra
from benchmarks.engine.alternating import compare


class Tagger(nn.Module):
    """Embeddings, stacked bidirectional LSTM over packed sequences, labels."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(5000, 100)
        self.recurrent = nn.LSTM(100, 100, 2, bidirectional=True, batch_first=True, dropout=0.3)
        self.head = nn.Linear(200, 20)

    def inputs(self) -> tuple[Tensor, ...]:
        lengths = torch.randint(5, 60, (32,))
        return torch.randint(0, 5000, (32, 60)), lengths

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(self.embed(x), lengths, True, enforce_sorted=False)
        output = pad_packed_sequence(self.recurrent(packed)[0], batch_first=True)[0]
        return self.head(output)


class Speech(nn.Module):
    """Convolution over time and frequency, five bidirectional GRU layers, characters."""

    def __init__(self, units: int = 160, layers: int = 5) -> None:
        super().__init__()
        self.front = nn.Sequential(
            nn.Conv2d(1, 16, (11, 5), stride=(2, 2), padding=(5, 2)), nn.Hardtanh(0, 20)
        )
        sizes = [16 * 20] + [units] * (layers - 1)
        self.recurrent = nn.ModuleList(nn.GRU(n, units, bidirectional=True) for n in sizes)
        self.norms = nn.ModuleList(nn.BatchNorm1d(units) for _ in sizes)
        self.head = nn.Linear(units, 29)

    def inputs(self) -> tuple[Tensor, ...]:
        return (torch.randn(8, 1, 200, 40),)

    def forward(self, x: Tensor) -> Tensor:
        y = self.front(x).permute(2, 0, 1, 3).flatten(2)  # (T, B, features)
        for layer, norm in zip(self.recurrent, self.norms, strict=True):
            both = layer(y)[0]
            y = sum(both.chunk(2, -1))
            y = norm(y.flatten(0, 1)).view_as(y)
        return self.head(y)


class Policy(nn.Module):
    """Dense layers, an LSTM over rollouts, logits and a value."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
        self.recurrent = nn.LSTM(64, 128)
        self.head = nn.Linear(128, 7)

    def inputs(self) -> tuple[Tensor, ...]:
        return (torch.randn(64, 16, 32),)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.recurrent(self.body(x))[0])


class Cells(nn.Module):
    """An LSTMCell in a loop."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(128, 256)

    def inputs(self) -> tuple[Tensor, ...]:
        return (torch.randn(40, 32, 128),)

    def forward(self, x: Tensor) -> Tensor:
        state = None
        outputs = []
        for step in x:
            state = self.cell(step, state)
            outputs.append(state[0])
        return torch.stack(outputs)


def training(model: nn.Module, given: tuple[Tensor, ...]) -> Callable[[], None]:
    """A step: forward, backward, Adam."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)

    def step() -> None:
        output = model(*given)
        data = output.data if isinstance(output, PackedSequence) else output
        optimizer.zero_grad()
        data.square().mean().backward()
        optimizer.step()

    return step


def inference(model: nn.Module, given: tuple[Tensor, ...]) -> Callable[[], Tensor]:
    """A call without gradients."""

    def call() -> Tensor:
        with torch.inference_mode():
            return model(*given)

    return call


def cells(budget: float) -> None:
    """One step of a cell without gradients over sizes: where ours is the faster one."""
    print(
        "\ncell, one step without gradients: B I H | multiplications | torch us | ours us | ratio"
    )
    from relembra._accelerate import _cells

    held, _cells.LEAST_WORK = _cells.LEAST_WORK, 0
    for kind in ("LSTMCell", "GRUCell", "RNNCell"):
        for rows, inputs, units in ((1, 64, 64), (8, 64, 64), (32, 64, 128), (32, 128, 256)):
            peer = getattr(nn, kind)(inputs, units)
            ours = relembra.accelerate(copy.deepcopy(peer))
            x, h = torch.randn(rows, inputs), torch.randn(rows, units)
            given = (x, (h, h) if kind == "LSTMCell" else h)
            c = compare(inference(ours, given), inference(peer, given), budget / 4)
            work = rows * peer.weight_hh.shape[0] * (inputs + units)
            print(
                f"{kind:9} {rows:3} {inputs:4} {units:4} {work:10} {c.peer * 1e6:8.1f} "
                f"{c.ours * 1e6:8.1f} {c.ratio:6.2f}x",
                flush=True,
            )
    _cells.LEAST_WORK = held


def main() -> None:
    """Print one table for each number of threads."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--seconds", type=float, default=5.0, help="for each row")
    parser.add_argument("--cells", action="store_true", help="single steps of cells as well")
    given = parser.parse_args()
    for threads in given.threads:
        torch.set_num_threads(threads)
        print(f"\nmodel, {threads} thread(s) | torch ms | accelerated ms | ratio [quartiles]")
        for kind in (Tagger, Speech, Policy, Cells):
            torch.manual_seed(0)
            peer = kind()
            ours = relembra.accelerate(copy.deepcopy(peer))
            x = peer.inputs()
            for mode, way in (("train", training), ("infer", inference)):
                peer.train(mode == "train")
                ours.train(mode == "train")
                c = compare(way(ours, x), way(peer, x), given.seconds)
                print(
                    f"{kind.__name__.lower():7} {mode:6} {c.peer * 1e3:9.2f} {c.ours * 1e3:9.2f} "
                    f"{c.ratio:6.2f}x [{c.low:.2f} {c.high:.2f}]",
                    flush=True,
                )
        if given.cells:
            cells(given.seconds)


if __name__ == "__main__":
    main()
