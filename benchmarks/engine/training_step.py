"""Training step and inference against torch.nn: dense batches, and ragged ones against packing.

    python -m benchmarks.engine.training_step --cells lstm gru rnn --threads 1 2
    python -m benchmarks.engine.training_step --shapes odd          # or benchdnn

Each row alternates the two in one process. The ratio is PyTorch's median over ours: above 1, ours
is faster; behind it the quartiles of the ratio over the rounds.
"""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from benchmarks.engine import table
from benchmarks.engine.alternating import Comparison, compare
from benchmarks.engine.shapes import Shape, layers
from benchmarks.engine.table import GATES, Row
from relembra import nn
from relembra.engine import explain

MODES = ("train", "infer", "ragged")


def pair(cell: str, shape: Shape) -> tuple[torch.nn.Module, torch.nn.Module]:
    """Our layer and PyTorch's, with the same weights."""
    sizes = (shape[2], shape[3], layers(shape))
    ours = getattr(nn, cell.upper())(*sizes, batch_first=True)
    peer = getattr(torch.nn, cell.upper())(*sizes, batch_first=True)
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


def measure(
    cell: str, shape: Shape, mode: str, budget: float, least: int = 5
) -> tuple[Comparison, str]:
    """Compare one shape, and name the path that ours took; mode is train, infer or ragged."""
    batch, steps, inputs = shape[:3]
    torch.manual_seed(0)
    x = torch.randn(batch, steps, inputs)
    ours, peer = pair(cell, shape)
    path = explain(ours, x).path
    if mode == "ragged":
        lengths = torch.randint(1, steps + 1, (batch,))

        def packed() -> torch.Tensor:
            packing = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            return pad_packed_sequence(peer(packing)[0], batch_first=True, total_length=steps)[0]

        ways = (
            training(ours, lambda: ours(x, lengths=lengths)[0]),
            training(peer, packed),
        )
        return compare(*ways, budget, least), path
    if mode == "train":
        ways = training(ours, lambda: ours(x)[0]), training(peer, lambda: peer(x)[0])
        return compare(*ways, budget, least), path
    with torch.inference_mode():
        return compare(lambda: ours(x), lambda: peer(x), budget, least), path


def work(cell: str, shape: Shape, training: bool) -> float:
    """Multiplications and additions of the products of one call."""
    batch, steps, inputs, units = shape[:4]
    above = layers(shape) - 1
    per_step = 2 * batch * steps * GATES[cell] * units
    forward = per_step * (inputs + units + above * 2 * units)
    if not training:
        return forward
    # Backward: the weights' gradients as much again, the states', and between layers the inputs'.
    return 2 * forward + per_step * (units + above * 2 * units)


def run(
    *,
    cells: Iterable[str],
    modes: Iterable[str],
    threads: Iterable[int],
    shapes: Sequence[Shape],
    seconds: float,
    least: int = 5,
) -> list[Row]:
    """Print one group of rows for each cell, mode and number of threads, and return them."""
    rows: list[Row] = []
    for count, mode, cell in ((n, m, c) for n in threads for m in modes for c in cells):
        table.head(f"{cell} {mode}, {count} thread(s)")
        group = []
        for shape in shapes:
            with table.threads(count):
                c, path = measure(cell, shape, mode, seconds, least)
            rate = work(cell, shape, mode == "train") / c.ours / 1e9
            note = "" if mode == "ragged" else f"{rate:.1f} GFLOP/s"
            group.append(Row.of("torch.nn", f"{cell} {mode}", shape, count, "torch", c, path, note))
            print(table.milliseconds(group[-1]), flush=True)
        table.close(group)
        rows += group
    return rows


def main() -> None:
    """Print the tables."""
    parser = table.parser(__doc__)
    parser.add_argument("--modes", nargs="+", default=list(MODES), choices=MODES)
    given = parser.parse_args()
    run(
        cells=given.cells,
        modes=given.modes,
        threads=given.threads,
        shapes=table.chosen(given),
        seconds=given.seconds,
    )


if __name__ == "__main__":
    main()
