"""Inference of whole sequences against ONNX Runtime and torch.nn, with the same weights.

    pip install -c constraints.txt '.[bench]'     # for the rows of ONNX Runtime
    python -m benchmarks.engine.whole_sequence --cells lstm gru rnn --threads 1 2

All take the same (T, B, I) array, ONNX Runtime bound to it and to its outputs once, so that nobody
converts anything in the timed part; all may keep their weights packed from call to call. Ours and
PyTorch's return fresh tensors. The outputs are compared first. The ratio is the peer's median over
ours, behind it the quartiles over the rounds.
"""

from collections.abc import Callable, Iterable, Sequence

import torch

from benchmarks.engine import onnx_models, table
from benchmarks.engine.alternating import alternate, comparison
from benchmarks.engine.shapes import Shape
from benchmarks.engine.table import Row
from relembra import nn
from relembra.engine import explain

CLOSE = 1e-5  # outputs lie in (-1, 1)


def same(name: str, found: torch.Tensor, expected: torch.Tensor) -> None:
    """Refuse to time ways that compute different things."""
    apart = (found - expected).abs().max().item() if found.numel() else 0.0
    if not apart <= CLOSE:
        raise AssertionError(f"{name} differs from ours by {apart:.1e}, allowed {CLOSE:.0e}")


def ways(
    cell: str, shape: Shape, threads: int
) -> tuple[dict[str, Callable[[], object]], torch.nn.Module, torch.Tensor]:
    """Return ours and the peers, after comparing what they compute."""
    batch, steps, inputs, units = shape
    torch.manual_seed(0)
    x = torch.randn(steps, batch, inputs)
    layer = getattr(nn, cell.upper())(inputs, units).eval()
    peer = getattr(torch.nn, cell.upper())(inputs, units).eval()
    peer.load_state_dict(layer.state_dict())
    output = layer(x)[0]
    same("torch", peer(x)[0], output)
    found: dict[str, Callable[[], object]] = {"ours": lambda: layer(x), "torch": lambda: peer(x)}
    if onnx_models.available():
        found["onnx"], read = onnx_models.sequence(layer, x, threads)
        found["onnx"]()
        same("onnx", read(), output)
    return found, layer, x


def run(
    *,
    cells: Iterable[str],
    threads: Iterable[int],
    shapes: Sequence[Shape],
    seconds: float,
    least: int = 5,
) -> list[Row]:
    """Print one group of rows for each cell and number of threads, and return them."""
    rows: list[Row] = []
    for count, cell in ((n, c) for n in threads for c in cells):
        table.head(f"{cell} whole sequence, {count} thread(s)")
        group = []
        for shape in shapes:
            with table.threads(count):
                with torch.no_grad():
                    calls, layer, x = ways(cell, shape, count)
                with torch.inference_mode():
                    times = alternate(calls, seconds, least)
                    path = explain(layer, x).path
            for peer in calls:
                if peer == "ours":
                    continue
                c = comparison(times["ours"], times[peer])
                case = f"{cell} sequence"
                group.append(Row.of("whole sequence", case, shape, count, peer, c, path))
                print(table.milliseconds(group[-1]), flush=True)
        table.close(group)
        if not onnx_models.available():
            print("onnx: not installed, so not compared (pip install '.[bench]')")
        rows += group
    return rows


def main() -> None:
    """Print the tables."""
    given = table.parser(__doc__).parse_args()
    run(
        cells=given.cells,
        threads=given.threads,
        shapes=[shape[:4] for shape in table.chosen(given)],
        seconds=given.seconds,
    )


if __name__ == "__main__":
    main()
