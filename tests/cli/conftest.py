"""A folder to work in, data to forecast, and the command line called in this process."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from relembra.cli import main

QUICK = ("--steps", "4", "--units", "3", "--batch-size", "8")


@dataclass
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder in which the command runs."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def relembra(folder, capsys):
    """Run the command line and return its exit code and what it printed."""

    def run(*words):
        capsys.readouterr()
        threads = torch.get_num_threads()
        try:
            code = main([str(word) for word in words])
        finally:
            torch.set_num_threads(threads)
        out, err = capsys.readouterr()
        return Outcome(code, out, err)

    return run


@pytest.fixture
def forecast(relembra):
    """Run `relembra forecast` with a network that trains in a moment."""
    return lambda *words: relembra("forecast", *words, *QUICK)


def months(count, first=1990):
    """Return so many months as text."""
    return [f"{first + m // 12}-{m % 12 + 1:02d}" for m in range(count)]


def rows(count=60, seed=0):
    """Return a header and so many months of data, as lines."""
    chance = np.random.default_rng(seed)
    values = 100 + 10 * np.sin(np.arange(count) * np.pi / 6) + chance.standard_normal(count)
    return ["month,sales", *(f"{m},{v:.2f}" for m, v in zip(months(count), values, strict=True))]


@pytest.fixture
def sales(folder):
    """A file of five years of monthly sales."""
    path = folder / "sales.csv"
    path.write_text("\n".join(rows()) + "\n")
    return Path(path.name)


def contents(folder):
    """Return every path below a folder with the hash of what it holds."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else "folder"
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def snapshot(folder):
    """Return the state of the working folder, to be compared later."""
    return lambda: contents(folder)
