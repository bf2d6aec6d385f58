"""Scores of a recipe as JSON, one row a model and seed, for `benchmarks.reproduce`."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Score = dict[str, Any]
"""``model``, and where they mean something ``data`` and ``seed``; anything else is a measure."""


def json_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that every recipe has."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the scores as JSON, too")


def write_scores(options: argparse.Namespace, scores: Sequence[Score]) -> None:
    """Write the scores where a file was asked for; what is not finite is null."""
    if options.json is None:
        return
    rows = [{name: _plain(value) for name, value in row.items()} for row in scores]
    options.json.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, str | int) or value is None:
        return value
    return float(value) if math.isfinite(value) else None
