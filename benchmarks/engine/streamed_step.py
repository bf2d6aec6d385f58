"""One streamed step against torch.nn and ONNX Runtime, each fed its own state back.

    pip install -c constraints.txt '.[bench]'     # for the column of ONNX Runtime
    python -m benchmarks.engine.streamed_step --cells lstm gru rnn

One thread, alternating in one process, 50 steps a call. Microseconds a step, medians; the ratio is
the peer's median over ours, behind it the quartiles over the rounds. `out=` is ours into memory
that is given, instead of a fresh tensor.
"""

from collections.abc import Callable, Iterable, Sequence

import torch

from benchmarks.engine import onnx_models, table
from benchmarks.engine.alternating import alternate, comparison
from benchmarks.engine.shapes import Shape
from benchmarks.engine.table import Row
from relembra import nn

# (B, I, H)
SHAPES = ((1, 40, 128), (1, 1, 32), (1, 64, 64), (1, 128, 256), (1, 256, 512), (8, 40, 128))
STEPS = 50  # of a call
Step = Callable[[], object]


def ours(layer: torch.nn.Module, x: torch.Tensor) -> Step:
    """A step with a fresh output."""
    state = layer.start(x.shape[0])
    return lambda: layer.step(x, state)


def ours_into(layer: torch.nn.Module, x: torch.Tensor) -> Step:
    """A step into memory that is given."""
    state, out = layer.start(x.shape[0]), torch.empty(x.shape[0], layer.hidden_size)
    return lambda: layer.step(x, state, out=out)


def torchs(layer: torch.nn.Module, x: torch.Tensor) -> Step:
    """PyTorch's layer on a sequence of one step, without gradients."""
    peer = getattr(torch.nn, onnx_models.kind_of(layer))(layer.input_size, layer.hidden_size)
    peer.load_state_dict(layer.state_dict())
    frame, held = x.unsqueeze(0), [None]

    def step() -> None:
        with torch.inference_mode():
            _, held[0] = peer(frame, held[0])

    return step


def steps(step: Step) -> Step:
    """Many steps as one call, so that the clock's own time does not count."""

    def call() -> None:
        for _ in range(STEPS):
            step()

    return call


def line(row: Row) -> str:
    """Return the line of a row, in microseconds a step."""
    return (
        f"{row.shape!s:16} {row.peer:6} {row.theirs * 1e6:9.2f} {row.ours * 1e6:9.2f} "
        f"{row.value:6.2f}x  [{row.low:.2f} {row.high:.2f}]"
    )


def run(
    *, cells: Iterable[str], seconds: float, shapes: Sequence[Shape] = SHAPES, least: int = 5
) -> list[Row]:
    """Print one group of rows for each cell, and return them."""
    ways = {"ours": ours, "out=": ours_into, "torch": torchs}
    if onnx_models.available():
        ways["onnx"] = onnx_models.step
    rows: list[Row] = []
    for cell in cells:
        print(f"\n{cell} step, 1 thread: (B, I, H) | peer | peer µs | ours µs | ratio [quartiles]")
        for shape in shapes:
            batch, inputs, units = shape
            torch.manual_seed(0)
            layer = getattr(nn, cell.upper())(inputs, units).eval()
            x = torch.randn(batch, inputs)
            with table.threads(1):
                calls = {name: steps(way(layer, x)) for name, way in ways.items()}
                times = alternate(calls, seconds, least)
            each = {name: [t / STEPS for t in values] for name, values in times.items()}
            for peer in ways:
                if peer == "ours":
                    continue
                c = comparison(each["ours"], each[peer])
                rows.append(Row.of("streamed step", f"{cell} step", shape, 1, peer, c))
                print(line(rows[-1]), flush=True)
        if "onnx" not in ways:
            print("onnx: not installed, so not compared (pip install '.[bench]')")
    return rows


def main() -> None:
    """Print the tables."""
    parser = table.parser(__doc__, seconds=2.0, lists=False)
    given = parser.parse_args()
    run(cells=given.cells, seconds=given.seconds)


if __name__ == "__main__":
    main()
