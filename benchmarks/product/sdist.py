"""Build from the source archive in a clean environment: how long, how large, does it run.

    python -m benchmarks.product.sdist

Makes the archive with `python -m build --sdist`, a fresh environment, the wheel from the archive
(with its own isolated build environment), installs that, and computes once with every instruction
set of this processor. Needs the network or pip's cache: torch is a dependency.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
CHECK = """
import sys, torch
from relembra import _native
from relembra.engine import CellSpec, StackSpec, recurrent
assert "site-packages" in _native.__file__, _native.__file__
torch.manual_seed(0)
for kind in ("rnn", "lstm", "gru"):
    spec = StackSpec(cell=CellSpec(kind=kind), input_size=3, hidden_size=20, bidirectional=True)
    weights = {k: torch.randn(s) / 4 for k, s in spec.parameter_shapes().items()}
    x = torch.randn(5, 7, 3)
    found, expected = (recurrent(x, weights, spec, path=p).output for p in ("native", "reference"))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
print(_native.instruction_set(), "computes as the reference does;", *_native.instruction_sets())
"""


def run(*command: str | Path, **environment: str) -> tuple[float, str]:
    """Run a command outside of the tree; return its seconds and what it printed."""
    begin = time.perf_counter()
    done = subprocess.run(
        list(map(str, command)),
        cwd=tempfile.gettempdir(),
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{command} failed:\n{done.stdout}{done.stderr}")
    return time.perf_counter() - begin, done.stdout.strip()


def environment_in(folder: Path) -> Path:
    """Return the interpreter of a fresh environment."""
    run(sys.executable, "-m", "venv", folder)
    return folder / "bin" / "python"


def main() -> None:
    """Print one line for each stage."""
    with tempfile.TemporaryDirectory() as place:
        here = Path(place)
        tools = environment_in(here / "tools")
        run(tools, "-m", "pip", "install", "-q", "build")
        seconds, _ = run(tools, "-m", "build", "--sdist", "--outdir", here, ROOT)
        (archive,) = here.glob("*.tar.gz")
        print(
            f"sdist    {archive.stat().st_size / 1e3:7.0f} kB   made in {seconds:.0f} s", flush=True
        )
        clean = environment_in(here / "clean")
        seconds, _ = run(clean, "-m", "pip", "wheel", "-q", "--no-deps", "-w", here, archive)
        (wheel,) = here.glob("relembra*.whl")
        print(
            f"wheel    {wheel.stat().st_size / 1e3:7.0f} kB   built in {seconds:.0f} s", flush=True
        )
        constraints = ROOT / "constraints.txt"
        seconds, _ = run(clean, "-m", "pip", "install", "-q", "-c", constraints, wheel)
        print(f"install  with its dependencies in {seconds:.0f} s", flush=True)
        _, told = run(clean, "-c", CHECK, RELEMBRA_ISA="baseline")
        print(told)
        for name in told.split(";")[1].split()[1:]:
            print(run(clean, "-c", CHECK, RELEMBRA_ISA=name)[1])


if __name__ == "__main__":
    main()
