"""Training step and inference against torch.nn: dense batches, and ragged ones against packing.

    python -m benchmarks.engine.training_step --cells lstm gru rnn --threads 1 2

Each row alternates the two in one process. The ratio is PyTorch's median over ours: above 1, ours
is faster; behind it the quartiles of the ratio over the pairs.
"""

import argparse
import math
from collections.abc import Callable

import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from benchmarks.engine.alternating import Comparison, compare
from benchmarks.engine.shapes import SHAPES
from relembra import nn

GATES = {"lstm": 4, "gru": 3, "rnn": 1}


def pair(cell: str, inputs: int, units: int) -> tuple[torch.nn.Module, torch.nn.Module]:
    """Our layer and PyTorch's, with the same weights."""
    ours = getattr(nn, cell.upper())(inputs, units, batch_first=True)
    peer = getattr(torch.nn, cell.upper())(inputs, units, batch_first=True)
    peer.load_state_dict(ours.state_dict())
    return ours, peer


def training(layer: torch.nn.Module, run: Callable[[], torch.Tensor]) -> Callable[[], None]:
    """One step: forward, a loss with a gradient everywhere, backward to fresh gradients."""
    parameters = list(layer.parameters())
    weight: list[torch.Tensor] = []

    def step() -> None:
        for parameter in parameters:
            parameter.grad = None
        output = run()
        if not weight:
            weight.append(torch.randn_like(output))
        output.backward(weight[0])

    return step


def measure(cell: str, shape: tuple[int, int, int, int], mode: str, budget: float) -> Comparison:
    """Compare one shape; mode is train, infer or ragged."""
    batch, steps, inputs, units = shape
    torch.manual_seed(0)
    x = torch.randn(batch, steps, inputs)
    ours, peer = pair(cell, inputs, units)
    if mode == "ragged":
        lengths = torch.randint(1, steps + 1, (batch,))

        def packed() -> torch.Tensor:
            packing = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            return pad_packed_sequence(peer(packing)[0], batch_first=True, total_length=steps)[0]

        return compare(
            training(ours, lambda: ours(x, lengths=lengths)[0]), training(peer, packed), budget
        )
    if mode == "train":
        return compare(
            training(ours, lambda: ours(x)[0]), training(peer, lambda: peer(x)[0]), budget
        )
    with torch.inference_mode():
        return compare(lambda: ours(x), lambda: peer(x), budget)


def speed(cell: str, shape: tuple[int, int, int, int], mode: str, seconds: float) -> float:
    """Billions of multiplications and additions of the products, a second."""
    batch, steps, inputs, units = shape
    forward = 2 * batch * steps * GATES[cell] * units * (inputs + units)
    # Backward: the weights' gradients as much again, and the state's; x needs none here.
    both = 2 * forward + 2 * batch * steps * GATES[cell] * units * units
    return (forward if mode == "infer" else both) / seconds / 1e9


def main() -> None:
    """Print one table for each cell, mode and number of threads."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", nargs="+", default=["lstm", "gru", "rnn"], choices=list(GATES))
    parser.add_argument("--modes", nargs="+", default=["train", "infer", "ragged"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--seconds", type=float, default=1.0, help="for each row")
    parser.add_argument("--only", type=int, nargs="+", help="indices of shapes")
    given = parser.parse_args()
    shapes = [SHAPES[i] for i in given.only] if given.only else SHAPES
    for threads in given.threads:
        torch.set_num_threads(threads)
        for mode in given.modes:
            for cell in given.cells:
                print(f"\n{cell} {mode}, {threads} thread(s): B T I H | torch ms | ours ms | ratio")
                ratios = []
                for shape in shapes:
                    c = measure(cell, shape, mode, given.seconds)
                    ratios.append(c.ratio)
                    busy = (
                        "" if mode == "ragged" else f"{speed(cell, shape, mode, c.ours):7.1f} GF/s"
                    )
                    print(
                        f"{str(shape):24} {c.peer * 1e3:9.3f} {c.ours * 1e3:9.3f} "
                        f"{c.ratio:7.2f}x  [{c.low:.2f} {c.high:.2f}] {busy}",
                        flush=True,
                    )
                mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
                print(
                    f"{cell} {mode} {threads}: geometric mean {mean:.2f}x, worst {min(ratios):.2f}x"
                )


if __name__ == "__main__":
    main()
