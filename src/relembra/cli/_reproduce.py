"""`relembra reproduce`: the recipes behind the scores of the documentation."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from relembra._errors import ConfigError

__all__ = ["reproduce"]

_PROGRAM = Path("benchmarks/reproduce.py")


def reproduce(
    recipes: Annotated[
        list[str] | None, typer.Argument(metavar="RECIPE...", help="All where none is named.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="The folder of the data sets.")] = None,
    seeds: Annotated[str, typer.Option(help="Seeds, as 0,1,2.")] = "0,1,2",
    results: Annotated[Path, typer.Option(help="The page whose tables are rewritten.")] = Path(
        "docs/results.md"
    ),
    listed: Annotated[
        bool, typer.Option("--list", help="Say which recipes there are, and what they read.")
    ] = False,
) -> int:
    """Run the recipes behind the scores, and rewrite the tables of docs/results.md.

    The recipes are part of the repository, not of the installed package: run it at the top of a
    checkout. Each trains for minutes to hours.

    Examples: `relembra reproduce --list`,
    `relembra reproduce splice uea --data ../data --seeds 0,1,2`
    """
    if not _PROGRAM.is_file():
        raise ConfigError(
            f"{_PROGRAM} is not here: the recipes are not part of the installed package. Get the "
            "repository, and run this at its top"
        )
    words = [*(recipes or []), "--results", str(results), "--seeds", *_numbers(seeds)]
    words += ["--data", str(data)] if data is not None else []
    words += ["--list"] if listed else []
    return subprocess.run([sys.executable, "-m", "benchmarks.reproduce", *words]).returncode


def _numbers(text: str) -> list[str]:
    parts = text.split(",")
    if not all(part.strip().lstrip("-").isdigit() for part in parts):
        raise ConfigError(f"--seeds is {text!r}; expected whole numbers, as 0,1,2")
    return [part.strip() for part in parts]
