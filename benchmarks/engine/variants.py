"""A training step of the variants of the cells against the same in torch operations.

    python -m benchmarks.engine.variants --threads 1 2
    python -m benchmarks.engine.variants --only relu peepholes --shapes design --compiled none

The peers are the loops of `torch_variants`, eager, and compiled by torch.compile: `step`, a step
of the loop at a time, whose compile time does not depend on T, or `whole`, the loop unrolled into
one graph. What takes longer than --compile-limit is given up, and the row says so; else it says how
long compiling took (no cache of earlier runs is used). The projection is compared with
torch.nn.LSTM, which knows it. All compute the same, which is looked at first, and with noise draw
it anew in each step. The ratio is the peer's median over ours, behind it the quartiles over the
rounds, then the path that ours took.
"""

import copy
import os
import signal
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

from benchmarks.engine import table
from benchmarks.engine.alternating import alternate, comparison
from benchmarks.engine.shapes import LISTS, Shape
from benchmarks.engine.table import Row
from benchmarks.engine.torch_variants import (
    Loop,
    LSTMLoop,
    NormedLoop,
    ResetBeforeLoop,
    ZoneoutLoop,
)
from benchmarks.engine.training_step import training
from relembra import nn
from relembra.engine import explain

SHAPES = ((32, 100, 1, 50), (32, 100, 64, 64), (32, 100, 128, 128), (32, 100, 256, 256))
CLOSE = 1e-6  # of the largest output; the scale of a mask is a float32
COMPILED = ("none", "step", "whole")


@dataclass(frozen=True)
class Variant:
    """A cell with an option of ours, and the loop that computes the same (else torch.nn)."""

    cell: str
    loop: type[Loop] | None
    options: dict[str, object] = field(default_factory=dict)


VARIANTS = {
    "relu": Variant("LSTM", LSTMLoop, {"activation": "relu"}),
    "layer norm": Variant("LSTM", NormedLoop, {"layer_norm": True}),
    "recurrent dropout": Variant("LSTM", LSTMLoop, {"recurrent_dropout": 0.25}),
    "peepholes": Variant("LSTM", LSTMLoop, {"peepholes": True}),
    "zoneout": Variant("LSTM", ZoneoutLoop, {"zoneout": 0.1}),
    "coupled": Variant("LSTM", LSTMLoop, {"coupled": True}),
    "reset before": Variant("GRU", ResetBeforeLoop, {"reset_after": False}),
    "projection": Variant("LSTM", None),
}


class TooLongError(Exception):
    """The compiler took more time than it was given."""


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Raise TooLongError when what is inside takes longer; for the main thread only."""

    def stop(*_: object) -> None:
        raise TooLongError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def fresh_compiler() -> Iterator[None]:
    """Compile in this process, in a folder of its own, with no cache of earlier runs."""
    if "TORCHINDUCTOR_CACHE_DIR" in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory() as place:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = place
        os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"
        os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
        try:
            yield
        finally:
            for name in ("CACHE_DIR", "FORCE_DISABLE_CACHES", "COMPILE_THREADS"):
                del os.environ["TORCHINDUCTOR_" + name]


def compiled_step(
    loop: type[Loop], ours: torch.nn.Module, x: torch.Tensor, how: str, seconds: float
) -> tuple[Callable[[], None] | None, str]:
    """Return a compiled training step, or None, and how long compiling took or why it failed."""
    torch.compiler.reset()

    def compiled(f: Callable[..., object]) -> Callable[..., object]:
        return torch.compile(f, dynamic=False, fullgraph=True)

    peer = loop(ours, compiled) if how == "step" else loop(ours)
    run = peer if how == "step" else compiled(peer)
    step = training(peer, lambda: run(x))
    begin = time.perf_counter()
    try:
        with limit(seconds):
            step()
    except Exception as error:  # the compiler and what it calls can fail in any way: say how
        if time.perf_counter() - begin >= seconds:  # the compiler wraps what stopped it
            return None, f"compiling took more than {seconds:.0f} s"
        return None, f"compiling failed: {type(error).__name__}: {str(error).splitlines()[0][:80]}"
    return step, f"compiled in {time.perf_counter() - begin:.1f} s"


def same(
    ours: torch.nn.Module, peer: Callable[[torch.nn.Module], torch.nn.Module], x: torch.Tensor
) -> None:
    """Refuse to time a peer that computes something else.

    In float64, for with layer normalisation float32's own rounding grows from step to step.
    """
    exact = copy.deepcopy(ours).double()
    outputs = []
    for layer in (exact, peer(exact)):
        torch.manual_seed(1)
        found = layer(x.double())
        outputs.append((found[0] if isinstance(found, tuple) else found).detach())
    apart = (outputs[0] - outputs[1]).abs().max() / outputs[0].abs().max()
    if not apart <= CLOSE:
        raise AssertionError(f"{type(ours).__name__}'s peer differs from ours by {apart:.1e}")


def measure(
    name: str, shape: Shape, seconds: float, compiled: str, compile_limit: float, least: int
) -> list[tuple[str, object, str, str]]:
    """Return peer, comparison (None where it failed), path and note of each row."""
    variant = VARIANTS[name]
    batch, steps, inputs, units = shape
    torch.manual_seed(0)
    x = torch.randn(steps, batch, inputs)
    options = variant.options or {"proj_size": max(1, units // 2)}
    ours = getattr(nn, variant.cell)(inputs, units, **options)
    path = explain(ours, x).path
    ours.path = path  # asked for by name, a slow path needs no warning: the row says it
    calls = {"ours": training(ours, lambda: ours(x)[0])}
    notes = {}
    if variant.loop is None:

        def plain(of: torch.nn.Module) -> torch.nn.Module:
            layer = torch.nn.LSTM(inputs, units, **options).to(next(of.parameters()).dtype)
            layer.load_state_dict(of.state_dict())
            return layer

        same(ours, plain, x)
        layer = plain(ours)
        calls["torch"] = training(layer, lambda: layer(x)[0])
    else:
        same(ours, variant.loop, x)
        loop = variant.loop(ours)
        calls["eager"] = training(loop, lambda: loop(x))
        if compiled != "none":
            key = "compiled"
            step, notes[key] = compiled_step(variant.loop, ours, x, compiled, compile_limit)
            if step:
                calls[key] = step
    times = alternate(calls, seconds, least)
    return [
        (
            peer,
            comparison(times["ours"], times[peer]) if peer in calls else None,
            path,
            notes.get(peer, ""),
        )
        for peer in dict.fromkeys([*list(calls)[1:], *notes])
    ]


def run(
    *,
    threads: Iterable[int],
    seconds: float,
    only: Iterable[str] = tuple(VARIANTS),
    shapes: Sequence[Shape] = SHAPES,
    compiled: str = "step",
    compile_limit: float = 120.0,
    least: int = 3,
) -> list[Row]:
    """Print one group of rows for each variant and number of threads, and return them."""
    rows: list[Row] = []
    for count, name in ((n, v) for n in threads for v in only):
        case = f"{VARIANTS[name].cell.lower()} {name}"
        table.head(f"{case}, training step, {count} thread(s)")
        group = []
        for shape in shapes:
            with table.threads(count), fresh_compiler(), warnings.catch_warnings():
                # What torch says of its own projection once a process is no news here.
                warnings.filterwarnings("ignore", "LSTM with projections is not supported")
                found = measure(name, shape, seconds, compiled, compile_limit, least)
            for peer, c, path, note in found:
                if c is None:
                    row = Row("variants", case, shape, count, peer, float("nan"), note=note)
                else:
                    row = Row.of("variants", case, shape, count, peer, c, path, note)
                group.append(row)
                print(table.milliseconds(row), flush=True)
        table.close(group)
        rows += group
    return rows


def main() -> None:
    """Print the tables."""
    parser = table.parser(__doc__, seconds=2.0, lists=False)
    parser.add_argument("--only", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    parser.add_argument("--shapes", choices=["units", *list(LISTS)[:2]], default="units")
    parser.add_argument("--compiled", choices=COMPILED, default="step")
    parser.add_argument("--compile-limit", type=float, default=120.0, help="seconds")
    given = parser.parse_args()
    cells = [name.upper() for name in given.cells]
    run(
        threads=given.threads,
        seconds=given.seconds,
        only=[name for name in given.only if VARIANTS[name].cell in cells],
        shapes=SHAPES if given.shapes == "units" else LISTS[given.shapes],
        compiled=given.compiled,
        compile_limit=given.compile_limit,
    )


if __name__ == "__main__":
    main()
