"""What a table was measured on: processor, instruction set, versions, threads, load, date."""

import datetime
import importlib.metadata
import importlib.util
import os
import platform
from pathlib import Path

import torch

from relembra import _native
from relembra.engine import build_info

PACKAGES = ("relembra", "torch", "numpy", "onnx", "onnxruntime")


def processor() -> str:
    """Return the processor's name, as the system knows it."""
    cpus = Path("/proc/cpuinfo")
    if cpus.exists():
        for line in cpus.read_text("utf-8").splitlines():
            if line.startswith(("model name", "Model")):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def version(package: str) -> str:
    """Return the version of a package, or that it is not installed."""
    if importlib.util.find_spec(package) is None:
        return "not installed"
    return importlib.metadata.version(package)


def facts() -> dict[str, str]:
    """Return what the figures depend on."""
    info = build_info()
    sets = ", ".join(_native.instruction_sets())
    load = os.getloadavg()[0]
    found = {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": f"{processor()}, {os.cpu_count()} hardware threads",
        "instruction set": f"ours {_native.instruction_set()} (of {sets}), "
        f"torch {torch.backends.cpu.get_cpu_capability()}",
        "threads of torch": str(torch.get_num_threads()),
        "compiler": str(info.get("compiler", "unknown")),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": f"{load:.2f}",
    }
    return found | {package: version(package) for package in PACKAGES}


def is_busy() -> bool:
    """Whether other work runs on the machine, which no alternation can make good."""
    return os.getloadavg()[0] > 0.5


def show() -> dict[str, str]:
    """Print the facts, and return them."""
    found = facts()
    for name, value in found.items():
        print(f"{name:17} {value}")
    if is_busy():
        print("Other work runs on this machine: take these figures for a test of the tables only.")
    return found
