"""A pytest plugin: Keras with `relembra.keras`, and how often each test file reached the core."""

from collections import Counter
from pathlib import Path

import relembra.keras
from relembra import _native

_CALLS: Counter[str] = Counter()
_PASSED: Counter[str] = Counter()
_file = ""


def _counted(call):
    def forward(*arguments):
        _CALLS[_file] += 1
        return call(*arguments)

    return forward


_native.forward = _counted(_native.forward)


def pytest_configure(config):
    # Keras' own conftest.py, which pip does not install, registers these.
    for marker in ("requires_trainable_backend", "multi_device"):
        config.addinivalue_line("markers", f"{marker}: Keras' own")


def pytest_runtest_setup(item):
    global _file
    _file = Path(item.fspath).name


def pytest_runtest_logreport(report):
    if report.when == "call" and report.passed:
        _PASSED[Path(report.fspath).name] += 1


def pytest_terminal_summary(terminalreporter):
    write = terminalreporter.write_line
    write(f"relembra.keras enabled: {relembra.keras.is_enabled()}")
    for name in sorted(_PASSED | _CALLS):
        write(f"{name:32} {_PASSED[name]:4} passed, {_CALLS[name]:6} forward calls of the core")
