"""`relembra doctor`: what is installed, what can run, what is missing."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from typing import Any

from relembra.cli._options import Json
from relembra.cli._output import Terminal

__all__ = ["doctor"]

_NEEDED = ("torch", "numpy", "safetensors", "pyarrow", "plotly", "rich", "typer", "scikit-learn")
_OPTIONAL = {
    "pandas": "pandas frames as input",
    "polars": "polars frames as input",
    "tensorboard": "TensorBoard logs of a training",
    "sktime": "the data of `relembra demo`",
    "tokenizers": "texts as subwords",
    "optuna": "`relembra tune`",
}


_PATHS = {
    "native": "our own core, on the CPU",
    "torch": "PyTorch's kernels: cuDNN, oneDNN, ATen",
    "reference": "plain torch operations: every option, slow",
}


def doctor(as_json: Json = False) -> None:
    """Say what is installed, which paths can run, and what is missing.

    Example: `relembra doctor --json`
    """
    facts = gather()
    terminal = Terminal(quiet=False, as_json=as_json)
    for section, values in facts.items():
        rows = [[name, _text(value)] for name, value in values.items()]
        terminal.table(section, ["", ""], rows)
    terminal.result(facts)


def gather() -> dict[str, dict[str, Any]]:
    """Return the facts, by section."""
    import torch

    from relembra.engine import PATHS, build_info

    return {
        "system": {
            "relembra": _version("relembra"),
            "python": platform.python_version(),
            "platform": platform.platform(),
            "processor": platform.processor() or platform.machine(),
            "cores": len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else os.cpu_count(),
            "torch threads": torch.get_num_threads(),
            "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        },
        "native module": build_info(),
        "engine paths, the first that can compute a call takes it": {
            name: _PATHS.get(name, "available") for name in PATHS
        },
        "packages": {name: _version(name) for name in _NEEDED},
        "optional": {name: _version(name, use) for name, use in _OPTIONAL.items()},
    }


def _version(name: str, use: str = "") -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return f"missing: needed for {use}, pip install {name}" if use else "missing"


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
