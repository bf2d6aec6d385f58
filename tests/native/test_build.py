"""The build: an exported tree builds complete archives, and a missing compiler is explained."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

LEFT_BEHIND = shutil.ignore_patterns(
    ".*", "__pycache__", "_native.pyi", "build", "dist", "runs", "site"
)


@pytest.fixture
def exported(root: Path, tmp_path: Path) -> Path:
    """A copy of the sources as `git archive` would give it: no .git, nothing built."""
    shutil.copytree(root, tmp_path / "tree", ignore=LEFT_BEHIND)
    return tmp_path / "tree"


def build(tree: Path, call: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one hook of the build backend in a process of its own, files going to `<tree>/dist`."""
    code = f"import scikit_build_core.build as backend; print(backend.{call})"
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=tree,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_archives_are_complete(exported: Path, tmp_path: Path) -> None:
    done = build(exported, "build_sdist('dist')")
    assert done.returncode == 0, done.stderr
    (sdist,) = (exported / "dist").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    for needed in ["CMakeLists.txt", "LICENSE", "native/module.cpp", "src/relembra/py.typed"]:
        assert (unpacked / needed).is_file()
    assert not (unpacked / "src/relembra/_native.pyi").exists()

    done = build(
        unpacked,
        "build_wheel('dist')",
        SKBUILD_CMAKE_BUILD_TYPE="Debug",
        SKBUILD_CMAKE_DEFINE="RELEMBRA_KERNELS=",  # to compile all takes minutes
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (unpacked / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    files = [p for p in (exported / "src").rglob("*") if p.is_file()]
    sources = {p.relative_to(exported / "src").as_posix() for p in files}
    stray = {n for n in names if not n.startswith(("relembra/", "relembra-"))}
    assert sources <= names
    assert {"relembra/_native.pyi", "relembra/py.typed"} <= names
    assert sum(n.startswith("relembra/_native.") and n.endswith(".so") for n in names) == 1
    assert stray == set()


def test_a_missing_compiler_is_explained(exported: Path) -> None:
    done = build(exported, "build_wheel('dist')", CXX="/nowhere/c++")
    text = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0
    assert "Relembra needs a C++20 compiler (GCC 11 or later, Clang 14 or later)" in text
    assert "install g++ (Debian: apt-get install g++, " in text
    assert "None was found, and CXX is '/nowhere/c++'." in text


def test_a_compiler_too_old_is_explained(exported: Path, tmp_path: Path) -> None:
    """A compiler that refuses C++20 counts as none."""
    real = shutil.which("g++") or shutil.which("c++")
    assert real is not None
    old = tmp_path / "c++"
    old.write_text(
        '#!/bin/sh\nfor a in "$@"; do case "$a" in -std=*++2?) exit 1;; esac; done\n'
        f'exec {real} "$@"\n'
    )
    old.chmod(0o755)
    done = build(exported, "build_wheel('dist')", CXX=str(old))
    text = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0
    assert "Relembra needs a C++20 compiler" in text
    assert f"This one cannot compile C++20: {old}" in text
