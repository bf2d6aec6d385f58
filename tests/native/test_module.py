"""The compiled module: that it is there, that it is fresh, and what it says of itself."""

import hashlib
import platform
from pathlib import Path

from relembra import _native


def test_the_library_was_built_from_these_sources(root: Path) -> None:
    """A stale library would give a false green; `make build` (or `make clean build`) mends it."""
    native = root / "native"
    sources = [*native.rglob("*.cpp"), *native.rglob("*.hpp")]
    paths = sorted(source.relative_to(native).as_posix() for source in sources)
    digests = [hashlib.sha256((native / path).read_bytes()).hexdigest() for path in paths]
    lines = "".join(f"{path} {digest}\n" for path, digest in zip(paths, digests, strict=True))
    expected = hashlib.sha256(lines.encode()).hexdigest()
    assert _native.build_info()["source_digest"] == expected


def test_the_build_says_how_it_was_made() -> None:
    info = _native.build_info()
    assert set(info) == {"build_type", "compiler", "source_digest", "standard"}
    assert info["compiler"].startswith(("GCC ", "Clang "))
    assert info["standard"] in {"C++20", "C++23"}


def test_the_baseline_is_always_there() -> None:
    sets = _native.instruction_sets()
    assert sets[0] == "baseline"
    assert set(sets) <= {"baseline", "neon", "avx2", "avx512"}


def test_the_instruction_sets_are_those_the_kernel_reports() -> None:
    found = set(_native.instruction_sets())
    if platform.machine() == "aarch64":
        assert "neon" in found
        return
    with open("/proc/cpuinfo") as lines:
        flags = next(set(line.split()) for line in lines if line.startswith("flags"))
    assert ("avx2" in found) == ({"avx2", "fma"} <= flags)
    assert ("avx512" in found) == ({"avx512f", "avx512bw", "avx512dq", "avx512vl"} <= flags)


def test_the_stub_describes_the_module(root: Path) -> None:
    stub = (root / "src/relembra/_native.pyi").read_text()
    assert "def build_info() -> dict[str, str]:" in stub
    assert "def instruction_sets() -> list[str]:" in stub
