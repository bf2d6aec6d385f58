"""What a table was measured on: processor, instruction set, versions, threads, load, date."""

import datetime
import importlib.metadata
import importlib.util
import math
import os
import platform
import time
from pathlib import Path

import torch

from relembra import _native
from relembra.engine import build_info

BUSY = 0.1  # cores
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


class Watch:
    """How many cores other work took since the watch began: it must be hardly any.

    Read from the system's account of processor time, less that of this process and its children;
    time that a hypervisor gave to other machines counts as taken.
    """

    def __init__(self) -> None:
        self._begin = self._read()

    @staticmethod
    def _read() -> tuple[float, float]:
        """Return now, and the seconds of others so far."""
        stat = Path("/proc/stat")
        if not stat.exists():
            return time.perf_counter(), math.nan
        ticks = [int(field) for field in stat.read_text("utf-8").split("\n", 1)[0].split()[1:9]]
        idle, waiting = ticks[3:5]
        everyone = (sum(ticks) - idle - waiting) / os.sysconf("SC_CLK_TCK")
        return time.perf_counter(), everyone - sum(os.times()[:4])

    def cores(self) -> float:
        """Return the average number of cores, or not a number where the system does not say."""
        now, others = self._read()
        return max(0.0, others - self._begin[1]) / max(now - self._begin[0], 1e-9)

    def busy(self) -> str | None:
        """Return a warning when the figures since then are not to be trusted."""
        cores = self.cores()
        if not cores > BUSY:
            return None
        return (
            f"Other work took {cores:.2f} cores of this machine meanwhile: by the wall clock the "
            "figures show that the tables run, and nothing more."
        )


def show() -> dict[str, str]:
    """Print the facts, and return them."""
    found = facts()
    for name, value in found.items():
        print(f"{name:17} {value}")
    return found
