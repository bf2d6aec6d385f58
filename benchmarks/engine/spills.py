"""Are there spills in the inner loops? Looks at the kernels' machine code.

    make disassembly                                # what the build left in build/
    python -m benchmarks.engine.spills kernels.o     # other objects

All products go through the functions `product` and `outer_product`. Each of their innermost loops
that multiplies and adds is one tile: its accumulators must stay in registers, so that nothing is
stored to the stack inside. Loads from the stack (of the rows' addresses) are counted as well.
Loops that multiply without adding in one rounding, and branch, put finished sums where they belong:
by a scale of int8 weights, with the lanes that there are.
Prints a table and ends with 1 where a loop stores to the stack.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# The library itself is stripped when it is installed.
BUILT = "build/editable-*/native/CMakeFiles/kernels_*.dir/kernels.cpp.o"
# Functions whose loops are looked at: a new kind of product is a name here.
PRODUCTS = re.compile(r"relembra::(\w+)::\(anonymous namespace\)::((?:outer_)?product<.*?>)\(")
SPACE = re.compile(r"relembra::\w+::\(anonymous namespace\)::")
HEADER = re.compile(r"^[0-9a-f]+ <(.+)>:$")
INSTRUCTION = re.compile(r"^\s+([0-9a-f]+):\s+(\S+)\s*(.*)$")
TARGET = re.compile(r"^([0-9a-f]+)\b")
# One rounding on AVX2 and AVX-512; the baseline multiplies, and adds.
FUSED = re.compile(r"^vfmadd|^fmla")
PLAIN = re.compile(r"^v?mulp[sd]$")
STACK = re.compile(r"\(%rsp|\[sp")
FRAME = re.compile(r"\(%rbp")


@dataclass(frozen=True)
class Instruction:
    address: int
    name: str
    operands: str

    def jumps_to(self) -> int | None:
        """The address that a jump goes to."""
        found = TARGET.match(self.operands) if self.name.startswith("j") else None
        return int(found.group(1), 16) if found else None


@dataclass(frozen=True)
class Loop:
    multiply_adds: int
    loads: int  # from the stack
    stores: int  # to the stack


def functions(code: Path) -> Iterator[tuple[str, list[Instruction]]]:
    """Go through the functions of an object file."""
    command = ["objdump", "--disassemble", "--demangle", "--no-show-raw-insn", str(code)]
    name, body = "", []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as objdump:
        assert objdump.stdout is not None
        for line in objdump.stdout:
            if header := HEADER.match(line):
                yield name, body
                name, body = header.group(1), []
            elif found := INSTRUCTION.match(line):
                body.append(
                    Instruction(int(found[1], 16), found[2], found[3].split("#")[0].strip())
                )
    yield name, body


def innermost(body: list[Instruction]) -> list[list[Instruction]]:
    """Return the loops that hold no other: from the target of a jump back to that jump."""
    spans = [
        (target, i.address)
        for i in body
        if (target := i.jumps_to()) is not None and body[0].address <= target <= i.address
    ]
    inner = [
        a for a in set(spans)
        if not any(b != a and a[0] <= b[0] and b[1] <= a[1] for b in spans)
    ]  # fmt: skip
    return [[i for i in body if first <= i.address <= last] for first, last in inner]


def measured(loop: list[Instruction], framed: bool) -> Loop:
    """Count; the last operand is where the result goes."""
    fused = sum(bool(FUSED.match(i.name)) for i in loop)
    plain = sum(bool(PLAIN.match(i.name)) for i in loop)
    loads = stores = 0
    for i in loop:
        if not (STACK.search(i.operands) or (framed and FRAME.search(i.operands))):
            continue
        last = i.operands.rsplit(",%", 1)[-1]
        into_memory = last.endswith(")") or i.name in ("push", "call")
        reads_only = i.name.startswith(("cmp", "test", "prefetch"))
        if into_memory and not reads_only:
            stores += 1
        else:
            loads += 1
    branches = sum(i.name.startswith("j") for i in loop)
    return Loop(fused or (plain if branches == 1 else 0), loads, stores)


def tiles(body: list[Instruction]) -> list[Loop]:
    """Return the loops of a function that multiply and add."""
    framed = any(i.name == "mov" and i.operands == "%rsp,%rbp" for i in body)
    loops = [measured(loop, framed) for loop in innermost(body)]
    return [loop for loop in loops if loop.multiply_adds]


def main() -> int:
    """Return 1 where a loop stores to the stack."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("objects", nargs="*", type=Path, default=sorted(Path().glob(BUILT)))
    found: dict[tuple[str, str], list[Loop]] = {}
    for code in parser.parse_args().objects:
        for name, body in functions(code):
            if match := PRODUCTS.search(name):
                key = match[1], SPACE.sub("", match[2])
                found.setdefault(key, []).extend(tiles(body))
    print(f"{'set':9} {'function':25} loops  multiply-adds  most stack loads  stack stores")
    for (isa, name), loops in sorted(found.items()):
        counts = [loop.multiply_adds for loop in loops]
        loads, stores = max(loop.loads for loop in loops), sum(loop.stores for loop in loops)
        among = f"{min(counts)}-{max(counts)}"
        print(f"{isa:9} {name:25} {len(loops):5}  {among:>13}  {loads:16}  {stores:12}")
    if not found:
        print(f"no products found: build the core first (make build), which leaves {BUILT}")
        return 1
    every = [loop for loops in found.values() for loop in loops]
    bad = sum(loop.stores > 0 for loop in every)
    print(f"{len(every)} inner loops, {bad} of them store to the stack")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
