"""Run Keras' own tests of its recurrent layers on the torch backend with `relembra.keras`.

Keras' wheel carries its tests. All must pass; beside each file stands how often it reached the
native core.

    python -m benchmarks.peers.keras_tests
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

FILES = (
    "bidirectional",
    "dropout_rnn_cell",
    "gru",
    "lstm",
    "rnn",
    "simple_rnn",
    "stacked_rnn_cells",
    "time_distributed",
)


def main(arguments: list[str]) -> int:
    """Run pytest in a process of its own and return its exit status."""
    found = importlib.util.find_spec("keras")
    folder = Path(found.origin).parent / "src" / "layers" / "rnn"
    tests = [str(folder / f"{name}_test.py") for name in FILES]
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(folder)]
    command += ["-p", "benchmarks.peers._keras_spy", "-p", "no:cacheprovider"]
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    return subprocess.run([*command, *tests, *arguments], env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
