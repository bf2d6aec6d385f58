"""Import time beyond torch's own, wheel size, and lines of code by layer.

python -m benchmarks.product.facts
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[2]
RUNS = 7


def seconds(statement: str) -> float:
    """Return the median time of a statement in fresh processes, torch being loaded already."""
    program = (
        "import torch, time; began = time.perf_counter(); "
        f"{statement}; print(time.perf_counter() - began)"
    )
    times = [
        float(
            subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout
        )
        for _ in range(RUNS)
    ]
    return median(times)


def wheel_bytes() -> int:
    """Build the wheel and return its size."""
    with tempfile.TemporaryDirectory() as place:
        subprocess.run(
            [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q",
             "-w", place, str(ROOT)],
            check=True,
        )  # fmt: skip
        return next(Path(place).glob("*.whl")).stat().st_size


def lines(folder: Path, *patterns: str) -> tuple[int, int]:
    """Return the number of files and of lines that are not blank."""
    files = [f for pattern in patterns for f in sorted(folder.rglob(pattern))]
    texts = [f.read_text("utf-8").splitlines() for f in files]
    return len(files), sum(bool(line.strip()) for text in texts for line in text)


def main() -> None:
    """Print the three tables."""
    console = Console()
    table = Table("import", "seconds beyond torch", title="Import time", title_justify="left")
    for statement in ("import relembra", "import relembra; relembra.nn", "import relembra.tasks"):
        table.add_row(statement, f"{seconds(statement):.3f}")
    console.print(table)
    console.print(f"Wheel: {wheel_bytes() / 1e3:.0f} kB")
    source = ROOT / "src" / "relembra"
    table = Table("layer", "files", "lines", title="Lines that are not blank", title_justify="left")
    for layer in ("cli", "tasks", "report", "evaluation", "training", "nn", "data", "engine"):
        table.add_row(layer, *map(str, lines(source / layer, "*.py", "*.css", "*.js")))
    base = [f.read_text("utf-8").splitlines() for f in source.glob("*.py")]
    count = sum(bool(line.strip()) for text in base for line in text)
    table.add_row("artifact and base", str(len(base)), str(count))
    table.add_row("native", *map(str, lines(ROOT / "native", "*.hpp", "*.cpp")))
    table.add_row("tests", *map(str, lines(ROOT / "tests", "*.py")))
    table.add_row("benchmarks", *map(str, lines(ROOT / "benchmarks", "*.py")))
    console.print(table)


if __name__ == "__main__":
    main()
