"""What keeping the packed weights gains in inference, whole sequences, against packing each time.

    python -m benchmarks.engine.kept_weights --threads 1

Alternating in one process. Microseconds a call, medians; behind the ratio its quartiles.
"""

import argparse

import torch

from benchmarks.engine.alternating import compare
from relembra import nn
from relembra.engine import _native_path

SHAPES = [
    (1, 100, 64, 128),
    (1, 1, 40, 128),
    (1, 10, 40, 128),
    (1, 100, 1, 32),
    (1, 500, 128, 256),
    (1, 100, 256, 512),
    (8, 24, 8, 32),
    (32, 100, 128, 128),
]


def main() -> None:
    """Print one table for each cell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", nargs="+", default=["LSTM", "GRU", "RNN"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each row")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    kept = _native_path.kept
    for cell in given.cells:
        print(f"\n{cell}, (B, T, I, H): packed each time µs | kept µs | ratio")
        for shape in SHAPES:
            batch, steps, inputs, units = shape
            layer = getattr(nn, cell)(inputs, units, batch_first=True).eval()
            x = torch.randn(batch, steps, inputs)

            def call(keep: bool, layer: torch.nn.Module = layer, x: torch.Tensor = x) -> None:
                _native_path.kept = kept if keep else lambda *_: None
                layer(x)

            with torch.inference_mode():
                c = compare(lambda: call(True), lambda: call(False), given.seconds)
            print(
                f"{shape!s:20} {c.peer * 1e6:10.1f} {c.ours * 1e6:10.1f} {c.ratio:6.2f}x "
                f"[{c.low:.2f} {c.high:.2f}]",
                flush=True,
            )
    _native_path.kept = kept


if __name__ == "__main__":
    main()
